import { type GenArguments, skeletonFile } from '../../generator/gen.js';

/** The skeleton that these arguments of `bpfskel gen` ask for. */
export function skeletonText(given: GenArguments): string {
  return skeletonFile(given).toString();
}
