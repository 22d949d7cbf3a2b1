import { NotSupportedError } from '../errors.js';

/** The objects of a skeleton, by Node's name of the architecture that each was compiled for. */
type Objects = Readonly<Record<string, () => Uint8Array>>;

/**
 * `byArchitecture({ x64: ..., arm64: ... })`: the object for the architecture that load() is for, this process's unless a
 * kernel was given to open(). For generated code.
 */
export function byArchitecture(objects: Objects): (arch?: string) => Uint8Array {
  // A parameter without a default: skeletons ask those functions for each architecture that have one.
  return (given) => {
    const arch = given ?? (typeof process === 'object' ? process.arch : 'unknown');
    const bytes = Object.entries(objects).find(([name]) => name === arch)?.[1];
    if (bytes !== undefined) return bytes();
    const known = Object.keys(objects).join(' and ');
    throw new NotSupportedError(
      `architecture ${arch}`,
      `the skeleton has objects for ${known}, and this is ${arch}; compile the object for ${arch} and add it: bpfskel gen --arch ${arch}=FILE`,
    );
  };
}
