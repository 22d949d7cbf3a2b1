import { basename } from 'node:path';
import { architectureObjects } from './architectures.js';
import { looksGenerated } from './committed.js';
import { readInput } from './files.js';
import { within } from './report.js';
import { UsageError } from './usage.js';

/** `bpfskel check`, as given on the command line. */
export interface CheckArguments {
  readonly skeleton: string;
  /** The object file, or `-` for standard input; one for each architecture where the skeleton has several. */
  readonly objects: readonly string[];
}

/** An object file, and the architecture it is for where a skeleton has several. */
export interface PlacedObject {
  readonly path: string;
  readonly arch?: string;
}

export interface ReadObject extends PlacedObject {
  readonly bytes: Uint8Array;
}

/**
 * The objects in the order in which the skeleton has them. Those of several architectures are known by the names that
 * they had when it was generated, else by their order.
 * @param arch what the skeleton's header says of them: `ARCH=OBJECT`, each
 */
export function placedObjects(
  { skeleton, objects }: CheckArguments,
  arch: readonly string[],
): PlacedObject[] {
  const wanted = architectureObjects(arch);
  if (wanted.length === 0) {
    const [path, ...more] = objects;
    if (path !== undefined && more.length === 0) return [{ path }];
    throw new UsageError(`check: ${skeleton} has one object, and ${objects.length} are named`);
  }
  if (objects.length !== wanted.length) {
    const names = wanted.map(({ path }) => path).join(' ');
    throw new UsageError(
      `check: ${skeleton} has an object for each of ${wanted.map((one) => one.arch).join(', ')}: name all, bpfskel check ${skeleton} ${names}`,
    );
  }
  const byName = wanted.map(({ path }) => objects.filter((object) => basename(object) === path));
  const known = byName.every((found) => found.length === 1);
  return wanted.map(({ arch }, index) => ({
    arch,
    path: (known ? byName[index]?.[0] : objects[index]) ?? '',
  }));
}

/** The file's bytes. Throws UsageError for a skeleton in the place of an object. */
export function readObject(object: PlacedObject): ReadObject {
  const bytes = within(`check ${object.path}`, () => readInput(object.path));
  if (looksGenerated(bytes)) {
    throw new UsageError(
      `check: ${object.path} is a skeleton; the object comes second: bpfskel check SKELETON OBJECT`,
    );
  }
  return { ...object, bytes };
}
