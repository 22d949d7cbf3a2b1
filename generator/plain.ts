import { parseArgs } from 'node:util';
import { type GenArguments, gen } from './gen.js';
import { report, within } from './report.js';

/**
 * Runs `gen` with these arguments, when they are plain: one object, and known options with their values. The answer is
 * the exit status; undefined leaves everything else to the full parser, which takes longer to load than this to run.
 */
export function plainGen(args: readonly string[]): number | undefined {
  const plain = plainGenArguments(args);
  if (plain === undefined) return undefined;
  try {
    within(`gen ${plain.object}`.trimEnd(), () => gen(plain));
    return 0;
  } catch (error) {
    return report(error);
  }
}

/** The arguments behind `gen`, or undefined when they are not plain. */
export function plainGenArguments(args: readonly string[]): GenArguments | undefined {
  const [only = ''] = args;
  // Needs no parser, whose first use takes as long as that of a small object.
  if (args.length === 1 && /^[^-]/.test(only)) return { object: only };
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        output: { type: 'string', short: 'o' },
        arch: { type: 'string', multiple: true },
        name: { type: 'string' },
        u64: { type: 'string' },
        embed: { type: 'string' },
        record: { type: 'string', multiple: true },
        union: { type: 'string', multiple: true },
        bytes: { type: 'string', multiple: true },
        type: { type: 'string', multiple: true },
      },
    });
    const [object, ...more] = positionals;
    if (object === undefined && values.arch !== undefined) return { object: '', ...values };
    return object === undefined || object === '' || more.length > 0 ? undefined : { object, ...values };
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
