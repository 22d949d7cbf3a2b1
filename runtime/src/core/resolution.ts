import type { CoreSpec } from './spec.js';
import type { CoreValue } from './value.js';

/** What a relocation comes to, the same wherever in an object it stands. */
export interface Resolution {
  readonly spec: CoreSpec;
  /** What the instruction holds as compiled. */
  readonly local: CoreValue;
  /** What it shall hold; undefined when it must not run. */
  readonly value: bigint | undefined;
  /** Width of a load or store, compiled and wanted; absent when it stays. */
  readonly width?: { readonly from: number; readonly to: number; readonly safe: boolean };
  /** True when a type of the kernel fits. */
  readonly found: boolean;
  /** Why nothing fits, for people; empty when something does. */
  readonly missing: string;
}
