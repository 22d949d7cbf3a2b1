import type { CgroupOptions } from '../link/cgroup.js';
import type { CgroupPrograms } from '../link/cgroup-programs.js';
import type { FileTarget } from '../link/file-target.js';
import type { UpdatableLink } from '../link/updatable-link.js';
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { CgroupProgram } from './cgroup.js';
import { type PacketRun, type PacketRunResult, runOnPacket } from './packet-run.js';
import { kind } from './program.js';

/** Which packets of a cgroup's sockets: those that come in, or those that go out. */
export type CgroupDirection = 'ingress' | 'egress';

/** How {@link CgroupSkbProgram.attach} attaches. */
export interface CgroupSkbOptions extends CgroupOptions {
  /** What SEC() says when absent; `SEC("cgroup/skb")` says nothing and means `ingress`, as libbpf attaches it. */
  readonly direction?: CgroupDirection;
}

const attachTypes: Readonly<Record<CgroupDirection, number>> = {
  ingress: BPF_ATTACH_TYPE.CGROUP_INET_INGRESS,
  egress: BPF_ATTACH_TYPE.CGROUP_INET_EGRESS,
};

/**
 * A program that sees the IP packets of a cgroup's sockets and lets them pass (1) or drops them (0).
 * `SEC("cgroup_skb/ingress")`, `SEC("cgroup_skb/egress")`, Linux 4.10.
 *
 * @example using link = skel.progs.count.attach('/sys/fs/cgroup/shop', { direction: 'egress' });
 */
export class CgroupSkbProgram extends CgroupProgram {
  override attach(cgroup: FileTarget, options: CgroupSkbOptions = {}): UpdatableLink {
    const { direction, ...rest } = options;
    const detail = direction === undefined || this.section.endsWith(`/${direction}`) ? '' : ` (${direction})`;
    return this.attachAs(this.#attachType(direction), detail, cgroup, rest);
  }

  override query(cgroup: FileTarget, direction?: CgroupDirection): CgroupPrograms {
    return this.queryAs(this.#attachType(direction), cgroup);
  }

  /** Runs the program on a packet, without attaching it; `returnValue` says what it would do with it. Linux 4.12. */
  run(packet: Uint8Array, options?: PacketRun): PacketRunResult {
    return runOnPacket(this.runnable(), packet, options);
  }

  #attachType(direction: CgroupDirection | undefined): number {
    return direction === undefined ? this.handle.expectedAttachType : attachTypes[direction];
  }
}

/** `SEC("cgroup_skb/ingress")`, `SEC("cgroup_skb/egress")`, `SEC("cgroup/skb")`. */
export const cgroupSkb = kind({
  kindName: 'cgroupSkb',
  sections: [
    {
      match: 'cgroup_skb/ingress',
      type: BPF_PROG_TYPE.CGROUP_SKB,
      attachType: BPF_ATTACH_TYPE.CGROUP_INET_INGRESS,
      attachTypeOptional: true,
    },
    {
      match: 'cgroup_skb/egress',
      type: BPF_PROG_TYPE.CGROUP_SKB,
      attachType: BPF_ATTACH_TYPE.CGROUP_INET_EGRESS,
      attachTypeOptional: true,
    },
    { match: 'cgroup/skb', type: BPF_PROG_TYPE.CGROUP_SKB },
  ],
  program: CgroupSkbProgram,
});
