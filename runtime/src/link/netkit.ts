import type { Fd, Kernel } from '../kernel/kernel.js';
import { BPF_ATTACH_TYPE, kernelVersion } from '../uapi.js';
import type { Reason } from './attach-error.js';
import { deviceName } from './device.js';
import { attachHook, hasHook } from './hook.js';
import type { OrderOptions } from './order.js';
import type { Hold } from './updatable-link.js';

/** A program on its way to a netkit device. */
export interface NetkitAttachment {
  readonly kernel: Kernel;
  readonly prog: Fd;
  readonly program: string;
  readonly target: string;
  readonly ifindex: number;
  /** `enum bpf_attach_type`. */
  readonly attachType: number;
  readonly order: OrderOptions;
}

export function attachNetkit(attachment: NetkitAttachment): Hold {
  return attachHook({ ...attachment, whyNot: (errno) => whyNoNetkit(attachment, errno) });
}

function whyNoNetkit({ kernel, ifindex }: NetkitAttachment, errno: string | undefined): Reason | undefined {
  const device = deviceName(kernel, ifindex);
  switch (errno) {
    case 'EINVAL':
      if (hasHook(kernel, ifindex, BPF_ATTACH_TYPE.NETKIT_PRIMARY, kernelVersion(6, 7))) return undefined;
      return {
        why: `this kernel has no netkit devices; they came with Linux 6.7 (CONFIG_NETKIT) and this is ${kernel.release}`,
        unsupported: { feature: 'netkit', since: '6.7' },
      };
    case 'ENXIO':
      return {
        why: `${device} is not a netkit device`,
        hint: 'A program in SEC("tc/ingress") or SEC("tcx/ingress") goes to any device',
      };
    case 'EACCES':
      return {
        why: `${device} is the peer of a netkit pair, and its programs are attached through the primary device`,
        hint: 'Name the primary device, in its network namespace; SEC("netkit/peer") programs go to the peer from there',
      };
    default:
      return undefined;
  }
}
