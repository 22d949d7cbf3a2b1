import { BpfError, NotSupportedError, printable } from '../errors.js';
import type { Fd, Kernel, LinkInfo } from '../kernel/kernel.js';
import { programName } from './program-name.js';

/** How a link came to be: what {@link Link} needs to end it. */
export interface LinkParts {
  readonly kernel: Kernel;
  /** Name of the attached program. */
  readonly program: string;
  /** What it is attached to, for people: `kprobe security_socket_connect`, `xdp eth0 (generic)`. */
  readonly target: string;
  /** The kernel's own bpf_link, where the attachment is one. */
  readonly fd?: Fd;
  /** Ends the attachment: closes descriptors, undoes netlink or tracefs state. Called once. */
  readonly release: () => void;
}

/** One attachment of one program. It lasts until `detach()`, the skeleton's `destroy()`, or the end of the process. */
export class Link implements Disposable {
  readonly #parts: LinkParts;
  readonly #onDetach: Set<() => void> = new Set();
  #attached = true;

  constructor(parts: LinkParts) {
    this.#parts = parts;
  }

  get program(): string {
    return this.#parts.program;
  }

  get target(): string {
    return this.#parts.target;
  }

  get attached(): boolean {
    return this.#attached;
  }

  /** Detaches and closes. Calling it again does nothing. A pinned link stays attached. */
  detach(): void {
    if (!this.#attached) return;
    this.#attached = false;
    try {
      this.#parts.release();
    } finally {
      for (const listener of this.#onDetach) listener();
      this.#onDetach.clear();
    }
  }

  [Symbol.dispose](): void {
    this.detach();
  }

  /** Keeps the attachment alive beyond this process, under a path in a BPF file system (`/sys/fs/bpf/...`). Linux 5.7. */
  pin(path: string): void {
    this.#parts.kernel.pin(this.bpfLink('pin'), path);
  }

  /**
   * What the kernel tells of the link: its id, the program that runs now, and where, by `type`. Older kernels tell less,
   * and what they do not tell is absent. Linux 5.8.
   *
   * @example
   * const info = link.info();
   * if (info.type === 'cgroup') console.log(info.cgroupId);
   * @throws NotSupportedError when the kernel attached the program without a bpf_link
   */
  info(): LinkInfo {
    const { kernel } = this.#parts;
    const info = kernel.linkInfo(this.bpfLink('read the info of'));
    const name = info.progId === 0 ? undefined : programName(kernel, info.progId);
    return name === undefined ? info : { ...info, progName: name };
  }

  /** Runs `listener` once when the link ends; for owners that keep a list. */
  onDetach(listener: () => void): void {
    this.#onDetach.add(listener);
  }

  /** Throws ERR_BPF_STATE after `detach()`; `verb` begins the sentence. */
  protected assertAttached(verb: string): void {
    if (this.#attached) return;
    throw new BpfError('ERR_BPF_STATE', `${verb} link of "${printable(this.program)}": it is detached`);
  }

  /** The bpf_link's descriptor; throws where the attachment is none, or ended. `verb` begins the sentence. */
  protected bpfLink(verb: string): Fd {
    this.assertAttached(verb);
    if (this.#parts.fd === undefined) {
      throw new NotSupportedError(
        'bpf_link',
        `${verb} link of "${printable(this.program)}" to ${printable(this.target)}: this kernel attached it without a bpf_link`,
      );
    }
    return this.#parts.fd;
  }
}
