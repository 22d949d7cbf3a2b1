import type { SyscallError } from '../errors.js';
import type { Fd } from './fd.js';
import type { IterSubject, LinkCalls } from './link-calls.js';
import type { ProgCalls, VerifierLog } from './prog-calls.js';
import type { TrafficCalls } from './traffic-calls.js';

/**
 * The seam to the operating system: what bpfskel asks of a kernel, in terms of BPF and not of bytes. `linux.ts`
 * implements it over system calls, the fake kernel of `@bpfskel/runtime/testing` in memory. Every method that the
 * kernel can refuse throws a `SyscallError`. File descriptors are owned by the caller, close-on-exec, and never 0-2.
 */
export interface Kernel extends ProgCalls, LinkCalls, TrafficCalls {
  // Facts about the host.
  /** KERNEL_VERSION() of the running kernel as libbpf computes it (Debian and Ubuntu report it in their own way). */
  readonly version: number;
  /** `uname -r`. */
  readonly release: string;
  /** Node's name of the architecture (`x64`, `arm64`). */
  readonly arch: string;
  readonly pageSize: number;
  readonly littleEndian: boolean;
  /** Id of this process. */
  readonly pid: number;
  /** CPUs a per-CPU value has slots for: `/sys/devices/system/cpu/possible`. */
  possibleCpus(): number;
  /** Ids of the CPUs that run now: `/sys/devices/system/cpu/online`. */
  onlineCpus(): readonly number[];
  /** A whole file, or undefined when it does not exist; other refusals throw. For procfs, sysfs and tracefs. */
  readFile(path: string): Uint8Array | undefined;
  /** Writes `text` in one write(2), appending when `append`. For tracefs control files. */
  writeFile(path: string, text: string, append?: boolean): void;
  /** The configuration the kernel was built with, `CONFIG_X=y` by line: /boot/config-RELEASE, else /proc/config.gz. */
  buildConfig(): string | undefined;
  /** Magic number of the file system that a path lies in (`linux/magic.h`), or undefined when it does not exist. */
  fileSystem(path: string): number | undefined;
  /** mkdir(2) for this user alone; in peace when it exists. For directories of pins. */
  makeDirectory(path: string): void;
  /** Names in a directory, or undefined when it does not exist. */
  listDirectory(path: string): readonly string[] | undefined;
  /** What is at `path`, symbolic links followed, or undefined when nothing is; other refusals throw. */
  fileFacts(path: string): FileFacts | undefined;
  /** A variable of this process's environment. */
  environment(name: string): string | undefined;

  // bpf(2): maps. `fd` is the map's; buffers have the sizes the map was created with (per-CPU: stride x CPUs).
  mapCreate(map: MapCreate): Fd;
  /** Fills `value`; false when the key is absent. */
  mapLookup(fd: Fd, key: Uint8Array | null, value: Uint8Array, flags?: bigint): boolean;
  mapUpdate(fd: Fd, key: Uint8Array | null, value: Uint8Array, flags?: bigint): void;
  /** False when the key was absent. */
  mapDelete(fd: Fd, key: Uint8Array): boolean;
  mapLookupAndDelete(fd: Fd, key: Uint8Array | null, value: Uint8Array, flags?: bigint): boolean;
  /** Fills `next` with the key after `key` (the first for null); false at the end. */
  mapNextKey(fd: Fd, key: Uint8Array | null, next: Uint8Array): boolean;
  mapFreeze(fd: Fd): void;
  /** Up to `count` entries from `cursor` (null: from the start) into `keys` and `values`; `cursor` of the answer is undefined at the end. */
  mapLookupBatch(fd: Fd, batch: MapBatch): MapBatchResult;
  /** Writes many entries in one call (Linux 5.6). What stops it midway is in the answer: what came before is written. */
  mapUpdateBatch(fd: Fd, batch: MapWriteBatch): MapWriteResult;
  /** Deletes many keys in one call (Linux 5.6). Stops at the first that is absent. */
  mapDeleteBatch(fd: Fd, batch: Omit<MapWriteBatch, 'values'>): MapWriteResult;
  mapInfo(fd: Fd): MapInfo;
  /** The fd of a map by its id; ENOENT when it is gone. */
  mapById(id: number): Fd;

  // bpf(2): BTF, links; programs are in ProgCalls.
  btfLoad(btf: Uint8Array, log?: VerifierLog): Fd;
  /** The fd of the kernel's own BTF object with this id (modules; since 5.11). */
  btfById(id: number): Fd;
  /** The raw BTF behind a descriptor. */
  btfBytes(btf: Fd): Uint8Array;
  /** Every BTF object in the kernel: its own (`vmlinux`), its modules', and those that were loaded. */
  btfObjects(): readonly BtfObject[];
  linkCreate(link: LinkCreate): Fd;
  /** BPF_PROG_QUERY: the programs on a hook of a device, a cgroup, a network namespace or a map, in the order they run. */
  progQuery(query: ProgQuery): ProgQueryResult;
  /** BPF_PROG_ATTACH: an attachment without a bpf_link, which lasts until progDetach or the end of its target. */
  progAttach(attach: ProgAttach): void;
  progDetach(detach: ProgDetach): void;
  /** BPF_RAW_TRACEPOINT_OPEN; `name` undefined for BTF-typed programs (tp_btf, fentry, lsm) on older kernels. Cookies since 6.10. */
  rawTracepointOpen(prog: Fd, name?: string, cookie?: bigint): Fd;
  pin(fd: Fd, path: string): void;
  /** Opens what is pinned at `path`. */
  pinned(path: string): Fd;
  /** Removes a pin; what it held lives on while something else holds it. */
  unpin(path: string): void;

  // Perf events.
  perfEventOpen(event: PerfEvent): Fd;
  /** PERF_EVENT_IOC_SET_BPF: attaches a program to a perf event, for kernels without perf links (before 5.15). */
  perfEventSetBpf(event: Fd, prog: Fd): void;
  perfEventEnable(event: Fd): void;
  perfEventDisable(event: Fd): void;
  /** PERF_EVENT_IOC_PAUSE_OUTPUT: while paused nothing is written to the event's buffer (since 4.7). */
  perfEventPauseOutput(event: Fd, paused: boolean): void;

  // Network.
  /** Index of a network device; throws ENODEV with the device's name. */
  ifindex(name: string): number;
  /** Name of a network device, undefined when there is none with this index. */
  ifname(index: number): string | undefined;
  /** Sets (fd) or clears (-1) the XDP program of a device through rtnetlink; `expected` guards replacement. */
  xdpSet(ifindex: number, prog: Fd | -1, flags: number, expected?: Fd): void;
  /** Ids of the XDP programs on a device by mode (0 when none), through rtnetlink. */
  xdpQuery(ifindex: number): XdpQuery;
  /** A packet socket that sees every protocol on the device. */
  packetSocket(ifindex: number): Fd;
  /** SO_ATTACH_BPF and SO_DETACH_BPF. */
  socketAttach(socket: Fd, prog: Fd): void;
  socketDetach(socket: Fd): void;
  /** SO_ATTACH_REUSEPORT_EBPF, and SO_DETACH_REUSEPORT_BPF (since 5.3): the program that chooses for a group of sockets. */
  reuseportAttach(socket: Fd, prog: Fd): void;
  reuseportDetach(socket: Fd): void;

  // Descriptors and memory.
  close(fd: Fd): void;
  /** A second descriptor of what `fd` is of, close-on-exec. */
  duplicate(fd: Fd): Fd;
  /** Non-blocking descriptor for a file or directory, to read (or also `write`): trace_pipe, a cgroup, a device. */
  openFile(path: string, write?: boolean): Fd;
  /** pidfd_open(2): a descriptor of a process (Linux 5.3). */
  pidfdOpen(pid: number): Fd;
  /** Bytes available now, up to buffer.length; 0 when the read would block. */
  read(fd: Fd, buffer: Uint8Array): number;
  /** Bytes of a regular file from `position` on; fewer than buffer.length only where the file ends. */
  readAt(fd: Fd, buffer: Uint8Array, position: number): number;
  /** At `address` when one is given and free, for arenas; EEXIST when something is there. */
  mmap(fd: Fd, offset: number, length: number, writable: boolean, address?: bigint): Mapping;
  /**
   * Calls `ready` on the event loop while `fd` is readable (level-triggered, one call per turn). With `writable`: once if
   * it is writable now, and each time something made room since (edge-triggered). Keeps the process alive until stopped.
   * Stop before closing `fd`.
   */
  watch(fd: Fd, ready: () => void, when?: Readiness): Watch;
}

export type { Fd } from './fd.js';
export type {
  AttachType,
  IterSubject,
  LinkCalls,
  LinkInfo,
  LinkType,
  PerfEventInfo,
} from './link-calls.js';
export type { ProgCalls, ProgInfo, ProgLoad, TestRun, TestRunResult, VerifierLog } from './prog-calls.js';
export type {
  BpfRoute,
  TcDirection,
  TcFilter,
  TcFilterKey,
  TcFilterSet,
  TrafficCalls,
} from './traffic-calls.js';

/** What to wait for at a descriptor. */
export type Readiness = 'readable' | 'writable';

export interface MapCreate {
  type: number;
  keySize: number;
  valueSize: number;
  maxEntries: number;
  flags?: number;
  name?: string;
  innerMapFd?: Fd;
  numaNode?: number;
  ifindex?: number;
  btfFd?: Fd;
  btfKeyTypeId?: number;
  btfValueTypeId?: number;
  btfVmlinuxValueTypeId?: number;
  valueTypeBtfObjFd?: Fd;
  mapExtra?: bigint;
  tokenFd?: Fd;
  /** The only program that may use the map: its instructions, as the kernel hashes them (Linux 6.18). */
  exclusiveProgram?: Uint8Array;
}

export interface MapBatch {
  keys: Uint8Array;
  values: Uint8Array;
  count: number;
  /** Opaque; from the previous answer, null to begin. */ cursor: Uint8Array | null;
  keySize: number;
  remove?: boolean;
  flags?: bigint;
}
export interface MapBatchResult {
  count: number;
  cursor: Uint8Array | undefined;
}

/** Whole keys and values one after the other, `count` of them. */
export interface MapWriteBatch {
  keys: Uint8Array;
  values: Uint8Array;
  count: number;
  /** BPF_F_LOCK. */ flags?: bigint;
}
export interface MapWriteResult {
  /** Entries done. */ count: number;
  /** Why the next one was not. */ refusal?: SyscallError;
}

export interface MapInfo {
  type: number;
  id: number;
  keySize: number;
  valueSize: number;
  maxEntries: number;
  flags: number;
  name: string;
  btfId: number;
  mapExtra: bigint;
}

export interface LinkCreate {
  prog: Fd;
  /** `enum bpf_attach_type`. */ attachType: number;
  /** What to attach to: an fd (perf event, cgroup, network namespace, map) or a device index. */
  target?: { fd: Fd } | { ifindex: number };
  flags?: number;
  options?:
    | { kind: 'perf_event'; cookie: bigint }
    | { kind: 'tracing'; targetBtfId: number; cookie: bigint }
    /**
     * A place among the programs of one hook (tcx, netkit, cgroups). `flags` of the link say what `relative` is: BPF_F_BEFORE
     * or BPF_F_AFTER, a link with BPF_F_LINK, an id with BPF_F_ID.
     */
    | { kind: 'ordered'; relative?: Fd; expectedRevision?: bigint }
    /** NFPROTO_*, NF_INET_*, lower priorities first, BPF_F_NETFILTER_IP_DEFRAG. */
    | { kind: 'netfilter'; family: number; hook: number; priority: number; flags: number }
    | KprobeMulti
    | UprobeMulti
    /** What to go over, for the iterators that ask for it. */
    | { kind: 'iter'; of: IterSubject | undefined }
    | { kind: 'none' };
}
/** The functions of a kprobe.multi or kprobe.session link, by name or by address, each with its cookie. Linux 5.18. */
export interface KprobeMulti {
  kind: 'kprobe_multi';
  functions: { symbols: readonly string[] } | { addresses: BigUint64Array };
  cookies?: BigUint64Array;
  /** BPF_F_KPROBE_MULTI_*. */
  flags: number;
}
/** Places in one executable or library, each with its cookie and counter where those are given. Linux 6.6. */
export interface UprobeMulti {
  kind: 'uprobe_multi';
  path: string;
  /** Offsets in the file. */
  offsets: readonly bigint[];
  cookies?: readonly bigint[] | undefined;
  /** Offsets of the 16-bit counters that USDT keeps of who listens; 0 for none. */
  refCtrOffsets?: readonly bigint[] | undefined;
  /** BPF_F_UPROBE_MULTI_RETURN. */
  flags?: number | undefined;
  /** The process to watch; every one without it. */
  pid?: number | undefined;
}
/** One BTF object; `kernel` is true for the kernel's and its modules'. */
export interface BtfObject {
  id: number;
  name: string;
  kernel: boolean;
}
export interface ProgQuery {
  /** What has the hook: a descriptor (cgroup, network namespace, map) or a device's index (tcx, netkit). */
  target: { fd: Fd } | { ifindex: number };
  /** `enum bpf_attach_type`. */ attachType: number;
  /** BPF_F_QUERY_EFFECTIVE. */ flags?: number;
}
export interface ProgQueryResult {
  /** How the programs got there, where they share it (cgroups): BPF_F_ALLOW_MULTI and the like. */ flags: number;
  /** Goes up with every change, for `expectedRevision`; 0 where the kernel does not count (before 6.6). */
  revision: bigint;
  programs: readonly QueriedProgram[];
}
export interface QueriedProgram {
  id: number;
  /** The bpf_link that holds it; 0 without one, and where the kernel does not say (cgroups, before 6.6). */
  linkId: number;
  /** Its own attach flags; 0 where the kernel does not say (before 6.0, with BPF_F_QUERY_EFFECTIVE). */ flags: number;
}

export interface ProgAttach {
  /** What to attach to: a cgroup, a sockmap, an infrared device; 0 for the network namespace of this process. */
  target: Fd;
  prog: Fd;
  /** `enum bpf_attach_type`. */ attachType: number;
  /** BPF_F_ALLOW_MULTI and the like. */ flags?: number;
  /** With BPF_F_REPLACE: the program whose place this one takes. */ replace?: Fd;
  /** With BPF_F_BEFORE or BPF_F_AFTER: the program (or link, with BPF_F_LINK) next to which this one goes. */ relative?: Fd;
  expectedRevision?: bigint;
}
export interface ProgDetach {
  target: Fd;
  prog: Fd;
  attachType: number;
}

/** perf_event_open(2). Exactly what the kinds of this package need of `struct perf_event_attr`. */
export interface PerfEvent {
  type: number;
  config: bigint;
  /** kprobe and uprobe PMUs: symbol or path, or undefined with an address in `config2`. */ target?: string;
  config1?: bigint;
  config2?: bigint;
  samplePeriod?: bigint;
  sampleFrequency?: bigint;
  sampleType?: bigint;
  wakeupEvents?: number;
  wakeupWatermark?: number;
  writeBackward?: boolean;
  /** HW_BREAKPOINT_*: with the address in `config1`, the length in `config2`. */
  breakpointType?: number;
  /** Also counts threads and processes that the target starts from now on. */
  inherit?: boolean;
  disabled?: boolean;
  /** -1: every process. */ pid: number /** -1: every CPU. */;
  cpu: number;
}

/** What {@link Kernel.fileFacts} tells of a file. */
export interface FileFacts {
  kind: 'file' | 'directory' | 'other';
  /** Bytes. */ size: number;
  inode: bigint;
  /** The path without symbolic links. */ realPath: string;
  /** This process may read it. */ readable: boolean;
  executable: boolean;
}

export interface XdpQuery {
  mode: 'none' | 'native' | 'generic' | 'offload' | 'multi';
  native: number;
  generic: number;
  offload: number;
}

/** Memory shared with the kernel. After `close` reads of `buffer` give zeros instead of killing the process. */
export interface Mapping {
  readonly buffer: ArrayBuffer;
  /** Where `buffer` lies, for pointers into it. */
  readonly address: bigint;
  close(): void;
}

export interface Watch {
  stop(): void;
}
