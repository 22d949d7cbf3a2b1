import type { Fd } from '../kernel/kernel.js';
import type { AttachTarget } from './kernel-types.js';
import type { OpenProgram } from './open-program.js';

/** A program the kernel took. */
export interface LoadedProgram {
  readonly open: OpenProgram;
  readonly fd: Fd;
  /** What it was verified against. */
  readonly attach: AttachTarget | undefined;
}
