import type { Link } from '../link/link.js';
import { attachNetfilter, type NetfilterFamily, type NetfilterHook } from '../link/netfilter.js';
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { type NetfilterRun, type NetfilterRunResult, runNetfilter } from './netfilter-run.js';
import { kind, Program } from './program.js';

/** How {@link NetfilterProgram.attach} attaches. */
export interface NetfilterOptions {
  readonly family: NetfilterFamily;
  readonly hook: NetfilterHook;
  /**
   * Lower ones run first: -300 is before conntrack's, -150 mangles, 0 filters, 100 is source NAT. 0 when absent. One BPF
   * program has one priority for itself.
   */
  readonly priority?: number;
  /** The program gets packets whole, not their fragments; its priority must be above -400. Linux 6.6. */
  readonly defrag?: boolean;
}

/** A program that accepts (NF_ACCEPT, 1) or drops (NF_DROP, 0) packets beside iptables and nftables. `SEC("netfilter")`, Linux 6.4. */
export class NetfilterProgram extends Program {
  /**
   * Attaches to a hook of this network namespace. Throws a BpfError that says why not: another BPF program with this
   * priority, a priority the kernel keeps, a kernel that is too old.
   *
   * @example skel.progs.check.attach({ family: 'ipv4', hook: 'input', priority: -10 });
   */
  attach({ family, hook, priority = 0, defrag = false }: NetfilterOptions): Link {
    return this.handle.own(
      attachNetfilter({
        kernel: this.handle.kernel,
        prog: this.fd,
        program: this.name,
        target: `netfilter ${family} ${hook} priority ${priority}`,
        family,
        hook,
        priority,
        defrag,
      }),
    );
  }

  /**
   * Runs the program on an IPv4 or IPv6 packet that begins with its IP header, without attaching it; nothing is sent.
   * Linux 6.4. Throws a BpfError when the packet is too short.
   *
   * @example expect(skel.progs.check.run(packet, { hook: 'input' }).verdict).toBe('NF_DROP');
   */
  run(packet: Uint8Array, options?: NetfilterRun): NetfilterRunResult {
    return runNetfilter(this.runnable(), packet, options);
  }
}

/** `SEC("netfilter")`. */
export const netfilter = kind({
  kindName: 'netfilter',
  sections: [{ match: 'netfilter', type: BPF_PROG_TYPE.NETFILTER, attachType: BPF_ATTACH_TYPE.NETFILTER }],
  program: NetfilterProgram,
});
