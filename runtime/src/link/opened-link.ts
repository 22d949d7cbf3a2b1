import { BpfError, printable } from '../errors.js';
import type { Fd, Kernel, LinkInfo, LinkType } from '../kernel/kernel.js';
import { errnoOf, type Reason, refusal } from './attach-error.js';
import { describeLink } from './describe-link.js';
import { infoOfLink, Link } from './link.js';
import { assertKind } from './pin.js';
import { type Registrable, type StructOpsUpdate, updateStructOps } from './struct-ops.js';
import { type LinkedProgram, type UpdateOptions, updateProgram } from './update-program.js';

/** The types of links whose program the kernel exchanges. */
export type UpdatableLinkType = 'cgroup' | 'iter' | 'netkit' | 'netns' | 'sockmap' | 'tcx' | 'xdp';

/** What a link of these types tells. */
export type LinkInfoOf<Type extends LinkType> = Extract<LinkInfo, { readonly type: Type }>;

/** What an {@link OpenedLink} is made of. */
export interface OpenedLinkParts {
  readonly kernel: Kernel;
  readonly fd: Fd;
  readonly info: LinkInfo;
  readonly pinPath?: string;
}

/**
 * A link that somebody attached, here or in another process, and that was opened by its pin or its id. It belongs to
 * whoever opened it: `close()`, or leaving its `using` block, gives the descriptor back and changes nothing else.
 */
export class OpenedLink<Type extends LinkType = LinkType> extends Link {
  readonly #kernel: Kernel;
  #ended = false;

  constructor({ kernel, fd, info, pinPath }: OpenedLinkParts) {
    super({
      kernel,
      program: nameOf(kernel, info),
      target: describeLink(kernel, info),
      fd,
      ...(pinPath === undefined ? {} : { pinPath }),
      release: () => kernel.close(fd),
    });
    this.#kernel = kernel;
  }

  /** False once it is closed, or was detached by {@link detach}. */
  override get attached(): boolean {
    return super.attached && !this.#ended;
  }

  /** What the kernel tells of the link now. Linux 5.8. */
  override info(): LinkInfoOf<Type> {
    return super.info() as LinkInfoOf<Type>; // a link keeps its type, which was looked at when it was opened
  }

  /**
   * Ends the attachment for everybody, whoever holds or pinned it; a pin stays, of a link that does nothing, until
   * `unpin()`. Linux 5.9. As libbpf's bpf_link__detach.
   *
   * Only cgroup, netkit, netns, netfilter, sockmap, struct_ops (Linux 6.11), tcx and xdp can be ended so.
   * @throws BpfError for the others, which end when nobody holds them: by `unpin()` and `close()`
   */
  override detach(): void {
    if (!this.attached) return;
    const fd = this.bpfLink('detach');
    try {
      this.#kernel.linkDetach(fd);
    } catch (error) {
      const head = `detach link of "${printable(this.program)}" from ${printable(this.target)}`;
      throw refusal(head, error, whyNotDetached(super.info(), error, this.pinPath));
    }
    this.#ended = true;
  }

  /** A link that was ended by force still tells what it was. */
  protected override assertAttached(verb: string): void {
    if (super.attached) return;
    throw new BpfError('ERR_BPF_STATE', `${verb} link of "${printable(this.program)}": it is closed`);
  }

  /** Gives the descriptor back. The attachment goes on while a pin or another process holds it. Idempotent. */
  close(): void {
    super.detach();
  }

  override [Symbol.dispose](): void {
    this.close();
  }
}

/** An {@link OpenedLink} whose program can be exchanged. */
export class UpdatableOpenedLink<
  Type extends UpdatableLinkType = UpdatableLinkType,
> extends OpenedLink<Type> {
  readonly #kernel: Kernel;

  constructor(parts: OpenedLinkParts) {
    super(parts);
    this.#kernel = parts.kernel;
  }

  /**
   * Exchanges the program for another of its kind; at no time is there none. The new one stays when this process ends, as
   * the pin does. As libbpf's bpf_link__update_program.
   *
   * @example
   * using link = openLink('/sys/fs/bpf/agent/count', 'xdp');
   * link.update(skel.progs.count);
   */
  update(program: LinkedProgram, { expected }: UpdateOptions = {}): void {
    updateProgram({
      kernel: this.#kernel,
      link: this.bpfLink('update'),
      running: this.program,
      program,
      expected,
    });
    this.renamed(program.name);
  }
}

/** An {@link OpenedLink} whose struct_ops map can be exchanged. */
export class OpenedStructOpsLink extends OpenedLink<'struct_ops'> {
  readonly #kernel: Kernel;

  constructor(parts: OpenedLinkParts) {
    super(parts);
    this.#kernel = parts.kernel;
  }

  /** Puts another map of the same struct_ops in the place of the one that is registered. As {@link StructOpsLink.update}. */
  update(map: Registrable, options?: StructOpsUpdate): void {
    updateStructOps(this.#kernel, this.bpfLink('update'), this.program, map, options);
    this.renamed(map.name);
  }
}

const updatable: ReadonlySet<LinkType> = new Set<UpdatableLinkType>([
  'cgroup',
  'iter',
  'netkit',
  'netns',
  'sockmap',
  'tcx',
  'xdp',
]);

/** Takes a descriptor over, also when this fails. `type` is what the caller takes the link to be. */
export function adoptLink(
  kernel: Kernel,
  fd: Fd,
  what: string,
  type: LinkType | undefined,
  pinPath?: string,
): OpenedLink {
  try {
    assertKind(kernel, fd, 'link', what);
    const info = infoOfLink(kernel, fd);
    if (type !== undefined && info.type !== type) {
      throw new BpfError(
        'ERR_BPF_LAYOUT',
        `open link ${printable(what)}: it is of type ${info.type}, and not ${type}`,
      );
    }
    const parts = { kernel, fd, info, ...(pinPath === undefined ? {} : { pinPath }) };
    if (type === 'struct_ops') return new OpenedStructOpsLink(parts);
    return type !== undefined && updatable.has(type) ? new UpdatableOpenedLink(parts) : new OpenedLink(parts);
  } catch (error) {
    kernel.close(fd);
    throw error;
  }
}

/** Of the program, or of the map that stands in its place; `id 17` where this process may not ask for the name. */
function nameOf(kernel: Kernel, info: LinkInfo): string {
  if (info.type !== 'struct_ops') return info.progName ?? `id ${info.progId}`;
  let map: Fd;
  try {
    map = kernel.mapById(info.mapId);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return `map id ${info.mapId}`;
  }
  try {
    return kernel.mapInfo(map).name;
  } finally {
    kernel.close(map);
  }
}

function whyNotDetached({ type }: LinkInfo, error: unknown, pinPath: string | undefined): Reason | undefined {
  switch (errnoOf(error)) {
    case 'EOPNOTSUPP':
      return {
        why: `the kernel detaches no link of type ${type} while it is held`,
        hint:
          pinPath === undefined
            ? 'It ends when no process and no pin holds it'
            : 'It ends when no process and no pin holds it: unpin() and close()',
      };
    case 'EINVAL':
      return { why: 'kernels detach links while they are held since 5.9' };
    default:
      return undefined;
  }
}
