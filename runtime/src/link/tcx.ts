import type { Fd, Kernel, TcDirection } from '../kernel/kernel.js';
import { BPF_ATTACH_TYPE, kernelVersion } from '../uapi.js';
import type { Reason } from './attach-error.js';
import { deviceName } from './device.js';
import { attachHook, type HookPrograms, hasHook, queryHook } from './hook.js';
import type { OrderOptions } from './order.js';
import type { Hold } from './updatable-link.js';

/** A program on its way to the tcx hook of a device. */
export interface TcxAttachment {
  readonly kernel: Kernel;
  readonly prog: Fd;
  readonly program: string;
  readonly ifindex: number;
  readonly direction: TcDirection;
  readonly order: OrderOptions;
}

const attachTypes: Readonly<Record<TcDirection, number>> = {
  ingress: BPF_ATTACH_TYPE.TCX_INGRESS,
  egress: BPF_ATTACH_TYPE.TCX_EGRESS,
};

/** Whether this kernel has tcx (Linux 6.6, CONFIG_NET_XGRESS), asked of a device. */
export function hasTcx(kernel: Kernel, ifindex: number): boolean {
  return hasHook(kernel, ifindex, attachTypes.ingress, kernelVersion(6, 6));
}

export function tcxTarget(kernel: Kernel, ifindex: number, direction: TcDirection): string {
  return `tcx ${deviceName(kernel, ifindex)} ${direction}`;
}

export function attachTcx(attachment: TcxAttachment): Hold {
  const { kernel, ifindex, direction } = attachment;
  return attachHook({
    ...attachment,
    target: tcxTarget(kernel, ifindex, direction),
    attachType: attachTypes[direction],
    whyNot: (errno) => (errno === 'EINVAL' ? whyNoTcx(kernel, ifindex) : undefined),
  });
}

export function queryTcx(kernel: Kernel, ifindex: number, direction: TcDirection): HookPrograms {
  return queryHook(kernel, ifindex, attachTypes[direction]);
}

function whyNoTcx(kernel: Kernel, ifindex: number): Reason | undefined {
  if (hasTcx(kernel, ifindex)) return undefined;
  return {
    why: `this kernel has no tcx; it came with Linux 6.6 (CONFIG_NET_XGRESS) and this is ${kernel.release}`,
    hint: 'A program in SEC("tc") is attached to the clsact qdisc on such kernels',
    unsupported: { feature: 'tcx', since: '6.6' },
  };
}
