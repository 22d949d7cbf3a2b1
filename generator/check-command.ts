import { check } from './check.js';
import type { CheckArguments } from './check-objects.js';
import { checkJson, checkText } from './check-text.js';
import { writeAll } from './files.js';

/** `bpfskel check`: the verdict on standard output. The answer is the exit status: 1 for a stale skeleton. */
export async function checkCommand({ json, ...given }: CheckArguments & { json: boolean }): Promise<number> {
  const verdict = await check(given);
  writeAll(1, json ? checkJson(verdict) : checkText(verdict));
  return verdict.fresh ? 0 : 1;
}

/** The arguments behind `check` when they are plain, as in most uses: the full parser takes longer to load than this to run. */
export function plainCheckArguments(
  args: readonly string[],
): (CheckArguments & { json: boolean }) | undefined {
  const [skeleton, ...objects] = args.filter((arg) => arg !== '--json');
  const plain = [skeleton ?? '', ...objects].every(
    (arg) => arg !== '' && (arg === '-' || !arg.startsWith('-')),
  );
  if (skeleton === undefined || objects.length === 0 || !plain) return undefined;
  return { skeleton, objects, json: args.includes('--json') };
}
