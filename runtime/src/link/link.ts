import { BpfError, NotSupportedError, printable } from '../errors.js';
import type { Fd, Kernel, LinkInfo } from '../kernel/kernel.js';
import { inspect, type Print, printed } from '../printed.js';
import { pinAt, unpinAt } from './pin.js';
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
  /** Where it is pinned already. */
  readonly pinPath?: string;
  /** Why it cannot be pinned though it is a bpf_link, as a clause. */
  readonly unpinnable?: string;
  /**
   * Ends the attachment: closes descriptors, undoes netlink or tracefs state. Called once. A bpf_link that is pinned goes
   * on, and what it needs has to stay.
   */
  readonly release: (isPinned: boolean) => void;
}

/** One attachment of one program. It lasts until `detach()`, the skeleton's `destroy()`, or the end of the process. */
export class Link implements Disposable {
  readonly #parts: LinkParts;
  readonly #onDetach: Set<() => void> = new Set();
  #attached = true;
  #program: string;
  #pinPath: string | undefined;

  constructor(parts: LinkParts) {
    this.#parts = parts;
    this.#program = parts.program;
    this.#pinPath = parts.pinPath;
  }

  /** Name of the program that was attached, or took its place since. */
  get program(): string {
    return this.#program;
  }

  /** What it is attached to, for people. */
  get target(): string {
    return this.#parts.target;
  }

  get attached(): boolean {
    return this.#attached;
  }

  /** Where `pin()` put it, until `unpin()`. */
  get pinPath(): string | undefined {
    return this.#pinPath;
  }

  /** Detaches and closes. Calling it again does nothing. A pinned link stays attached until it is unpinned. */
  detach(): void {
    if (!this.#attached) return;
    this.#attached = false;
    try {
      this.#parts.release(this.#pinPath !== undefined);
    } finally {
      for (const listener of this.#onDetach) listener();
      this.#onDetach.clear();
    }
  }

  [Symbol.dispose](): void {
    this.detach();
  }

  /**
   * Keeps the attachment alive beyond this process, under a path in a BPF file system (`/sys/fs/bpf/...`), whose last
   * directory is made when it is missing. `openLink(path)` opens it again. Linux 5.7. As libbpf's bpf_link__pin.
   *
   * @throws BpfError that says why not: pinned already, something is at `path`, no BPF file system; NotSupportedError when
   *   the kernel attached the program without a bpf_link, which alone can be pinned
   */
  pin(path: string): this {
    const fd = this.bpfLink('pin');
    const head = `pin link of "${printable(this.#program)}" at ${printable(path)}`;
    const { unpinnable } = this.#parts;
    if (unpinnable !== undefined) throw new NotSupportedError('bpf_link', `${head}: ${unpinnable}`);
    if (this.#pinPath !== undefined) {
      throw new BpfError('EBUSY', `${head}: it is pinned at ${printable(this.#pinPath)} already`);
    }
    pinAt(this.#parts.kernel, fd, head, path);
    this.#pinPath = path;
    return this;
  }

  /**
   * Removes the pin that `pin()` made, or that the link was opened by. It stays attached while this link, or another
   * process, holds it. Also after `detach()`, which then ends it. As libbpf's bpf_link__unpin.
   *
   * @throws BpfError when it is not pinned, or the pin is gone already
   */
  unpin(): void {
    const path = this.#pinPath;
    const head = `unpin link of "${printable(this.#program)}"`;
    if (path === undefined) throw new BpfError('ERR_BPF_STATE', `${head}: it is not pinned`);
    this.#pinPath = undefined;
    unpinAt(this.#parts.kernel, head, path);
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
    return infoOfLink(this.#parts.kernel, this.bpfLink('read the info of'));
  }

  [inspect](depth: number, options: object, print: Print): string {
    const { program, target, attached, pinPath } = this;
    const facts = { program, target, attached, ...(pinPath !== undefined && { pinPath }) };
    return printed(this, program, facts, depth, options, print);
  }

  /** Runs `listener` once when the link ends; for owners that keep a list. */
  onDetach(listener: () => void): void {
    this.#onDetach.add(listener);
  }

  /** Another program took the place of the first. */
  protected renamed(program: string | undefined): void {
    if (program !== undefined) this.#program = program;
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

/** What the kernel tells of a link, with the name of its program where that can be had. */
export function infoOfLink(kernel: Kernel, fd: Fd): LinkInfo {
  const info = kernel.linkInfo(fd);
  const progName = info.progId === 0 ? undefined : programName(kernel, info.progId);
  return progName === undefined ? info : { ...info, progName };
}
