// Constants of the kernel's user space interface, under the kernel's own names. Lists that are long and regular are
// objects named after the C enum (`BPF_MAP_TYPE.HASH`); flags and lone values are constants. A kernel test compares
// every list with the BTF of the running kernel.

/** `enum bpf_cmd`. */
export const BPF_CMD = {
  MAP_CREATE: 0,
  MAP_LOOKUP_ELEM: 1,
  MAP_UPDATE_ELEM: 2,
  MAP_DELETE_ELEM: 3,
  MAP_GET_NEXT_KEY: 4,
  PROG_LOAD: 5,
  OBJ_PIN: 6,
  OBJ_GET: 7,
  PROG_ATTACH: 8,
  PROG_DETACH: 9,
  PROG_TEST_RUN: 10,
  PROG_GET_NEXT_ID: 11,
  MAP_GET_NEXT_ID: 12,
  PROG_GET_FD_BY_ID: 13,
  MAP_GET_FD_BY_ID: 14,
  OBJ_GET_INFO_BY_FD: 15,
  PROG_QUERY: 16,
  RAW_TRACEPOINT_OPEN: 17,
  BTF_LOAD: 18,
  BTF_GET_FD_BY_ID: 19,
  TASK_FD_QUERY: 20,
  MAP_LOOKUP_AND_DELETE_ELEM: 21,
  MAP_FREEZE: 22,
  BTF_GET_NEXT_ID: 23,
  MAP_LOOKUP_BATCH: 24,
  MAP_LOOKUP_AND_DELETE_BATCH: 25,
  MAP_UPDATE_BATCH: 26,
  MAP_DELETE_BATCH: 27,
  LINK_CREATE: 28,
  LINK_UPDATE: 29,
  LINK_GET_FD_BY_ID: 30,
  LINK_GET_NEXT_ID: 31,
  ENABLE_STATS: 32,
  ITER_CREATE: 33,
  LINK_DETACH: 34,
  PROG_BIND_MAP: 35,
  TOKEN_CREATE: 36,
  PROG_STREAM_READ_BY_FD: 37,
  PROG_ASSOC_STRUCT_OPS: 38,
} as const;

/** `enum bpf_map_type`, without the prefix `BPF_MAP_TYPE_`. */
export const BPF_MAP_TYPE = {
  UNSPEC: 0,
  HASH: 1,
  ARRAY: 2,
  PROG_ARRAY: 3,
  PERF_EVENT_ARRAY: 4,
  PERCPU_HASH: 5,
  PERCPU_ARRAY: 6,
  STACK_TRACE: 7,
  CGROUP_ARRAY: 8,
  LRU_HASH: 9,
  LRU_PERCPU_HASH: 10,
  LPM_TRIE: 11,
  ARRAY_OF_MAPS: 12,
  HASH_OF_MAPS: 13,
  DEVMAP: 14,
  SOCKMAP: 15,
  CPUMAP: 16,
  XSKMAP: 17,
  SOCKHASH: 18,
  CGROUP_STORAGE: 19,
  REUSEPORT_SOCKARRAY: 20,
  PERCPU_CGROUP_STORAGE: 21,
  QUEUE: 22,
  STACK: 23,
  SK_STORAGE: 24,
  DEVMAP_HASH: 25,
  STRUCT_OPS: 26,
  RINGBUF: 27,
  INODE_STORAGE: 28,
  TASK_STORAGE: 29,
  BLOOM_FILTER: 30,
  USER_RINGBUF: 31,
  CGRP_STORAGE: 32,
  ARENA: 33,
  INSN_ARRAY: 34,
  RHASH: 35,
} as const;

/** `enum bpf_prog_type`, without the prefix `BPF_PROG_TYPE_`. */
export const BPF_PROG_TYPE = {
  UNSPEC: 0,
  SOCKET_FILTER: 1,
  KPROBE: 2,
  SCHED_CLS: 3,
  SCHED_ACT: 4,
  TRACEPOINT: 5,
  XDP: 6,
  PERF_EVENT: 7,
  CGROUP_SKB: 8,
  CGROUP_SOCK: 9,
  LWT_IN: 10,
  LWT_OUT: 11,
  LWT_XMIT: 12,
  SOCK_OPS: 13,
  SK_SKB: 14,
  CGROUP_DEVICE: 15,
  SK_MSG: 16,
  RAW_TRACEPOINT: 17,
  CGROUP_SOCK_ADDR: 18,
  LWT_SEG6LOCAL: 19,
  LIRC_MODE2: 20,
  SK_REUSEPORT: 21,
  FLOW_DISSECTOR: 22,
  CGROUP_SYSCTL: 23,
  RAW_TRACEPOINT_WRITABLE: 24,
  CGROUP_SOCKOPT: 25,
  TRACING: 26,
  STRUCT_OPS: 27,
  EXT: 28,
  LSM: 29,
  SK_LOOKUP: 30,
  SYSCALL: 31,
  NETFILTER: 32,
} as const;

/** `enum bpf_attach_type`, without the prefix `BPF_`. */
export const BPF_ATTACH_TYPE = {
  CGROUP_INET_INGRESS: 0,
  CGROUP_INET_EGRESS: 1,
  CGROUP_INET_SOCK_CREATE: 2,
  CGROUP_SOCK_OPS: 3,
  SK_SKB_STREAM_PARSER: 4,
  SK_SKB_STREAM_VERDICT: 5,
  CGROUP_DEVICE: 6,
  SK_MSG_VERDICT: 7,
  CGROUP_INET4_BIND: 8,
  CGROUP_INET6_BIND: 9,
  CGROUP_INET4_CONNECT: 10,
  CGROUP_INET6_CONNECT: 11,
  CGROUP_INET4_POST_BIND: 12,
  CGROUP_INET6_POST_BIND: 13,
  CGROUP_UDP4_SENDMSG: 14,
  CGROUP_UDP6_SENDMSG: 15,
  LIRC_MODE2: 16,
  FLOW_DISSECTOR: 17,
  CGROUP_SYSCTL: 18,
  CGROUP_UDP4_RECVMSG: 19,
  CGROUP_UDP6_RECVMSG: 20,
  CGROUP_GETSOCKOPT: 21,
  CGROUP_SETSOCKOPT: 22,
  TRACE_RAW_TP: 23,
  TRACE_FENTRY: 24,
  TRACE_FEXIT: 25,
  MODIFY_RETURN: 26,
  LSM_MAC: 27,
  TRACE_ITER: 28,
  CGROUP_INET4_GETPEERNAME: 29,
  CGROUP_INET6_GETPEERNAME: 30,
  CGROUP_INET4_GETSOCKNAME: 31,
  CGROUP_INET6_GETSOCKNAME: 32,
  XDP_DEVMAP: 33,
  CGROUP_INET_SOCK_RELEASE: 34,
  XDP_CPUMAP: 35,
  SK_LOOKUP: 36,
  XDP: 37,
  SK_SKB_VERDICT: 38,
  SK_REUSEPORT_SELECT: 39,
  SK_REUSEPORT_SELECT_OR_MIGRATE: 40,
  PERF_EVENT: 41,
  TRACE_KPROBE_MULTI: 42,
  LSM_CGROUP: 43,
  STRUCT_OPS: 44,
  NETFILTER: 45,
  TCX_INGRESS: 46,
  TCX_EGRESS: 47,
  TRACE_UPROBE_MULTI: 48,
  CGROUP_UNIX_CONNECT: 49,
  CGROUP_UNIX_SENDMSG: 50,
  CGROUP_UNIX_RECVMSG: 51,
  CGROUP_UNIX_GETPEERNAME: 52,
  CGROUP_UNIX_GETSOCKNAME: 53,
  NETKIT_PRIMARY: 54,
  NETKIT_PEER: 55,
  TRACE_KPROBE_SESSION: 56,
  TRACE_UPROBE_SESSION: 57,
  TRACE_FSESSION: 58,
  TRACE_FENTRY_MULTI: 59,
  TRACE_FEXIT_MULTI: 60,
  TRACE_FSESSION_MULTI: 61,
} as const;

/** `enum bpf_link_type`, without the prefix `BPF_LINK_TYPE_`. */
export const BPF_LINK_TYPE = {
  UNSPEC: 0,
  RAW_TRACEPOINT: 1,
  TRACING: 2,
  CGROUP: 3,
  ITER: 4,
  NETNS: 5,
  XDP: 6,
  PERF_EVENT: 7,
  KPROBE_MULTI: 8,
  STRUCT_OPS: 9,
  NETFILTER: 10,
  TCX: 11,
  UPROBE_MULTI: 12,
  NETKIT: 13,
  SOCKMAP: 14,
  TRACING_MULTI: 15,
} as const;

/** File system of pins (include/uapi/linux/magic.h). */
export const BPF_FS_MAGIC = 0xcafe4a11;

/** `enum bpf_perf_event_type`, without the prefix `BPF_PERF_EVENT_`. */
export const BPF_PERF_EVENT_TYPE = {
  UPROBE: 1,
  URETPROBE: 2,
  KPROBE: 3,
  KRETPROBE: 4,
  TRACEPOINT: 5,
  EVENT: 6,
} as const;

/** `enum bpf_cgroup_iter_order`, without the prefix `BPF_CGROUP_ITER_`, in lower case. */
export const CGROUP_ITER_ORDER = {
  self_only: 1,
  descendants_pre: 2,
  descendants_post: 3,
  ancestors_up: 4,
  children: 5,
} as const;

/** NFPROTO_* that programs of netfilter take (include/uapi/linux/netfilter.h). */
export const NETFILTER_FAMILY = { ipv4: 2, ipv6: 10 } as const;

/** `enum nf_inet_hooks`. */
export const NETFILTER_HOOK = {
  prerouting: 0,
  input: 1,
  forward: 2,
  output: 3,
  postrouting: 4,
} as const;

// Element flags of map operations (`flags` of BPF_MAP_UPDATE_ELEM and others).
/** Create or replace. */
export const BPF_ANY = 0n;
/** Create only. */
export const BPF_NOEXIST = 1n;
/** Replace only. */
export const BPF_EXIST = 2n;
/** Under the value's bpf_spin_lock. */
export const BPF_F_LOCK = 4n;
/** Of one CPU, whose number is in the upper half. */
export const BPF_F_CPU = 8n;

// Flags of BPF_MAP_CREATE (some serve other commands too).
export const BPF_F_NO_PREALLOC = 0x1;
export const BPF_F_NO_COMMON_LRU = 0x2;
export const BPF_F_NUMA_NODE = 0x4;
export const BPF_F_RDONLY = 0x8;
export const BPF_F_WRONLY = 0x10;
export const BPF_F_STACK_BUILD_ID = 0x20;
export const BPF_F_ZERO_SEED = 0x40;
export const BPF_F_RDONLY_PROG = 0x80;
export const BPF_F_WRONLY_PROG = 0x100;
export const BPF_F_CLONE = 0x200;
export const BPF_F_MMAPABLE = 0x400;
export const BPF_F_PRESERVE_ELEMS = 0x800;
export const BPF_F_INNER_MAP = 0x1000;
export const BPF_F_LINK = 0x2000;
export const BPF_F_PATH_FD = 0x4000;
export const BPF_F_VTYPE_BTF_OBJ_FD = 0x8000;
export const BPF_F_TOKEN_FD = 0x10000;
export const BPF_F_SEGV_ON_FAULT = 0x20000;
export const BPF_F_NO_USER_CONV = 0x40000;

// Flags of BPF_PROG_LOAD.
export const BPF_F_STRICT_ALIGNMENT = 0x1;
export const BPF_F_ANY_ALIGNMENT = 0x2;
export const BPF_F_TEST_RND_HI32 = 0x4;
export const BPF_F_TEST_STATE_FREQ = 0x8;
export const BPF_F_SLEEPABLE = 0x10;
export const BPF_F_XDP_HAS_FRAGS = 0x20;
export const BPF_F_XDP_DEV_BOUND_ONLY = 0x40;
export const BPF_F_TEST_REG_INVARIANTS = 0x80;

// Flags of BPF_PROG_ATTACH and of links in a list (cgroup, tcx, netkit).
export const BPF_F_ALLOW_OVERRIDE = 0x1;
export const BPF_F_ALLOW_MULTI = 0x2;
export const BPF_F_REPLACE = 0x4;
export const BPF_F_BEFORE = 0x8;
export const BPF_F_AFTER = 0x10;
export const BPF_F_ID = 0x20;
export const BPF_F_PREORDER = 0x40;

// Flags of BPF_PROG_QUERY.
/** Of a cgroup: what runs there, the programs of its ancestors included. */
export const BPF_F_QUERY_EFFECTIVE = 0x1;

// Flags of multi-target links.
export const BPF_F_KPROBE_MULTI_RETURN = 0x1;
export const BPF_F_UPROBE_MULTI_RETURN = 0x1;
export const BPF_F_NETFILTER_IP_DEFRAG = 0x1;

// Flags of BPF_PROG_TEST_RUN.
export const BPF_F_TEST_RUN_ON_CPU = 0x1;
export const BPF_F_TEST_XDP_LIVE_FRAMES = 0x2;
export const BPF_F_TEST_SKB_CHECKSUM_COMPLETE = 0x4;

// Special `src_reg` values of ld_imm64 and call instructions.
export const BPF_PSEUDO_MAP_FD = 1;
export const BPF_PSEUDO_MAP_VALUE = 2;
export const BPF_PSEUDO_BTF_ID = 3;
export const BPF_PSEUDO_FUNC = 4;
export const BPF_PSEUDO_MAP_IDX = 5;
export const BPF_PSEUDO_MAP_IDX_VALUE = 6;
export const BPF_PSEUDO_CALL = 1;
export const BPF_PSEUDO_KFUNC_CALL = 2;

// Ring buffer records and positions.
export const BPF_RINGBUF_BUSY_BIT = 0x80000000;
export const BPF_RINGBUF_DISCARD_BIT = 0x40000000;
export const BPF_RINGBUF_HDR_SZ = 8;

// Sizes of names and tags.
/** Bytes of a map or program name, the final NUL included. */
export const BPF_OBJ_NAME_LEN = 16;
export const BPF_TAG_SIZE = 8;

// XDP flags of rtnetlink and of XDP links.
export const XDP_FLAGS_UPDATE_IF_NOEXIST = 0x1;
export const XDP_FLAGS_SKB_MODE = 0x2;
export const XDP_FLAGS_DRV_MODE = 0x4;
export const XDP_FLAGS_HW_MODE = 0x8;
export const XDP_FLAGS_REPLACE = 0x10;

// Perf events: `type`, software `config`, `sample_type`, record types.
export const PERF_TYPE_HARDWARE = 0;
export const PERF_TYPE_SOFTWARE = 1;
export const PERF_TYPE_TRACEPOINT = 2;
export const PERF_TYPE_HW_CACHE = 3;
export const PERF_TYPE_RAW = 4;
export const PERF_TYPE_BREAKPOINT = 5;
export const PERF_COUNT_HW_CPU_CYCLES = 0n;
export const PERF_COUNT_HW_INSTRUCTIONS = 1n;
export const PERF_COUNT_SW_CPU_CLOCK = 0n;
export const PERF_COUNT_SW_TASK_CLOCK = 1n;
export const PERF_COUNT_SW_BPF_OUTPUT = 10n;
export const PERF_SAMPLE_RAW = 0x400n;
export const PERF_RECORD_LOST = 2;
export const PERF_RECORD_SAMPLE = 9;

// `enum libbpf_pin_type`: `__uint(pinning, ...)` of a map declaration.
export const LIBBPF_PIN_NONE = 0;
export const LIBBPF_PIN_BY_NAME = 1;

/** KERNEL_VERSION(): a kernel's version as one number that compares. Versions from 256 up are cut to 255, as the kernel does. */
export function kernelVersion(major: number, minor: number, patch = 0): number {
  return (major << 16) + (minor << 8) + Math.min(patch, 255);
}
