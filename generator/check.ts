import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isBpfError, parseObject, printable } from '@bpfskel/runtime/inspect';
import { apiChanges, type Change } from './api-diff.js';
import { type CheckArguments, placedObjects, type ReadObject, readObject } from './check-objects.js';
import { type Committed, readCommitted, withoutObject } from './committed.js';
import { readInput } from './files.js';
import { fittingOptions, type Misfit } from './fitting-options.js';
import { generateOptions } from './gen.js';
import { generate, generateForEach } from './generate.js';
import { argument, type Header } from './header.js';
import { objectName } from './names.js';
import type { GenerateOptions } from './options.js';
import { plainGenArguments } from './plain.js';
import { CommandError, explained, within } from './report.js';
import { stripDebug } from './strip.js';
import { UsageError } from './usage.js';
import { version } from './version.js';

/** What became of a skeleton. */
export interface Verdict {
  readonly skeleton: string;
  readonly objects: readonly string[];
  /** Nothing has to be generated again. */
  readonly fresh: boolean;
  /** Changed since bpfskel wrote it; undefined when that cannot be told. */
  readonly edited: boolean | undefined;
  /** The objects in the skeleton, or those it reads from files, are these; undefined when such a file is not there. */
  readonly sameObject: boolean | undefined;
  /** The files that the skeleton reads its objects from, seen from it. */
  readonly reads: readonly string[];
  readonly changes: readonly Change[];
  /** Options in its header that the object takes no more. */
  readonly misfits: readonly Misfit[];
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
  const { skeleton } = given;
  if (skeleton === '-') throw new UsageError('check: the skeleton is a file; only the object may be -');
  const committed = readCommitted(
    skeleton,
    within(`check ${skeleton}`, () => readInput(skeleton)),
  );
  const { header } = committed;
  refuseNewer(skeleton, header);
  const options = optionsOf(skeleton, committed);
  const objects = placedObjects(given, options.arch ?? []).map(readObject);
  const verdict = {
    skeleton,
    objects: objects.map(({ path }) => path),
    fresh: true,
    edited: header.intact === undefined ? undefined : !header.intact,
    sameObject: sameObjects(heldObjects(skeleton, committed), objects),
    reads: committed.objectPaths,
    changes: [],
    misfits: [],
    writtenBy: header.version,
    source: header.source,
    command: command(skeleton, objects, header, options.name),
  };
  // As this very bpfskel wrote it, with this very object in it: what is there to compare?
  const holds = committed.embedded.length > 0 && verdict.sameObject;
  if (holds && verdict.edited === false && verdict.writtenBy === version) return verdict;
  return compared(verdict, committed, currentText(verdict, objects, committed.objectPaths, options));
}

async function compared(
  verdict: Verdict,
  committed: Committed,
  { text: now, misfits }: ReturnType<typeof currentText>,
): Promise<Verdict> {
  if (now === committed.text) return { ...verdict, fresh: verdict.sameObject !== false };
  const { NotASkeleton, readApis } = await import('./skeleton-api.js');
  try {
    const changes = apiChanges(...readApis(withoutObject(committed.text), withoutObject(now)));
    // Another bpfskel may say the same in other words.
    const alike =
      changes.length === 0 &&
      misfits.length === 0 &&
      verdict.sameObject !== false &&
      verdict.edited === false;
    return { ...verdict, changes, misfits, fresh: alike && verdict.writtenBy !== version };
  } catch (error) {
    if (!(error instanceof NotASkeleton)) throw error;
    throw new CommandError(`check ${verdict.skeleton}: not a skeleton as gen writes them: ${error.message}`, {
      cause: error,
    });
  }
}

/** What the objects generate now, and the options that they take no more. */
function currentText(
  { skeleton, objects }: Verdict,
  files: readonly ReadObject[],
  paths: readonly string[],
  options: GenerateOptions,
): { text: string; misfits: readonly Misfit[] } {
  const placed = files.map(({ arch = '', path, bytes }, index) => ({
    ...{ arch, bytes, source: basename(path) },
    objectPath: paths[index] ?? basename(path),
  }));
  const [only] = placed;
  const text = (given: GenerateOptions): string => {
    if (given.arch !== undefined) return generateForEach(placed, given).toString();
    return only === undefined ? '' : generate(only.bytes, { ...given, objectPath: only.objectPath });
  };
  try {
    return { text: text(options), misfits: [] };
  } catch (error) {
    const refused = explained(
      `check ${skeleton}: nothing can be generated from ${objects.join(' and ')}`,
      error,
    );
    if (!isBpfError(error)) throw refused;
    const fitting = fittingOptions(options, text);
    if (fitting.misfits.length === 0) throw refused;
    try {
      return { text: text(fitting.options), misfits: fitting.misfits };
    } catch {
      // Without them it is not better.
      throw refused;
    }
  }
}

/** The objects that the skeleton would load now. */
function heldObjects(skeleton: string, { embedded, objectPaths }: Committed): (Uint8Array | undefined)[] {
  const files = objectPaths.map((path) => join(dirname(skeleton), path));
  return [
    ...embedded,
    ...files.map((path) => (existsSync(path) ? within(`check ${path}`, () => readInput(path)) : undefined)),
  ];
}

/** Whether the objects, as gen would embed them, are those that the skeleton loads. */
function sameObjects(
  held: readonly (Uint8Array | undefined)[],
  objects: readonly ReadObject[],
): boolean | undefined {
  const same = objects.map(({ path, bytes }, index) =>
    within(`check ${path}`, () => {
      // Says what is wrong with a file that is no object.
      parseObject(bytes);
      const one = held[index];
      return one && [stripDebug(bytes), bytes].some((object) => Buffer.compare(one, object) === 0);
    }),
  );
  return same.includes(false) ? false : same.includes(undefined) ? undefined : true;
}

/** The options that the skeleton was generated with. */
function optionsOf(skeleton: string, { header }: Committed): GenerateOptions {
  const given = plainGenArguments(['object.o', ...header.options]);
  const unknown = new CommandError(
    `check ${skeleton}: its header names options that bpfskel ${version} does not know: ${header.options.join(' ')}`,
  );
  if (given === undefined) throw unknown;
  try {
    const options = generateOptions({ ...given, name: given.name ?? objectName(header.source) });
    const several = given.arch === undefined ? {} : { arch: given.arch };
    return { ...options, ...several, source: header.source };
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

function command(skeleton: string, objects: readonly ReadObject[], header: Header, name: string): string {
  const [{ path, arch } = { path: '' }] = objects;
  const sameName = arch === undefined && objectName(basename(path)) === name;
  const named = header.options.includes('--name') || sameName ? [] : ['--name', name];
  const inputs = objects.flatMap((one) =>
    one.arch === undefined ? [one.path] : ['--arch', `${one.arch}=${one.path}`],
  );
  const others = header.options.filter(
    (_, index, all) => all[index] !== '--arch' && all[index - 1] !== '--arch',
  );
  return printable(
    ['bpfskel', 'gen', ...inputs, ...named, ...others, '-o', skeleton].map(argument).join(' '),
    1000,
  );
}
