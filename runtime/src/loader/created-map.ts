import type { Fd, MapCreate, Mapping } from '../kernel/kernel.js';
import type { OpenMap } from './open-object.js';

/** A map of the object with its descriptor; `fd` is undefined when it was left out. */
export interface CreatedMap {
  readonly open: OpenMap;
  readonly fd: Fd | undefined;
  /** What the kernel was asked for, after rounding. */
  readonly attributes: MapCreate;
  /** Of maps that hold maps: what those are created with. */
  readonly inner?: MapCreate;
  /** True for a map that was pinned by somebody else: its contents are theirs. */
  readonly reused: boolean;
  /** An arena's memory, which must be mapped before a program may use it. */
  readonly arena?: Mapping;
}
