import type { Btf } from '@bpfskel/runtime/inspect';
import type { Imports } from './imports.js';
import type { Reached, ReachedTypes } from './reach.js';
import type { TypeTable, Wide } from './types.js';

/** What definitions are made of. */
export interface Parts {
  readonly btf: Btf;
  readonly reached: ReachedTypes;
  readonly table: TypeTable;
  readonly imports: Imports;
  readonly wide: Wide;
  /** Types of which something is a variable, or part of one. */
  readonly live: ReadonlySet<Reached>;
}
