import { deviceIndex, deviceName } from '../link/device.js';
import { type HookPrograms, queryHook } from '../link/hook.js';
import { attachNetkit } from '../link/netkit.js';
import type { OrderOptions } from '../link/order.js';
import { UpdatableLink } from '../link/updatable-link.js';
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { PacketProgram } from './packet-program.js';
import { kind } from './program.js';

/**
 * A program that sees what one end of a netkit pair sends to the other. `SEC("netkit/primary")` is for what the primary
 * device sends, `SEC("netkit/peer")` for what its peer does, usually in a container. Linux 6.7.
 */
export class NetkitProgram extends PacketProgram {
  /**
   * Attaches to a netkit pair, named by its primary device or the index of that: last, or where `options` say. Throws a
   * BpfError that says why not: no netkit device, the peer named instead of the primary, a kernel without netkit.
   */
  attach(device: string | number, options: OrderOptions = {}): UpdatableLink {
    const { kernel } = this.handle;
    const prog = this.fd;
    const ifindex = deviceIndex(kernel, this.name, 'netkit', device);
    const target = `${this.section.replace('/', ' ')} ${deviceName(kernel, ifindex)}`;
    const parts = { kernel, program: this.name, target };
    const hold = attachNetkit({ ...parts, prog, ifindex, attachType: this.#attachType, order: options });
    const link = new UpdatableLink(parts, hold);
    this.handle.own(link);
    return link;
  }

  /** The programs of the end that SEC() names, this one or others. Needs CAP_NET_ADMIN. */
  query(device: string | number): HookPrograms {
    const { kernel } = this.handle;
    return queryHook(kernel, deviceIndex(kernel, this.name, 'netkit', device), this.#attachType);
  }

  get #attachType(): number {
    const isPeer = this.section === 'netkit/peer';
    return isPeer ? BPF_ATTACH_TYPE.NETKIT_PEER : BPF_ATTACH_TYPE.NETKIT_PRIMARY;
  }
}

/** `SEC("netkit/primary")`, `SEC("netkit/peer")`. */
export const netkit = kind({
  kindName: 'netkit',
  sections: [
    { match: 'netkit/primary', type: BPF_PROG_TYPE.SCHED_CLS, attachType: BPF_ATTACH_TYPE.NETKIT_PRIMARY },
    { match: 'netkit/peer', type: BPF_PROG_TYPE.SCHED_CLS, attachType: BPF_ATTACH_TYPE.NETKIT_PEER },
  ],
  program: NetkitProgram,
});
