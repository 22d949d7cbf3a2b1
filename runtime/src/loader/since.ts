import type { BPF_MAP_TYPE, BPF_PROG_TYPE } from '../uapi.js';

type Version = readonly [major: number, minor: number];

/** The kernel that first had each map type. */
export const mapTypeSince: Readonly<Partial<Record<keyof typeof BPF_MAP_TYPE, Version>>> = {
  HASH: [3, 19],
  ARRAY: [3, 19],
  PROG_ARRAY: [4, 2],
  PERF_EVENT_ARRAY: [4, 3],
  PERCPU_HASH: [4, 6],
  PERCPU_ARRAY: [4, 6],
  STACK_TRACE: [4, 6],
  CGROUP_ARRAY: [4, 8],
  LRU_HASH: [4, 10],
  LRU_PERCPU_HASH: [4, 10],
  LPM_TRIE: [4, 11],
  ARRAY_OF_MAPS: [4, 12],
  HASH_OF_MAPS: [4, 12],
  DEVMAP: [4, 14],
  SOCKMAP: [4, 14],
  CPUMAP: [4, 15],
  XSKMAP: [4, 18],
  SOCKHASH: [4, 18],
  CGROUP_STORAGE: [4, 19],
  REUSEPORT_SOCKARRAY: [4, 19],
  PERCPU_CGROUP_STORAGE: [4, 20],
  QUEUE: [4, 20],
  STACK: [4, 20],
  SK_STORAGE: [5, 2],
  DEVMAP_HASH: [5, 4],
  STRUCT_OPS: [5, 6],
  RINGBUF: [5, 8],
  INODE_STORAGE: [5, 10],
  TASK_STORAGE: [5, 11],
  BLOOM_FILTER: [5, 16],
  USER_RINGBUF: [6, 1],
  CGRP_STORAGE: [6, 2],
  ARENA: [6, 9],
  INSN_ARRAY: [6, 19],
  RHASH: [7, 2],
};

/** The kernel that first had each program type. */
export const progTypeSince: Readonly<Partial<Record<keyof typeof BPF_PROG_TYPE, Version>>> = {
  SOCKET_FILTER: [3, 19],
  KPROBE: [4, 1],
  SCHED_CLS: [4, 1],
  SCHED_ACT: [4, 1],
  TRACEPOINT: [4, 7],
  XDP: [4, 8],
  PERF_EVENT: [4, 9],
  CGROUP_SKB: [4, 10],
  CGROUP_SOCK: [4, 10],
  LWT_IN: [4, 10],
  LWT_OUT: [4, 10],
  LWT_XMIT: [4, 10],
  SOCK_OPS: [4, 13],
  SK_SKB: [4, 14],
  CGROUP_DEVICE: [4, 15],
  SK_MSG: [4, 17],
  RAW_TRACEPOINT: [4, 17],
  CGROUP_SOCK_ADDR: [4, 17],
  LWT_SEG6LOCAL: [4, 18],
  LIRC_MODE2: [4, 18],
  SK_REUSEPORT: [4, 19],
  FLOW_DISSECTOR: [4, 20],
  CGROUP_SYSCTL: [5, 2],
  RAW_TRACEPOINT_WRITABLE: [5, 2],
  CGROUP_SOCKOPT: [5, 3],
  TRACING: [5, 5],
  STRUCT_OPS: [5, 6],
  EXT: [5, 6],
  LSM: [5, 7],
  SK_LOOKUP: [5, 9],
  SYSCALL: [5, 14],
  NETFILTER: [6, 4],
};

/** The name of an enum's value and the kernel that first had it. */
export function sinceOf<Name extends string>(
  values: Readonly<Record<Name, number>>,
  since: Readonly<Partial<Record<Name, Version>>>,
  value: number,
): { readonly name: Name; readonly since: Version | undefined } | undefined {
  for (const name in values) {
    if (values[name] === value) return { name, since: since[name] };
  }
  return undefined;
}
