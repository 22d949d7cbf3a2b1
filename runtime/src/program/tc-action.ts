import type { TcDirection } from '../kernel/kernel.js';
import { deviceIndex } from '../link/device.js';
import { Link } from '../link/link.js';
import { attachFilter, filterTarget } from '../link/tc-filter.js';
import { BPF_PROG_TYPE } from '../uapi.js';
import { PacketProgram } from './packet-program.js';
import { kind } from './program.js';

/** How {@link TcActionProgram.attach} attaches. */
export interface TcActionOptions {
  /** Packets the device receives, or those it sends. */
  readonly direction: TcDirection;
  /** Of the filter, 1 to 65535: lower ones run first. Absent: the kernel chooses, ahead of those there are. */
  readonly priority?: number;
}

/** A program that is the action of a filter, and not the filter itself. `SEC("action")`, Linux 4.1. */
export class TcActionProgram extends PacketProgram {
  /**
   * Makes a filter of a network device that every packet matches (`matchall`, Linux 4.8), with the program as its action,
   * as `tc filter add dev eth0 ingress matchall action bpf`. The kernel holds it: it stays on the device when the process
   * dies without detaching. libbpf has no function for this.
   */
  attach(device: string | number, options: TcActionOptions): Link {
    const { kernel } = this.handle;
    const prog = this.fd;
    const ifindex = deviceIndex(kernel, this.name, 'tc', device);
    const filter = { kernel, prog, program: this.name, ifindex, as: 'action', ...options } as const;
    const hold = attachFilter(filter);
    const target = filterTarget({ ...filter, priority: hold.priority, handle: hold.handle });
    return this.handle.own(new Link({ kernel, program: this.name, target, release: () => hold.release() }));
  }
}

/** `SEC("action")`. */
export const tcAction = kind({
  kindName: 'tcAction',
  sections: [{ match: 'action', type: BPF_PROG_TYPE.SCHED_ACT }],
  program: TcActionProgram,
});
