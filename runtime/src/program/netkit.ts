import { deviceIndex, deviceName } from '../link/device.js';
import { type HookPrograms, type LinkHold, queryHook } from '../link/hook.js';
import { Link, type LinkParts } from '../link/link.js';
import { attachNetkit } from '../link/netkit.js';
import type { OrderOptions } from '../link/order.js';
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { kind, Program } from './program.js';

/** One program on one end of a netkit pair. */
export class NetkitLink extends Link {
  readonly #hold: LinkHold;

  constructor(parts: LinkParts, hold: LinkHold) {
    super(parts);
    this.#hold = hold;
  }

  /** Exchanges the program without a packet in between that sees none, or both. */
  update(program: { readonly fd: number }): void {
    this.assertAttached('update');
    this.#hold.update(program.fd);
  }
}

/**
 * A program that sees what one end of a netkit pair sends to the other. `SEC("netkit/primary")` is for what the primary
 * device sends, `SEC("netkit/peer")` for what its peer does, usually in a container. Linux 6.7.
 */
export class NetkitProgram extends Program {
  /**
   * Attaches to a netkit pair, named by its primary device or the index of that: last, or where `options` say. Throws a
   * BpfError that says why not: no netkit device, the peer named instead of the primary, a kernel without netkit.
   */
  attach(device: string | number, options: OrderOptions = {}): NetkitLink {
    const { kernel } = this.handle;
    const prog = this.fd;
    const ifindex = deviceIndex(kernel, this.name, 'netkit', device);
    const target = `${this.section.replace('/', ' ')} ${deviceName(kernel, ifindex)}`;
    const parts = { kernel, program: this.name, target };
    const hold = attachNetkit({ ...parts, prog, ifindex, attachType: this.#attachType, order: options });
    const link = new NetkitLink({ ...parts, fd: hold.fd, release: hold.release }, hold);
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
