import { printable } from '../errors.js';
import type { Fd, Kernel } from '../kernel/kernel.js';
import {
  BPF_ATTACH_TYPE,
  BPF_F_NETFILTER_IP_DEFRAG,
  kernelVersion,
  NETFILTER_FAMILY,
  NETFILTER_HOOK,
} from '../uapi.js';
import { type Attachment, attachError, cannotAttach, errnoOf, type Reason } from './attach-error.js';
import { Link } from './link.js';
import { whyRefused } from './privilege.js';

/** Packets of IPv4, or of IPv6. */
export type NetfilterFamily = keyof typeof NETFILTER_FAMILY;

/**
 * Where on a packet's way: all that arrive; those for this host; those passed on; those this host sends; all that leave
 * (NF_INET_PRE_ROUTING and so on).
 */
export type NetfilterHook = keyof typeof NETFILTER_HOOK;

const NF_IP_PRI_CONNTRACK_DEFRAG = -400;

/** A program on its way into netfilter. */
export interface NetfilterAttachment extends Attachment {
  readonly kernel: Kernel;
  readonly prog: Fd;
  readonly family: NetfilterFamily;
  readonly hook: NetfilterHook;
  readonly priority: number;
  readonly defrag: boolean;
}

/** Makes the bpf_link, as bpf_program__attach_netfilter of libbpf. */
export function attachNetfilter(attachment: NetfilterAttachment): Link {
  const { kernel, program, target, prog, family, hook, priority, defrag } = attachment;
  checkOptions(attachment);
  try {
    const fd = kernel.linkCreate({
      prog,
      attachType: BPF_ATTACH_TYPE.NETFILTER,
      options: {
        kind: 'netfilter',
        family: NETFILTER_FAMILY[family],
        hook: NETFILTER_HOOK[hook],
        priority,
        flags: defrag ? BPF_F_NETFILTER_IP_DEFRAG : 0,
      },
    });
    return new Link({ kernel, program, target, fd, release: () => kernel.close(fd) });
  } catch (error) {
    throw attachError(attachment, error, whyNoNetfilter(attachment, errnoOf(error)));
  }
}

/** For callers without types: zero would be another family, or another hook. */
function checkOptions(attachment: NetfilterAttachment): void {
  const { family, hook, priority } = attachment;
  const why = !Object.hasOwn(NETFILTER_FAMILY, family)
    ? `there is no family ${printable(String(family), 40)}; there are ipv4 and ipv6`
    : !Object.hasOwn(NETFILTER_HOOK, hook)
      ? `there is no hook ${printable(String(hook), 40)}; there are ${Object.keys(NETFILTER_HOOK).join(', ')}`
      : priority !== (priority | 0)
        ? `priority ${priority} is no number of 32 bits`
        : undefined;
  if (why !== undefined) throw cannotAttach(attachment, 'ERR_BPF_ARGUMENT', { why });
}

/** After bpf_nf_check_pf_and_hooks and nf_hook_entries_grow of the kernel. */
function whyNoNetfilter(attachment: NetfilterAttachment, errno: string | undefined): Reason | undefined {
  const { kernel, priority, defrag, family } = attachment;
  switch (errno) {
    case 'EPERM':
      return whyRefused(kernel, ['CAP_NET_ADMIN']);
    case 'EBUSY':
      return {
        why: `a BPF program with priority ${priority} is there already, and each has its own`,
        hint: 'Use another priority: lower ones run first',
      };
    case 'ERANGE':
      return defrag && priority <= NF_IP_PRI_CONNTRACK_DEFRAG
        ? {
            why: `priority ${priority} is before packets are put together, which is at -400, so { defrag } means nothing`,
          }
        : { why: `priority ${priority} is kept for the kernel itself` };
    case 'EAFNOSUPPORT':
      return {
        why: `this kernel does not put ${family} packets together for programs (CONFIG_NF_DEFRAG_${family.toUpperCase()})`,
        unsupported: { feature: 'defrag' },
      };
    case 'EOPNOTSUPP':
      return defrag && kernel.version < kernelVersion(6, 6)
        ? {
            why: `{ defrag } came with Linux 6.6 and this is ${kernel.release}`,
            unsupported: { feature: 'defrag', since: '6.6' },
          }
        : undefined;
    case 'ENOENT':
    case 'EINVAL':
      return whyInvalid(attachment);
    default:
      return undefined;
  }
}

function whyInvalid({ kernel, family, defrag }: NetfilterAttachment): Reason | undefined {
  if (kernel.version < kernelVersion(6, 4)) {
    return {
      why: `netfilter programs came with Linux 6.4 and this is ${kernel.release}`,
      unsupported: { feature: 'netfilter', since: '6.4' },
    };
  }
  if (!defrag) return undefined;
  const module = family === 'ipv4' ? 'nf_defrag_ipv4' : 'nf_defrag_ipv6';
  return {
    why: `the kernel could not load its module ${module}, which puts packets together`,
    hint: `Load it: modprobe ${module}`,
  };
}
