import { BpfError, printable } from '../errors.js';
import { ERRNO } from '../kernel/errno.js';
import type { Fd, Kernel } from '../kernel/kernel.js';
import { BPF_ATTACH_TYPE, BPF_F_LINK } from '../uapi.js';
import { type Attachment, attachError, errnoOf, type Reason, refusal } from './attach-error.js';
import { Link, type LinkParts } from './link.js';
import { assertScheduling, SCHEDULER, whyNoScheduler, whyNoSuchScheduler } from './sched-ext.js';

/** A struct_ops map to register with its subsystem. */
export interface StructOpsAttachment {
  readonly kernel: Kernel;
  /** The map's C name. */
  readonly name: string;
  /** Name of the kernel's struct: `tcp_congestion_ops`. */
  readonly type: string;
  readonly map: Fd;
  /** BPF_F_* the map was created with. */
  readonly flags: number;
  /** The kernel's struct, with the descriptors of its programs. */
  readonly value: Uint8Array;
}

/** What a link can be given in the place of its map: a struct_ops map of the same type. */
export interface Registrable {
  readonly name: string;
  readonly registration: { readonly fd: Fd; readonly value: Uint8Array } | undefined;
}

/** A struct_ops map that is registered. */
export class StructOpsLink extends Link {
  readonly #kernel: Kernel;

  constructor(parts: LinkParts) {
    super(parts);
    this.#kernel = parts.kernel;
  }

  /**
   * Puts another map of the same struct_ops in this one's place, without a moment in which neither is registered. Both are
   * of `SEC(".struct_ops.link")`; a congestion control keeps its name. Linux 6.4. As libbpf's bpf_link__update_map.
   *
   * @throws BpfError that says why not: a map of another struct_ops, another one than expected, a subsystem that exchanges
   *   nothing
   */
  update(map: Registrable, options?: StructOpsUpdate): void {
    updateStructOps(this.#kernel, this.bpfLink('update'), this.program, map, options);
    this.renamed(map.name);
  }
}

/** How a struct_ops map takes the place of another. */
export interface StructOpsUpdate {
  /** Only while this map is registered by the link: EPERM when somebody exchanged it meanwhile. */
  readonly expected?: { readonly fd: Fd };
}

/** BPF_LINK_UPDATE of a struct_ops link. */
export function updateStructOps(
  kernel: Kernel,
  link: Fd,
  running: string,
  map: Registrable,
  { expected }: StructOpsUpdate = {},
): void {
  const head = `update link of "${printable(running)}" to "${printable(map.name)}"`;
  const { registration } = map;
  // To write the value of another map would register it, for ever.
  if (registration === undefined) throw new BpfError('EINVAL', `${head}: ${unfit}`, { errno: ERRNO.EINVAL });
  try {
    register(kernel, registration.fd, registration.value);
    if (expected === undefined) kernel.linkUpdate(link, registration.fd);
    else kernel.linkUpdate(link, registration.fd, expected.fd);
  } catch (error) {
    throw refusal(head, error, whyNotUpdated(error, expected !== undefined));
  }
}

/**
 * Registers a struct_ops map: writing its value does (Linux 5.6), or a bpf_link for those of `.struct_ops.link` (6.4).
 * As libbpf's bpf_map__attach_struct_ops.
 */
export function attachStructOps({
  kernel,
  name,
  type,
  map,
  flags,
  value,
}: StructOpsAttachment): StructOpsLink {
  const attachment: Attachment = { program: name, target: 'struct_ops' };
  const link = (flags & BPF_F_LINK) !== 0 ? linked() : registered();
  try {
    if (type === SCHEDULER) assertScheduling(kernel, attachment);
  } catch (error) {
    link.detach();
    throw error;
  }
  return link;

  function linked(): StructOpsLink {
    tried('value', () => register(kernel, map, value));
    const fd = tried('link', () => kernel.linkCreate({ prog: map, attachType: BPF_ATTACH_TYPE.STRUCT_OPS }));
    return new StructOpsLink({ kernel, ...attachment, fd, release: () => kernel.close(fd) });
  }

  function registered(): StructOpsLink {
    const key = new Uint8Array(4);
    tried('both', () => kernel.mapUpdate(map, key, value));
    return new StructOpsLink({ kernel, ...attachment, release: () => void kernel.mapDelete(map, key) });
  }

  function tried<T>(step: Step, call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw attachError(attachment, error, whyNot(kernel, type, step, error));
    }
  }
}

/** The value of a map that links hold is written once, before its first link: EBUSY says that it was. */
function register(kernel: Kernel, map: Fd, value: Uint8Array): void {
  try {
    kernel.mapUpdate(map, new Uint8Array(4), value);
  } catch (error) {
    if (errnoOf(error) !== 'EBUSY') throw error;
  }
}

/** What the kernel refused: the value of a map, the link that registers it, or a value that registers itself. */
type Step = 'value' | 'link' | 'both';

function whyNot(kernel: Kernel, type: string, step: Step, error: unknown): Reason | undefined {
  const errno = errnoOf(error);
  if (type === SCHEDULER) {
    const running = step === 'value' ? undefined : whyNoScheduler(kernel, errno);
    const reason = running ?? (step === 'link' ? undefined : whyNoSuchScheduler(errno));
    if (reason !== undefined) return reason;
  }
  switch (errno) {
    case 'EEXIST':
      return { why: 'something of its name is registered already' };
    case 'EBUSY':
      return step !== 'both'
        ? undefined
        : {
            why: 'it is registered, or was: a map of SEC(".struct_ops") is registered once',
            hint: 'Declare it in SEC(".struct_ops.link") (Linux 6.4)',
          };
    default:
      return undefined;
  }
}

const unfit = 'the kernel takes a map of the same struct_ops, of SEC(".struct_ops.link"), with the same name';

function whyNotUpdated(error: unknown, isExpecting: boolean): Reason | undefined {
  switch (errnoOf(error)) {
    case 'EINVAL':
      return { why: unfit };
    case 'EPERM':
      return isExpecting ? { why: 'the link registers another map than the one expected' } : undefined;
    case 'EOPNOTSUPP':
      return { why: 'its subsystem exchanges nothing while it is registered' };
    default:
      return undefined;
  }
}
