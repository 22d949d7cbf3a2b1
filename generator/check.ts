import { basename } from 'node:path';
import { parseObject, printable } from '@bpfskel/runtime/inspect';
import { apiChanges, type Change } from './api-diff.js';
import { type Committed, looksGenerated, readCommitted, withoutObject } from './committed.js';
import { readInput } from './files.js';
import { generateOptions } from './gen.js';
import { type GenerateOptions, generate } from './generate.js';
import { argument, type Header } from './header.js';
import { objectName } from './names.js';
import { plainGenArguments } from './plain.js';
import { CommandError, explained, within } from './report.js';
import { stripDebug } from './strip.js';
import { UsageError } from './usage.js';
import { version } from './version.js';

/** `bpfskel check`, as given on the command line. */
export interface CheckArguments {
  readonly skeleton: string;
  /** The object file, or `-` for standard input. */
  readonly object: string;
}

/** What became of a skeleton. */
export interface Verdict {
  readonly skeleton: string;
  readonly object: string;
  /** Nothing has to be generated again. */
  readonly fresh: boolean;
  /** Changed since bpfskel wrote it; undefined when that cannot be told. */
  readonly edited: boolean | undefined;
  /** The object in the skeleton is this one; undefined when the skeleton reads its object from a file. */
  readonly sameObject: boolean | undefined;
  readonly changes: readonly Change[];
  /** The bpfskel that wrote it, and the object's name then. */
  readonly writtenBy: string;
  readonly source: string;
  /** What writes it anew. */
  readonly command: string;
}

/**
 * Compares a committed skeleton with what its object generates now, under the options that its header tells. The API is
 * only read when the texts differ. Throws CommandError for files that cannot be compared.
 */
export async function check(given: CheckArguments): Promise<Verdict> {
  const { skeleton, object } = given;
  if (skeleton === '-') throw new UsageError('check: the skeleton is a file; only the object may be -');
  const committed = readCommitted(
    skeleton,
    within(`check ${skeleton}`, () => readInput(skeleton)),
  );
  refuseNewer(skeleton, committed.header);
  if (committed.header.options.includes('--arch')) {
    throw new CommandError(
      `check ${skeleton}: it has an object for each of several architectures, which check does not compare; generate it again`,
    );
  }
  const bytes = within(`check ${object}`, () => readInput(object));
  if (looksGenerated(bytes)) {
    throw new UsageError(
      `check: ${object} is a skeleton; the object comes second: bpfskel check SKELETON OBJECT`,
    );
  }
  const options = optionsOf(skeleton, committed);
  const verdict = {
    skeleton,
    object,
    fresh: true,
    edited: committed.header.intact === undefined ? undefined : !committed.header.intact,
    sameObject: committed.embedded && sameObject(object, committed.embedded, bytes),
    changes: [],
    writtenBy: committed.header.version,
    source: committed.header.source,
    command: command(given, committed.header, options.name),
  };
  // As this very bpfskel wrote it, for this very object: what is there to compare?
  if (verdict.edited === false && verdict.sameObject && verdict.writtenBy === version) return verdict;
  return compared(verdict, committed, currentText(given, bytes, options));
}

async function compared(verdict: Verdict, committed: Committed, now: string): Promise<Verdict> {
  if (now === committed.text) return verdict;
  const { NotASkeleton, readApis } = await import('./skeleton-api.js');
  try {
    const changes = apiChanges(...readApis(withoutObject(committed.text), withoutObject(now)));
    // Another bpfskel may say the same in other words.
    const alike = changes.length === 0 && verdict.sameObject !== false && verdict.edited === false;
    return { ...verdict, changes, fresh: alike && verdict.writtenBy !== version };
  } catch (error) {
    if (!(error instanceof NotASkeleton)) throw error;
    throw new CommandError(`check ${verdict.skeleton}: not a skeleton as gen writes them: ${error.message}`, {
      cause: error,
    });
  }
}

function currentText(
  { skeleton, object }: CheckArguments,
  bytes: Uint8Array,
  options: GenerateOptions,
): string {
  try {
    return generate(bytes, options);
  } catch (error) {
    throw explained(`check ${skeleton}: nothing can be generated from ${object}`, error);
  }
}

/** Whether the object, as gen would embed it, is the one in the skeleton. */
function sameObject(object: string, embedded: Uint8Array, bytes: Uint8Array): boolean {
  return within(`check ${object}`, () => {
    // Says what is wrong with a file that is no object.
    parseObject(bytes);
    return Buffer.compare(embedded, stripDebug(bytes)) === 0;
  });
}

/** The options that the skeleton was generated with. */
function optionsOf(skeleton: string, { header, objectPath }: Committed): GenerateOptions {
  const file = 'object.o';
  const given = plainGenArguments([file, ...header.options]);
  const unknown = new CommandError(
    `check ${skeleton}: its header names options that bpfskel ${version} does not know: ${header.options.join(' ')}`,
  );
  if (given === undefined) throw unknown;
  try {
    const options = generateOptions({ ...given, name: given.name ?? objectName(header.source) });
    return { ...options, source: header.source, objectPath: objectPath ?? options.objectPath };
  } catch (error) {
    throw error instanceof UsageError ? unknown : error;
  }
}

function refuseNewer(skeleton: string, header: Header): void {
  if (!isNewer(header.version, version)) return;
  throw new CommandError(
    `check ${skeleton}: written by bpfskel ${header.version}, and this is ${version}: check it with that one, or generate it again`,
  );
}

function isNewer(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => text.split(/[.+-]/, 3).map(Number));
  for (const at of [0, 1, 2]) {
    const difference = (a?.[at] ?? 0) - (b?.[at] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

function command({ skeleton, object }: CheckArguments, header: Header, name: string): string {
  const sameName = header.options.includes('--name') || objectName(basename(object)) === name;
  const options = [...(sameName ? [] : ['--name', name]), ...header.options];
  return printable(['bpfskel', 'gen', object, ...options, '-o', skeleton].map(argument).join(' '), 1000);
}
