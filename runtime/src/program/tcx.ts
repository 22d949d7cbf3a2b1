import { deviceIndex } from '../link/device.js';
import type { HookPrograms } from '../link/hook.js';
import type { OrderOptions } from '../link/order.js';
import { queryTcx } from '../link/tcx.js';
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { PacketProgram } from './packet-program.js';
import { kind } from './program.js';
import { directionOf, linkTcx, type TcLink } from './tc-link.js';

/** A program that is attached to tcx hooks only. `SEC("tcx/ingress")`, `SEC("tcx/egress")`, Linux 6.6. */
export class TcxProgram extends PacketProgram {
  /**
   * Attaches to the packets of a network device that SEC() names, by a bpf_link: last, or where `options` say. Kernels
   * before 6.6 refuse with a NotSupportedError; a program in `SEC("tc/ingress")` works there too.
   *
   * @example using link = skel.progs.first.attach('eth0', { before: 'all' });
   */
  attach(device: string | number, options: OrderOptions = {}): TcLink {
    const { kernel } = this.handle;
    const prog = this.fd;
    const ifindex = deviceIndex(kernel, this.name, 'tcx', device);
    const direction = directionOf(this.section);
    const link = linkTcx({ kernel, program: this.name, prog, ifindex, direction }, options);
    this.handle.own(link);
    return link;
  }

  /** The programs on the hook of a device that SEC() names, this one or others. Needs CAP_NET_ADMIN. */
  query(device: string | number): HookPrograms {
    const { kernel } = this.handle;
    return queryTcx(kernel, deviceIndex(kernel, this.name, 'tcx', device), directionOf(this.section));
  }
}

/** `SEC("tcx/ingress")`, `SEC("tcx/egress")`. */
export const tcx = kind({
  kindName: 'tcx',
  sections: [
    { match: 'tcx/ingress', type: BPF_PROG_TYPE.SCHED_CLS, attachType: BPF_ATTACH_TYPE.TCX_INGRESS },
    { match: 'tcx/egress', type: BPF_PROG_TYPE.SCHED_CLS, attachType: BPF_ATTACH_TYPE.TCX_EGRESS },
  ],
  program: TcxProgram,
});
