import { hostLittleEndian } from '../bytes.js';
import { BPF_CMD, BPF_PROG_TYPE, kernelVersion } from '../uapi.js';
import type { Libc } from './libc.js';
import { progLoadAttr } from './prog-attr.js';

const RLIMIT_MEMLOCK = 8;
const BPF_FUNC_KTIME_GET_COARSE_NS = 160;

/** For whom it was done: in effect, once in a process. */
const settled = new WeakSet<Libc>();

/**
 * Before 5.11 BPF memory counts against RLIMIT_MEMLOCK, 64 KiB by default. Lifts the limit, once, where the kernel
 * still counts so; a refusal shows in the call that needs the memory. libbpf: bump_rlimit_memlock.
 */
export function raiseMemlock(libc: Libc, version: number): void {
  if (settled.has(libc)) return;
  settled.add(libc);
  // Distributions backport the accounting, so below 5.11 the kernel is asked.
  if (version >= kernelVersion(5, 11) || accountsToCgroup(libc)) return;
  // RLIM_INFINITY, both soft and hard.
  libc.setrlimit(RLIMIT_MEMLOCK, new Uint8Array(16).fill(0xff));
}

/** Cgroup accounting came with the helper bpf_ktime_get_coarse_ns: does a program that calls it load? */
function accountsToCgroup(libc: Libc): boolean {
  const insns = new Uint8Array(16);
  const view = new DataView(insns.buffer);
  view.setUint8(0, 0x85); // call
  view.setInt32(4, BPF_FUNC_KTIME_GET_COARSE_NS, hostLittleEndian);
  view.setUint8(8, 0x95); // exit
  const fields = progLoadAttr({ type: BPF_PROG_TYPE.SOCKET_FILTER, insns, license: 'GPL' }, libc.address);
  const fd = libc.bpf(BPF_CMD.PROG_LOAD, Number(libc.address(fields.bytes)), fields.end);
  fields.release();
  if (fd >= 0) libc.close(fd);
  return fd >= 0;
}
