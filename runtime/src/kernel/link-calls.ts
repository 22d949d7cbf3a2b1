import type { BPF_ATTACH_TYPE, CGROUP_ITER_ORDER, NETFILTER_FAMILY, NETFILTER_HOOK } from '../uapi.js';
import type { Fd } from './fd.js';

/** The part of the seam that is about links that were made. */
export interface LinkCalls {
  /** Exchanges the program of a live link (the map of a struct_ops link); with `expected` only while it is that one. */
  linkUpdate(link: Fd, prog: Fd, expected?: Fd): void;
  /** Ends the attachment of a link though it is held; EOPNOTSUPP for types that cannot. Since 5.9. */
  linkDetach(link: Fd): void;
  /** The fd of a link by its id; ENOENT when it is gone. Since 5.8. */
  linkById(id: number): Fd;
  /** BPF_OBJ_GET_INFO_BY_FD, for a descriptor that is of a link. Since 5.8. */
  linkInfo(link: Fd): LinkInfo;
  /** BPF_ITER_CREATE: a descriptor whose reads run the iterator program, from the beginning. Since 5.8. */
  iterCreate(link: Fd): Fd;
  /**
   * What the program of an iterator writes next, up to buffer.length bytes; 0 at the end. EAGAIN when the next read goes on:
   * a million objects went by of which it wrote nothing, or it wants to see one again.
   */
  iterRead(iter: Fd, buffer: Uint8Array): number;
}

/** What an iterator goes over, where its kind does not say (union bpf_iter_link_info). */
export type IterSubject =
  /** Elements of a map (since 5.10). */
  | { map: Fd }
  /** Cgroups from one on, which is given by descriptor or id, the root by default (since 6.1). `enum bpf_cgroup_iter_order`. */
  | { order: number; cgroup?: Fd | undefined; cgroupId?: bigint | undefined }
  /** One thread, or the threads of one process (since 6.1). */
  | { tid?: number | undefined; pid?: number | undefined; pidfd?: Fd | undefined };

/**
 * What the kernel tells of a link, by `type`. What the running kernel does not tell is absent: it is too old, or keeps it
 * from this process.
 *
 * ```ts
 * const info = link.info();
 * if (info.type === 'xdp') console.log(info.ifindex);
 * ```
 */
export type LinkInfo =
  | RawTracepointLinkInfo
  | TracingLinkInfo
  | CgroupLinkInfo
  | IterLinkInfo
  | NetnsLinkInfo
  | XdpLinkInfo
  | PerfEventLinkInfo
  | KprobeMultiLinkInfo
  | UprobeMultiLinkInfo
  | StructOpsLinkInfo
  | NetfilterLinkInfo
  | TcxLinkInfo
  | NetkitLinkInfo
  | SockmapLinkInfo
  | OtherLinkInfo;

/** The sorts of links: BPF_LINK_TYPE_* in lower case, and `other` for those this package does not know. */
export type LinkType = LinkInfo['type'];

/** `enum bpf_attach_type` without its prefix `BPF_`; the number for one this package does not know. */
export type AttachType = keyof typeof BPF_ATTACH_TYPE | number;

/** What every link has. */
export interface AnyLinkInfo {
  /** The kernel's number of the link, which bpftool shows. */
  readonly id: number;
  /** The kernel's number of the program that runs now; 0 for struct_ops, which hold a map. */
  readonly progId: number;
  /**
   * The program's name as the kernel has it, cut after 15 characters; only where this process may open programs by their
   * number (CAP_SYS_ADMIN).
   */
  readonly progName?: string;
}

/** A raw tracepoint, or tp_btf on kernels that attach it as one. */
export interface RawTracepointLinkInfo extends AnyLinkInfo {
  readonly type: 'raw_tracepoint';
  /** `sched_switch`. */
  readonly tracepoint: string;
  readonly cookie?: bigint;
}

/** fentry, fexit, fmod_ret, freplace, LSM, tp_btf: attached to what BTF describes. */
export interface TracingLinkInfo extends AnyLinkInfo {
  readonly type: 'tracing';
  readonly attachType: AttachType;
  /** Id of the program whose function is replaced or traced, else of the BTF object of the kernel or module. Linux 5.13. */
  readonly targetObjId?: number;
  /** Type id in that BTF. Linux 5.13. */
  readonly targetBtfId?: number;
  readonly cookie?: bigint;
}

/** A hook of a cgroup. */
export interface CgroupLinkInfo extends AnyLinkInfo {
  readonly type: 'cgroup';
  /** Inode of the cgroup's directory; 0 when it is gone, or the link was detached by force. */
  readonly cgroupId: bigint;
  readonly attachType: AttachType;
}

/** An iterator. */
export interface IterLinkInfo extends AnyLinkInfo {
  readonly type: 'iter';
  /** What follows `iter/` in SEC(): `task`, `bpf_map_elem`. Linux 5.10. */
  readonly target?: string;
  /** Whose elements it goes over. */
  readonly mapId?: number;
  /** Where it starts, for `cgroup`; 0 for the root. Linux 6.1. */
  readonly cgroupId?: bigint;
  readonly order?: keyof typeof CGROUP_ITER_ORDER | number;
  /** The one thread of `task`, `task_file`, `task_vma`; absent or 0 for all. Linux 6.1. */
  readonly tid?: number;
  /** The one process of these. */
  readonly pid?: number;
}

/** sk_lookup or flow_dissector of a network namespace. */
export interface NetnsLinkInfo extends AnyLinkInfo {
  readonly type: 'netns';
  /** Inode of the namespace, as `readlink /proc/PID/ns/net` shows it; 0 when it is gone. */
  readonly netnsInode: number;
  readonly attachType: AttachType;
}

/** XDP on a device. */
export interface XdpLinkInfo extends AnyLinkInfo {
  readonly type: 'xdp';
  /** Index of the device in its network namespace; 0 when it is gone. */
  readonly ifindex: number;
}

/** A perf event: kprobe, uprobe, tracepoint, counter or clock. */
export interface PerfEventLinkInfo extends AnyLinkInfo {
  readonly type: 'perf_event';
  /** Linux 6.6. */
  readonly event?: PerfEventInfo;
}

/** What a program runs on, by `kind`. */
export type PerfEventInfo =
  | {
      readonly kind: 'kprobe' | 'kretprobe';
      /** Empty for a probe by address. */
      readonly functionName: string;
      /** Bytes from the function's start. */
      readonly offset: number;
      /** Absent where the kernel hides addresses from this process (kernel.kptr_restrict). */
      readonly address?: bigint;
      /** Runs that did not happen, because the probe was busy on its CPU. Linux 6.7. */
      readonly missed?: bigint;
      /** Linux 6.9. */
      readonly cookie?: bigint;
    }
  | {
      readonly kind: 'uprobe' | 'uretprobe';
      /** As it was given to the kernel. */
      readonly path: string;
      /** Bytes from the file's start. */
      readonly offset: number;
      readonly cookie?: bigint;
      /** Where in the file the counter of those who probe lies; 0 for none. */
      readonly refCtrOffset?: bigint;
    }
  | {
      readonly kind: 'tracepoint';
      /** Without its category. */
      readonly name: string;
      readonly cookie?: bigint;
    }
  | {
      readonly kind: 'event';
      /** `type` and `config` of perf_event_open(2), as the kernel has them: clocks have got a type of their own. */
      readonly eventType: number;
      readonly config: bigint;
      readonly cookie?: bigint;
    };

/** One link of many kprobes. */
export interface KprobeMultiLinkInfo extends AnyLinkInfo {
  readonly type: 'kprobe_multi';
  /** How many functions. Linux 6.6. */
  readonly count?: number;
  /** BPF_F_KPROBE_MULTI_*: 1 for return probes. */
  readonly flags?: number;
  /** Runs that did not happen. Linux 6.7. */
  readonly missed?: bigint;
  /** Of the functions, in rising order; absent where the kernel hides addresses from this process. */
  readonly addresses?: readonly bigint[];
  /** One for each address, 0 where none was given. Linux 6.9. */
  readonly cookies?: readonly bigint[];
}

/** One link of many uprobes. Everything since Linux 6.8. */
export interface UprobeMultiLinkInfo extends AnyLinkInfo {
  readonly type: 'uprobe_multi';
  readonly path?: string;
  /** How many places. */
  readonly count?: number;
  /** BPF_F_UPROBE_MULTI_*: 1 for return probes. */
  readonly flags?: number;
  /** The one process; 0 for all. */
  readonly pid?: number;
  /** Bytes from the file's start, in the order they were given. */
  readonly offsets?: readonly bigint[];
  /** Of the counters of those who probe, one for each offset; 0 for none. */
  readonly refCtrOffsets?: readonly bigint[];
  /** One for each offset, 0 where none was given. */
  readonly cookies?: readonly bigint[];
}

/** A struct_ops map of `SEC(".struct_ops.link")`. */
export interface StructOpsLinkInfo extends AnyLinkInfo {
  readonly type: 'struct_ops';
  /** The map that is registered now; 0 when the link was detached by force. */
  readonly mapId: number;
}

/** A hook of netfilter. */
export interface NetfilterLinkInfo extends AnyLinkInfo {
  readonly type: 'netfilter';
  readonly family: keyof typeof NETFILTER_FAMILY | number;
  readonly hook: keyof typeof NETFILTER_HOOK | number;
  /** Lower ones run first. */
  readonly priority: number;
  /** 1 (BPF_F_NETFILTER_IP_DEFRAG) when packets are put together before the program runs. */
  readonly flags: number;
}

/** A tcx hook of a device. */
export interface TcxLinkInfo extends AnyLinkInfo {
  readonly type: 'tcx';
  /** Index of the device in its network namespace; 0 when it is gone. */
  readonly ifindex: number;
  readonly attachType: AttachType;
}

/** An end of a netkit pair. */
export interface NetkitLinkInfo extends AnyLinkInfo {
  readonly type: 'netkit';
  /** Index of the device whose packets the program sees, in its network namespace; 0 when it is gone. */
  readonly ifindex: number;
  readonly attachType: AttachType;
}

/** A map of sockets. */
export interface SockmapLinkInfo extends AnyLinkInfo {
  readonly type: 'sockmap';
  /** 0 when the map is gone. */
  readonly mapId: number;
  readonly attachType: AttachType;
}

/** A link of a type that came later than this package. */
export interface OtherLinkInfo extends AnyLinkInfo {
  readonly type: 'other';
  /** `enum bpf_link_type`. */
  readonly linkType: number;
}
