import type { Fd, Kernel, ProgQueryResult } from '../kernel/kernel.js';
import { type Attachment, attachError, attachedAlready, errnoOf, type Reason } from './attach-error.js';
import { type OrderOptions, placeOf } from './order.js';
import { whyRefused } from './privilege.js';
import { programName } from './program-name.js';
import { type Hold, holdLink } from './updatable-link.js';

/** A program on a hook, as a query tells it. */
export interface HookProgram {
  readonly id: number;
  /** As the kernel has it, cut after 15 characters; empty when this process may not open the program. */
  readonly name: string;
  /** The bpf_link that holds it; undefined when none does. */
  readonly linkId: number | undefined;
}

/** The programs on one hook of a device. */
export interface HookPrograms {
  /** Goes up with every change, for `expectedRevision`; 1 when there never was a program. */
  readonly revision: bigint;
  /** In the order they run. */
  readonly programs: readonly HookProgram[];
}

/** A program on its way to a hook of a device that takes several, each with its place: tcx, netkit. */
export interface HookAttachment extends Attachment {
  readonly kernel: Kernel;
  readonly prog: Fd;
  readonly ifindex: number;
  /** `enum bpf_attach_type`. */
  readonly attachType: number;
  readonly order: OrderOptions;
  /** Why this hook refuses, where that is its own affair. */
  readonly whyNot: (errno: string | undefined) => Reason | undefined;
}

/** Makes the bpf_link, as bpf_program__attach_tcx and bpf_program__attach_netkit of libbpf do. */
export function attachHook(attachment: HookAttachment): Hold {
  const { kernel, prog, ifindex, attachType, order } = attachment;
  const { flags, ...place } = placeOf(attachment, order);
  try {
    const fd = kernel.linkCreate({
      prog,
      attachType,
      target: { ifindex },
      flags,
      options: { kind: 'ordered', ...place },
    });
    return holdLink(kernel, fd);
  } catch (error) {
    throw attachError(attachment, error, whyNotHooked(attachment, error));
  }
}

/** The programs of a hook, and what they are called. Throws as the kernel refuses; a device without any is no refusal. */
export function queryHook(kernel: Kernel, ifindex: number, attachType: number): HookPrograms {
  const { revision, programs } = askHook(kernel, ifindex, attachType);
  return {
    revision,
    programs: programs.map(({ id, linkId }) => ({
      id,
      name: programName(kernel, id) ?? '',
      linkId: linkId === 0 ? undefined : linkId,
    })),
  };
}

function askHook(kernel: Kernel, ifindex: number, attachType: number): ProgQueryResult {
  try {
    return kernel.progQuery({ target: { ifindex }, attachType });
  } catch (error) {
    // Before 6.12 a hook that never had a program is not there.
    if (errnoOf(error) === 'ENOENT') return { flags: 0, revision: 1n, programs: [] };
    throw error;
  }
}

/** False when the kernel does not know the hook: it is too old, or was built without. */
export function hasHook(kernel: Kernel, ifindex: number, attachType: number, since: number): boolean {
  try {
    askHook(kernel, ifindex, attachType);
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    // Whoever may not ask can only go by the version.
    return errno === 'EPERM' ? kernel.version >= since : errno !== 'EINVAL';
  }
}

function whyNotHooked(attachment: HookAttachment, error: unknown): Reason | undefined {
  const { kernel, order, whyNot } = attachment;
  const errno = errnoOf(error);
  switch (errno) {
    case 'EPERM':
      return whyRefused(kernel, ['CAP_NET_ADMIN']);
    case 'EEXIST':
      return attachedAlready;
    case 'ENOENT':
      return { why: 'the program to go next to is not there' };
    case 'ERANGE':
      return { why: 'there are as many programs as this hook can have (64)' };
    case 'ESTALE':
      return whyStale(attachment, order);
    default:
      return whyNot(errno);
  }
}

function whyStale(
  { kernel, ifindex, attachType }: HookAttachment,
  { expectedRevision }: OrderOptions,
): Reason {
  const { revision } = askHook(kernel, ifindex, attachType);
  return {
    why: `the programs there are others by now: they are of revision ${revision}, not ${expectedRevision}`,
    hint: 'Query them again',
  };
}
