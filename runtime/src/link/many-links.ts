import { NotSupportedError, printable } from '../errors.js';
import type { Kernel, LinkInfo } from '../kernel/kernel.js';
import type { Attachment } from './attach-error.js';
import { Link } from './link.js';
import { releaseAll } from './release.js';

/** What several links of the kernel are one of: an event for each CPU or thread, a probe for each place. */
export interface ManyLinksParts extends Attachment {
  readonly kernel: Kernel;
  readonly links: readonly Link[];
  /** Of what there is one link: `CPU or thread`. */
  readonly each: string;
  /** How to get one link instead, as a sentence without its full stop. */
  readonly hint: string;
  /** Runs when all are detached. */
  readonly after?: (() => void) | undefined;
}

/** Several links that are detached together, and cannot be pinned as one. */
export class ManyLinks extends Link {
  readonly #parts: ManyLinksParts;

  constructor(parts: ManyLinksParts) {
    const { kernel, program, target, links, after } = parts;
    super({
      kernel,
      program,
      target,
      release: () => releaseAll(...links.map((link) => () => link.detach()), after),
    });
    this.#parts = parts;
  }

  override pin(_path: string): this {
    return this.#refuse('pin');
  }

  override info(): LinkInfo {
    return this.#refuse('read the info of');
  }

  #refuse(verb: string): never {
    this.assertAttached(verb);
    const { links, each, hint } = this.#parts;
    throw new NotSupportedError(
      'bpf_link',
      `${verb} link of "${printable(this.program)}" to ${printable(this.target)}: it is ${links.length} link${links.length === 1 ? '' : 's'} of the kernel, one for each ${each}. ${hint}`,
      { hint },
    );
  }
}
