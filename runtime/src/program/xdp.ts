import { deviceIndex, deviceName } from '../link/device.js';
import { UpdatableLink } from '../link/updatable-link.js';
import { type AttachedXdp, attachXdp, queryXdp, replaceXdp, type XdpMode } from '../link/xdp.js';
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { kind, Program } from './program.js';
import { injectXdp, runXdp, type XdpInjection, type XdpRun, type XdpRunResult } from './xdp-run.js';

/** How {@link XdpProgram.attach} attaches. */
export interface XdpOptions {
  /** Absent: the kernel chooses native where the driver has it, else generic. */
  readonly mode?: XdpMode;
  /**
   * Takes the place of a program that is there (set by `ip link`, not held by a bpf_link): of any with `true`, only of
   * this one otherwise. The program before it does not come back on detach.
   */
  readonly replace?: boolean | XdpProgram;
}

/** One XDP program on one device. */
export class XdpLink extends UpdatableLink {}

/** A program that sees packets as a device receives them. `SEC("xdp")`, Linux 4.8. */
export class XdpProgram extends Program {
  /**
   * Attaches to a network device, by name or index. Throws a BpfError that says why not: no such device, another XDP
   * program in the way, a driver without native mode, a missing capability.
   *
   * On kernels before 5.9 (and with `replace`) the program stays on the device when the process dies without
   * detaching.
   *
   * @example using link = skel.progs.count_packets.attach('eth0', { mode: 'generic' });
   */
  attach(device: string | number, options: XdpOptions = {}): XdpLink {
    const { kernel } = this.handle;
    const { mode, replace = false } = options;
    const prog = this.fd;
    const ifindex = deviceIndex(kernel, this.name, 'xdp', device);
    const shown = deviceName(kernel, ifindex);
    const target = `xdp ${shown}${mode === undefined ? '' : ` (${mode})`}`;
    const attachment = { kernel, prog, program: this.name, target, ifindex, mode };
    const hold =
      replace === false
        ? attachXdp(attachment)
        : replaceXdp(attachment, replace === true ? undefined : replace.fd);
    const link = new XdpLink({ kernel, program: this.name, target }, hold);
    this.handle.own(link);
    return link;
  }

  /**
   * The XDP programs on a device, this one or others: one for each mode that has one, which is one at most unless the
   * device's hardware runs one beside. Linux 4.12. Throws a BpfError when there is no such device.
   *
   * @example skel.progs.count_packets.query('eth0'); // [{ mode: 'native', id: 17, name: 'count_packets' }]
   */
  query(device: string | number): readonly AttachedXdp[] {
    const { kernel } = this.handle;
    return queryXdp(kernel, deviceIndex(kernel, this.name, 'xdp', device));
  }

  /**
   * Runs the program on a packet, without attaching it; nothing is sent. Linux 4.12.
   *
   * @example expect(skel.progs.firewall.run(packet).action).toBe('XDP_DROP');
   */
  run(packet: Uint8Array, options?: XdpRun): XdpRunResult {
    return runXdp(this.runnable(), packet, options);
  }

  /**
   * Lets packets go through the program for real, without attaching it: as if a device had received them, they are then
   * dropped, handed to the network stack, or sent. Linux 5.18.
   */
  inject(packet: Uint8Array, options?: XdpInjection): void {
    injectXdp(this.runnable(), packet, options);
  }
}

const { XDP } = BPF_PROG_TYPE;

/** `SEC("xdp")`; `SEC("xdp.frags")` for packets in several buffers (Linux 5.18). */
export const xdp = kind({
  kindName: 'xdp',
  sections: [
    { match: 'xdp.frags', type: XDP, attachType: BPF_ATTACH_TYPE.XDP, frags: true },
    { match: 'xdp', type: XDP, attachType: BPF_ATTACH_TYPE.XDP, attachTypeOptional: true },
  ],
  program: XdpProgram,
});
