import type { Wide } from './types.js';
import type { AskedOfTypes } from './wishes.js';

/** What the user may ask of a skeleton. */
export interface SkeletonOptions extends AskedOfTypes {
  /** The exported name. */
  readonly name: string;
  readonly u64: Wide;
  /** Types of ring and perf buffer records by map, as `--record MAP=TYPE` gives them. */
  readonly records: ReadonlyMap<string, string>;
  /** Types to emit besides those that maps and globals reach. */
  readonly types: readonly string[];
}

/** What `gen` is asked for. */
export interface GenerateOptions extends SkeletonOptions {
  /** How the object is called in the header; a file name, without a folder. */
  readonly source: string;
  /** `base64`: the object is part of the skeleton; `file`: the skeleton reads it from `objectPath`. */
  readonly embed: 'base64' | 'file';
  /** Where the object lies as seen from the skeleton, with `/` between folders; for `embed: 'file'`. */
  readonly objectPath: string;
  /** `ARCH=OBJECT`, each, where there are several objects. */
  readonly arch?: readonly string[];
  /** Is told of what the object has and the skeleton leaves out. */
  readonly warn?: ((warning: string) => void) | undefined;
}
