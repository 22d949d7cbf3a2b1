import type { Fd, Kernel } from '../kernel/kernel.js';
import { refusal } from './attach-error.js';
import { Link, type LinkParts } from './link.js';
import { headOfUpdate, type LinkedProgram, type UpdateOptions, updateProgram } from './update-program.js';

/** What holds a program in its place. */
export type Hold =
  /** A bpf_link. */
  { readonly fd: Fd; release(): void } | DirectHold;

/** Where a program was attached without a bpf_link. */
export interface DirectHold {
  readonly fd?: undefined;
  /** Exchanges the program; with `expected` only while that one runs. */
  update(prog: Fd, expected: Fd | undefined): void;
  release(): void;
}

/** The hold of a bpf_link. */
export function holdLink(kernel: Kernel, fd: Fd): Hold {
  return { fd, release: () => kernel.close(fd) };
}

/** A link whose program can be exchanged for another. */
export class UpdatableLink extends Link {
  readonly #kernel: Kernel;
  readonly #hold: Hold;

  constructor(parts: Omit<LinkParts, 'fd' | 'release'>, hold: Hold) {
    const { fd } = hold;
    super({ ...parts, ...(fd === undefined ? {} : { fd }), release: () => hold.release() });
    this.#kernel = parts.kernel;
    this.#hold = hold;
  }

  /**
   * Exchanges the program for another of its kind; at no time is there none. The link, its place among others and its pin
   * stay as they are. Linux 5.7, without a bpf_link 5.6. As libbpf's bpf_link__update_program.
   *
   * @example link.update(skel.progs.count_v2, { expected: skel.progs.count });
   * @throws BpfError that says why not: a program of another kind, another one than expected, a device that is gone
   */
  update(program: LinkedProgram, { expected }: UpdateOptions = {}): void {
    this.assertAttached('update');
    const hold = this.#hold;
    if (hold.fd !== undefined) {
      updateProgram({ kernel: this.#kernel, link: hold.fd, running: this.program, program, expected });
    } else {
      try {
        hold.update(program.fd, expected?.fd);
      } catch (error) {
        throw refusal(headOfUpdate(this.program, program), error);
      }
    }
    this.renamed(program.name);
  }
}
