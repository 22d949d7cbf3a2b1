import { BpfError, printable } from '../errors.js';
import type { Fd, Kernel } from '../kernel/kernel.js';
import { describeProgram } from './program-name.js';
import { failAfter } from './release.js';

/**
 * The program of an attachment without a bpf_link, which is named when it is exchanged and when it is detached. One that
 * took another's place is of another object, which may go before the attachment does: its descriptor is a second one.
 */
export class HeldProgram {
  readonly #kernel: Kernel;
  #fd: Fd;
  #owned: Fd | undefined;

  constructor(kernel: Kernel, fd: Fd) {
    this.#kernel = kernel;
    this.#fd = fd;
  }

  get fd(): Fd {
    return this.#fd;
  }

  /** Runs `put`, which makes the kernel take the next program, with a descriptor that lives as long as this. */
  exchange(next: Fd, expected: Fd | undefined, put: (next: Fd) => void): void {
    if (expected !== undefined) assertExpected(this.#kernel, this.#kernel.progInfo(this.#fd).id, expected);
    const own = this.#kernel.duplicate(next);
    try {
      put(own);
    } catch (error) {
      failAfter(error, () => this.#kernel.close(own));
    }
    const before = this.#owned;
    this.#fd = own;
    this.#owned = own;
    if (before !== undefined) this.#kernel.close(before);
  }

  close(): void {
    const owned = this.#owned;
    this.#owned = undefined;
    if (owned !== undefined) this.#kernel.close(owned);
  }
}

/** What the kernel checks for a bpf_link, for attachments that are none. */
export function assertExpected(kernel: Kernel, running: number, expected: Fd): void {
  const { id, name } = kernel.progInfo(expected);
  if (id === running) return;
  throw new BpfError(
    'EPERM',
    `exchange the program: ${describeProgram(kernel, running)} runs there, and not "${printable(name)}" id ${id} as expected`,
  );
}
