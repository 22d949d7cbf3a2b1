import type { Fd, Kernel } from '../kernel/kernel.js';
import { Link, type LinkParts } from './link.js';

/** What holds a program in its place. */
export interface Hold {
  /** The bpf_link; undefined when the program was attached without one. */
  readonly fd?: Fd;
  /** Exchanges the program. */
  update(prog: Fd): void;
  release(): void;
}

/** The hold of a bpf_link. */
export function holdLink(kernel: Kernel, fd: Fd): Hold {
  return { fd, update: (prog) => kernel.linkUpdate(fd, prog), release: () => kernel.close(fd) };
}

/** A link whose program can be exchanged for another. */
export class UpdatableLink extends Link {
  readonly #hold: Hold;

  constructor(parts: Omit<LinkParts, 'fd' | 'release'>, hold: Hold) {
    const { fd } = hold;
    super({ ...parts, ...(fd === undefined ? {} : { fd }), release: () => hold.release() });
    this.#hold = hold;
  }

  /** Exchanges the program for another of its kind; at no time is there none. Linux 5.7; without a bpf_link 5.6. */
  update(program: { readonly fd: Fd }): void {
    this.assertAttached('update');
    this.#hold.update(program.fd);
  }
}
