import type { Fd, Kernel } from '../kernel/kernel.js';
import {
  BPF_ATTACH_TYPE,
  XDP_FLAGS_DRV_MODE,
  XDP_FLAGS_HW_MODE,
  XDP_FLAGS_REPLACE,
  XDP_FLAGS_SKB_MODE,
  XDP_FLAGS_UPDATE_IF_NOEXIST,
} from '../uapi.js';
import { type Attachment, attachError, errnoOf, type Reason, refusal } from './attach-error.js';
import { deviceName } from './device.js';
import { HeldProgram } from './held-program.js';
import { whyRefused } from './privilege.js';
import { type AttachedProgram, describeProgram, programName } from './program-name.js';
import { releaseAll } from './release.js';
import { readText } from './text.js';
import { type Hold, holdLink } from './updatable-link.js';

/** Where in the packet's path an XDP program runs. */
export type XdpMode = 'native' | 'generic' | 'offload';

const modeFlags: Readonly<Record<XdpMode, number>> = {
  native: XDP_FLAGS_DRV_MODE,
  generic: XDP_FLAGS_SKB_MODE,
  offload: XDP_FLAGS_HW_MODE,
};

/** An XDP program that is on a device, by whomever. */
export interface AttachedXdp extends AttachedProgram {
  readonly mode: XdpMode;
}

/** A device an XDP program goes to. */
export interface XdpAttachment extends Attachment {
  readonly kernel: Kernel;
  readonly prog: Fd;
  readonly ifindex: number;
  readonly mode: XdpMode | undefined;
}

/**
 * Attaches by bpf_link (Linux 5.9), on older kernels by rtnetlink. Neither replaces a program that is there: that
 * takes `replaceXdp`.
 */
export function attachXdp(attachment: XdpAttachment): Hold {
  const { kernel, prog, ifindex, mode } = attachment;
  try {
    const fd = kernel.linkCreate({
      prog,
      attachType: BPF_ATTACH_TYPE.XDP,
      target: { ifindex },
      flags: mode === undefined ? 0 : modeFlags[mode],
    });
    return holdLink(kernel, fd);
  } catch (error) {
    if (errnoOf(error) !== 'EINVAL') throw attachError(attachment, error, whyNoXdp(attachment, error));
  }
  // EINVAL: a kernel without XDP links, or one that will say the same again.
  return setXdp(attachment, XDP_FLAGS_UPDATE_IF_NOEXIST, undefined);
}

/**
 * Puts the program in the place of whatever rtnetlink set before it (of `old` only, when given; Linux 5.7). A program
 * that a bpf_link holds cannot be replaced: the kernel answers EBUSY.
 */
export function replaceXdp(attachment: XdpAttachment, old: Fd | undefined): Hold {
  return setXdp(attachment, old === undefined ? 0 : XDP_FLAGS_REPLACE, old);
}

/** The programs of a device, as RTM_GETLINK tells them (bpf_xdp_query of libbpf): one for each mode that has one. */
export function queryXdp(kernel: Kernel, ifindex: number): AttachedXdp[] {
  try {
    return idsOf(kernel, ifindex).map(({ mode, id }) => ({ mode, id, name: programName(kernel, id) ?? '' }));
  } catch (error) {
    const gone = errnoOf(error) === 'ENODEV' ? { why: 'the device is gone' } : undefined;
    throw refusal(`query the XDP programs of ${deviceName(kernel, ifindex)}`, error, gone);
  }
}

function idsOf(kernel: Kernel, ifindex: number): { readonly mode: XdpMode; readonly id: number }[] {
  const query = kernel.xdpQuery(ifindex);
  return (['native', 'generic', 'offload'] as const)
    .map((mode) => ({ mode, id: query[mode] }))
    .filter(({ id }) => id !== 0);
}

function setXdp(attachment: XdpAttachment, flags: number, expected: Fd | undefined): Hold {
  const { kernel, prog, ifindex, mode } = attachment;
  const mine = mode === undefined ? 0 : modeFlags[mode];
  try {
    kernel.xdpSet(ifindex, prog, mine | flags, expected);
  } catch (error) {
    throw attachError(attachment, error, whyNoXdp(attachment, error));
  }
  const held = new HeldProgram(kernel, prog);
  return {
    update: (next, old) =>
      held.exchange(next, old, (own) => kernel.xdpSet(ifindex, own, mine | XDP_FLAGS_REPLACE, held.fd)),
    release: () =>
      releaseAll(
        () => clearXdp(kernel, ifindex, mine, held.fd),
        () => held.close(),
      ),
  };
}

/** Takes the program off, unless it is gone already: the device removed, or another program in its place. */
function clearXdp(kernel: Kernel, ifindex: number, mode: number, prog: Fd): void {
  try {
    kernel.xdpSet(ifindex, -1, mode | XDP_FLAGS_REPLACE, prog);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENODEV' || errno === 'EEXIST') return;
    // Before 5.7 the kernel does not compare for us.
    if (errno !== 'EINVAL') throw error;
    const { id } = kernel.progInfo(prog);
    if (idsOf(kernel, ifindex).some((there) => there.id === id)) kernel.xdpSet(ifindex, -1, mode);
  }
}

function whyNoXdp(attachment: XdpAttachment, error: unknown): Reason | undefined {
  const { kernel, mode } = attachment;
  switch (errnoOf(error)) {
    case 'EPERM':
      return whyRefused(kernel, ['CAP_NET_ADMIN']);
    case 'EBUSY':
    case 'EEXIST':
      return whyTaken(attachment);
    case 'ERANGE':
      return whyTooLarge(attachment);
    case 'EOPNOTSUPP':
      if (mode === 'generic') return undefined;
      return {
        why:
          mode === 'offload'
            ? "the device's driver does not offload XDP programs"
            : "the device's driver does not run XDP programs natively",
        hint: "Use { mode: 'generic' }, which every device has",
      };
    default:
      return undefined;
  }
}

function whyTaken({ kernel, ifindex }: XdpAttachment): Reason | undefined {
  const there = idsOf(kernel, ifindex).map(({ mode, id }) => `${describeProgram(kernel, id)} (${mode})`);
  if (there.length === 0) return undefined;
  const device = deviceName(kernel, ifindex);
  return {
    why: `${device} already runs XDP program ${there.join(' and ')}`,
    hint: `Detach it where it was attached, pass { replace: true }, or remove it: ip link set dev ${device} xdp off (bpftool link detach, when a bpf_link holds it)`,
  };
}

/** What drivers answer (veth, for its peer) when a packet would take more than one buffer. */
function whyTooLarge({ kernel, ifindex }: XdpAttachment): Reason {
  const name = kernel.ifname(ifindex);
  const mtu = name === undefined ? undefined : readText(kernel, `/sys/class/net/${name}/mtu`)?.trim();
  const shown = mtu === undefined || !/^\d+$/.test(mtu) ? '' : ` (its MTU is ${mtu})`;
  return {
    why: `packets of ${deviceName(kernel, ifindex)}${shown} or of its peer are too large for a program that takes them in one piece`,
    hint: 'Use SEC("xdp.frags") (Linux 5.18), a smaller MTU, or { mode: \'generic\' }',
  };
}
