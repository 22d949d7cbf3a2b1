import { BpfError } from '../errors.js';

// Far more than the largest real objects need, and a fraction of a second of work.
const STEPS = 1 << 20;
const STEPS_PER_RELOCATION = 1 << 12;

/** Bounds the work that types made to be slow can cause: nested anonymous structs and signatures grow exponentially. */
export class Budget {
  #left = STEPS;

  /** Grants what so many more relocations may need. */
  allow(relocations: number): void {
    this.#left += relocations * STEPS_PER_RELOCATION;
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
