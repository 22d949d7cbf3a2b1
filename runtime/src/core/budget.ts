import { BpfError } from '../errors.js';

// Far more than the largest real object needs, and well under a second of work.
const STEPS = 1 << 24;
const STEPS_PER_RELOCATION = 1 << 12;

/** Bounds the work that types made to be slow can cause: nested anonymous structs and signatures grow exponentially. */
export class Budget {
  #left: number;

  constructor(relocations: number) {
    this.#left = STEPS + relocations * STEPS_PER_RELOCATION;
  }

  /** Throws BpfError when nothing is left. */
  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) {
      throw new BpfError(
        'ERR_BPF_CORE',
        'its types are too complex to compare; no compiler makes such types',
      );
    }
  }
}
