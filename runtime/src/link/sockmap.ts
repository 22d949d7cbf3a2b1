import type { Fd, Kernel, ProgQueryResult } from '../kernel/kernel.js';
import { BPF_ATTACH_TYPE, BPF_MAP_TYPE } from '../uapi.js';
import { type Attachment, attachError, cannotAttach, errnoOf, type Reason } from './attach-error.js';
import { HeldProgram } from './held-program.js';
import { whyRefused } from './privilege.js';
import { describeProgram } from './program-name.js';
import { failAfter, releaseAll } from './release.js';
import { readText } from './text.js';
import { type Hold, holdLink } from './updatable-link.js';

/** A program on its way to the sockets of a map. */
export interface SockmapAttachment extends Attachment {
  readonly kernel: Kernel;
  readonly prog: Fd;
  /** `enum bpf_attach_type`. */
  readonly attachType: number;
  /** A BPF_MAP_TYPE_SOCKMAP or BPF_MAP_TYPE_SOCKHASH. */
  readonly map: Fd;
  /** Take the place of a program that no bpf_link holds. */
  readonly replace: boolean;
}

const sockmaps: readonly string[] = ['SOCKMAP', 'SOCKHASH'];
/** The verdict attach types are two ways to one hook. */
const verdicts: readonly number[] = [BPF_ATTACH_TYPE.SK_SKB_STREAM_VERDICT, BPF_ATTACH_TYPE.SK_SKB_VERDICT];

/**
 * Attaches by bpf_link (Linux 6.10), as libbpf's bpf_program__attach_sockmap, on older kernels and with `replace` by
 * BPF_PROG_ATTACH (Linux 4.14).
 */
export function attachSockmap(attachment: SockmapAttachment): Hold {
  try {
    return (attachment.replace ? undefined : createLink(attachment)) ?? attachDirectly(attachment);
  } catch (error) {
    throw attachError(attachment, error, whyNot(attachment, error));
  }
}

function createLink({ kernel, prog, attachType, map }: SockmapAttachment): Hold | undefined {
  try {
    return holdLink(kernel, kernel.linkCreate({ prog, attachType, target: { fd: map } }));
  } catch (error) {
    // A kernel without such links, or no map of sockets: BPF_PROG_ATTACH tells them apart.
    if (errnoOf(error) !== 'EINVAL') throw error;
    return undefined;
  }
}

function attachDirectly(attachment: SockmapAttachment): Hold {
  const { kernel, prog, attachType, replace } = attachment;
  if (!replace) refuseToReplace(attachment);
  // The caller's may be closed, and its number be of another map, when this one detaches.
  const target = kernel.duplicate(attachment.map);
  try {
    kernel.progAttach({ target, prog, attachType });
  } catch (error) {
    failAfter(error, () => kernel.close(target));
  }
  const held = new HeldProgram(kernel, prog);
  return {
    update: (next, old) =>
      held.exchange(next, old, (own) => kernel.progAttach({ target, prog: own, attachType })),
    release: () => {
      try {
        kernel.progDetach({ target, prog: held.fd, attachType });
      } catch (error) {
        // Another program took its place.
        if (errnoOf(error) !== 'ENOENT') throw error;
      } finally {
        releaseAll(
          () => held.close(),
          () => kernel.close(target),
        );
      }
    },
  };
}

/** BPF_PROG_ATTACH replaces a program without a word; here it takes `replace`, as it takes a link to be detached. */
function refuseToReplace(attachment: SockmapAttachment): void {
  const reason = whyTaken(attachment, [attachment.attachType]);
  if (reason !== undefined) throw cannotAttach(attachment, 'EBUSY', reason);
}

function whyNot(attachment: SockmapAttachment, error: unknown): Reason | undefined {
  const { kernel, attachType } = attachment;
  switch (errnoOf(error)) {
    case 'EBUSY':
    case 'EEXIST':
      return whyTaken(attachment, verdicts.includes(attachType) ? verdicts : [attachType]);
    case 'EINVAL':
    case 'EBADF':
    case 'EOPNOTSUPP':
      return whyNoSockmap(attachment);
    case 'EPERM':
      return whyRefused(kernel, ['CAP_BPF', 'CAP_NET_ADMIN']);
    default:
      return undefined;
  }
}

function whyTaken(attachment: SockmapAttachment, attachTypes: readonly number[]): Reason | undefined {
  const { kernel } = attachment;
  const ids = attachTypes.flatMap((type) => ask(attachment, type)?.programs.map(({ id }) => id) ?? []);
  if (ids.length === 0) return undefined;
  return {
    why: `the map already has program ${ids.map((id) => describeProgram(kernel, id)).join(', ')} in this place`,
    hint: 'Detach it where it was attached; { replace: true } takes the place of one that no bpf_link holds',
  };
}

/** Undefined where the kernel cannot be asked (before 5.18), or not by this process. */
function ask({ kernel, map }: SockmapAttachment, attachType: number): ProgQueryResult | undefined {
  try {
    return kernel.progQuery({ target: { fd: map }, attachType });
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

/** What fdinfo says of the descriptor: bpf(2) describes any object of BPF, and does not say of which sort it is. */
function whyNoSockmap({ kernel, map }: SockmapAttachment): Reason | undefined {
  const facts = readText(kernel, `/proc/self/fdinfo/${map}`);
  if (facts === undefined) return undefined;
  const type = /^map_type:\s*(\d+)$/m.exec(facts)?.[1];
  if (type === undefined) return { why: `descriptor ${map} is not of a map` };
  const [name = type] = Object.entries(BPF_MAP_TYPE).find(([, value]) => value === Number(type)) ?? [];
  return sockmaps.includes(name)
    ? undefined
    : { why: `the map is a ${name}: sockets are in a SOCKMAP or a SOCKHASH` };
}
