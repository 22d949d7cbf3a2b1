import type { Kernel, TcDirection, TcFilter } from '../kernel/kernel.js';
import { cannotAttach } from '../link/attach-error.js';
import { deviceIndex } from '../link/device.js';
import type { HookPrograms } from '../link/hook.js';
import { isOrdered, type OrderOptions } from '../link/order.js';
import { hasTcx, queryTcx, tcxTarget } from '../link/tcx.js';
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { PacketProgram } from './packet-program.js';
import { kind, type Program } from './program.js';
import { directionOf, linkFilter, linkTcx, type TcLink } from './tc-link.js';

/** How {@link TcDirectedProgram.attach} attaches. */
export interface TcHookOptions extends OrderOptions {
  /**
   * `tcx`: by a bpf_link (Linux 6.6), which ends with the process unless it is pinned. `clsact`: in a filter of the
   * clsact qdisc, as `tc filter add dev eth0 ingress bpf direct-action`; it stays on the device when the process dies
   * without detaching. Absent: `clsact` when `priority`, `handle` or `replace` is given, since these are of filters;
   * otherwise tcx where the kernel has it, and clsact where not. Packets pass tcx programs before filters.
   */
  readonly via?: 'tcx' | 'clsact';
  /** Of a filter, 1 to 65535: lower ones run first. Absent: the kernel chooses, ahead of those there are. */
  readonly priority?: number;
  /** Of a filter: tells those of one priority apart. Absent: the kernel chooses. */
  readonly handle?: number;
  /** Puts the program in the place of the filter with this priority and handle, which does not come back on detach. */
  readonly replace?: boolean;
}

/** How {@link TcProgram.attach} attaches. */
export interface TcOptions extends TcHookOptions {
  /** Packets the device receives, or those it sends. */
  readonly direction: TcDirection;
}

/** What traffic control runs for the packets of one device in one direction. */
export interface TcPrograms {
  /** The programs on the tcx hook, which come first; undefined where the kernel has none (before Linux 6.6). */
  readonly tcx: HookPrograms | undefined;
  /** The filters of the clsact or ingress qdisc, in the order of their priorities. */
  readonly filters: readonly TcFilter[];
}

/** A program that sees the packets a device receives or sends, and decides about them. `SEC("tc")`, Linux 4.1. */
export class TcProgram extends PacketProgram {
  /**
   * Attaches to a network device, by name or index: as a tcx link where the kernel has tcx (Linux 6.6), else as a filter
   * of the clsact qdisc (Linux 4.5), which is made when there is none, and removed again with its last filter. See
   * {@link TcHookOptions.via}. Programs decide alike in both: TC_ACT_UNSPEC (-1) asks the next one, TC_ACT_OK and
   * TC_ACT_SHOT do not.
   *
   * Throws a BpfError that says why not: no such device, a filter in the way, an `ingress` qdisc, a missing capability.
   *
   * @example using link = skel.progs.count_packets.attach('eth0', { direction: 'ingress' });
   */
  attach(device: string | number, options: TcOptions): TcLink {
    const { direction, ...rest } = options;
    const link = attachTc(this, this.handle.kernel, device, direction, rest);
    this.handle.own(link);
    return link;
  }

  /** What runs for the packets of a device, this program or others. Needs CAP_NET_ADMIN. */
  query(device: string | number, direction: TcDirection): TcPrograms {
    return queryTc(this.name, this.handle.kernel, device, direction);
  }
}

/** `SEC("tc")`, and `SEC("classifier")`, its older name. */
export const tc = kind({
  kindName: 'tc',
  sections: [
    { match: 'tc', type: BPF_PROG_TYPE.SCHED_CLS },
    { match: 'classifier', type: BPF_PROG_TYPE.SCHED_CLS },
  ],
  program: TcProgram,
});

/** A {@link TcProgram} whose SEC() says which packets: `SEC("tc/ingress")`, `SEC("tc/egress")`. */
export class TcDirectedProgram extends PacketProgram {
  /** Attaches as {@link TcProgram.attach}, to the packets that SEC() names. */
  attach(device: string | number, options: TcHookOptions = {}): TcLink {
    const link = attachTc(this, this.handle.kernel, device, directionOf(this.section), options);
    this.handle.own(link);
    return link;
  }

  /** What runs for the packets of a device that SEC() names, this program or others. Needs CAP_NET_ADMIN. */
  query(device: string | number): TcPrograms {
    return queryTc(this.name, this.handle.kernel, device, directionOf(this.section));
  }
}

/** `SEC("tc/ingress")`, `SEC("tc/egress")`. */
export const tcDirected = kind({
  kindName: 'tcDirected',
  sections: [
    { match: 'tc/ingress', type: BPF_PROG_TYPE.SCHED_CLS, attachType: BPF_ATTACH_TYPE.TCX_INGRESS },
    { match: 'tc/egress', type: BPF_PROG_TYPE.SCHED_CLS, attachType: BPF_ATTACH_TYPE.TCX_EGRESS },
  ],
  program: TcDirectedProgram,
});

function attachTc(
  { name: program, fd: prog }: Pick<Program, 'name' | 'fd'>,
  kernel: Kernel,
  device: string | number,
  direction: TcDirection,
  options: TcHookOptions,
): TcLink {
  const ifindex = deviceIndex(kernel, program, 'tc', device);
  const { priority, handle, replace, via, ...order } = options;
  const isFilter = priority !== undefined || handle !== undefined || replace === true;
  const refuse = (why: string): never => {
    const target = tcxTarget(kernel, ifindex, direction).replace('tcx', 'tc');
    throw cannotAttach({ program, target }, 'ERR_BPF_ARGUMENT', { why });
  };
  if (isOrdered(order) && (isFilter || via === 'clsact')) {
    refuse('before, after and expectedRevision are of tcx; the order of filters is their priority');
  }
  if (isFilter && via === 'tcx') {
    refuse('priority, handle and replace are of filters; before and after tell the order of tcx programs');
  }
  const attachment = { kernel, program, prog, ifindex, direction };
  const isTcx = via === 'tcx' || isOrdered(order);
  if (isTcx || (via === undefined && !isFilter && hasTcx(kernel, ifindex))) return linkTcx(attachment, order);
  return linkFilter(attachment, {
    ...(priority === undefined ? {} : { priority }),
    ...(handle === undefined ? {} : { handle }),
    ...(replace === undefined ? {} : { replace }),
  });
}

function queryTc(
  program: string,
  kernel: Kernel,
  device: string | number,
  direction: TcDirection,
): TcPrograms {
  const ifindex = deviceIndex(kernel, program, 'tc', device);
  return {
    tcx: hasTcx(kernel, ifindex) ? queryTcx(kernel, ifindex, direction) : undefined,
    filters: kernel.filterQuery(ifindex, direction),
  };
}
