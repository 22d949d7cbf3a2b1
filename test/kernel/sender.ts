import { encodeInsns, type Insn, LD_IMM64, PseudoLoad } from '../../runtime/src/insn.js';
import type { Fd } from '../../runtime/src/kernel/kernel.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { BPF_MAP_TYPE, BPF_PROG_TYPE } from '../../runtime/src/uapi.js';

const BPF_RB_NO_WAKEUP = 1;

/** A program that sends numbered records, 16 bytes: `__u64 number, ns`. */
export interface Sender {
  /** Runs the program so many times in the kernel. */
  send(count: number): void;
  close(): void;
}

// call of a helper; r1 = fd of a map (two slots); r = r10 - 16, where the record lies
const call = (helper: number): Insn => ({ code: 0x85, imm: helper });
const mapFd = (dst: number, fd: Fd): Insn[] => [
  { code: LD_IMM64, dst, src: PseudoLoad.MAP_FD, imm: fd },
  { code: 0 },
];
const record = (dst: number): Insn[] => [
  { code: 0xbf, dst, src: 10 },
  { code: 0x07, dst, imm: -16 },
];
const set = (dst: number, imm: number): Insn => ({ code: 0xb7, dst, imm });

/** bpf_ringbuf_output into `ring`. */
export function ringSender(ring: Fd, { wakeup = true } = {}): Sender {
  const flags = wakeup ? 0 : BPF_RB_NO_WAKEUP;
  return load([...mapFd(1, ring), ...record(2), set(3, 16), set(4, flags), call(130)]);
}

/** bpf_ringbuf_reserve and bpf_ringbuf_discard. */
export function discardingSender(ring: Fd): Sender {
  return load([
    ...mapFd(1, ring),
    set(2, 16),
    set(3, 0),
    call(131),
    { code: 0x15, dst: 0, off: 3 }, // if r0 == 0 goto +3
    { code: 0xbf, dst: 1, src: 0 },
    set(2, 0),
    call(133),
  ]);
}

/** bpf_perf_event_output to `map`, on whichever CPU it runs. */
export function perfSender(map: Fd): Sender {
  return load([
    { code: 0xbf, dst: 1, src: 6 },
    ...mapFd(2, map),
    { code: 0xb4, dst: 3, imm: -1 }, // BPF_F_CURRENT_CPU
    ...record(4),
    set(5, 16),
    call(25),
  ]);
}

function load(send: readonly Insn[]): Sender {
  const kernel = linuxKernel();
  const counter = kernel.mapCreate({ type: BPF_MAP_TYPE.ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 });
  const insns = [
    { code: 0xbf, dst: 6, src: 1 }, // r6 = context
    { code: LD_IMM64, dst: 1, src: PseudoLoad.MAP_VALUE, imm: counter },
    { code: 0 },
    set(2, 1),
    { code: 0xdb, dst: 1, src: 2, imm: 1 }, // r2 = fetch and add 1
    { code: 0x7b, dst: 10, src: 2, off: -16 },
    call(5), // bpf_ktime_get_ns
    { code: 0x7b, dst: 10, src: 0, off: -8 },
    ...send,
    set(0, 2), // XDP_PASS
    { code: 0x95 },
  ];
  const prog = kernel.progLoad({
    type: BPF_PROG_TYPE.XDP,
    insns: encodeInsns(insns, kernel.littleEndian),
    license: 'GPL',
  });
  kernel.close(counter);
  const data = new Uint8Array(64);
  return {
    send: (repeat) => void kernel.progTestRun(prog, { data, repeat }),
    close: () => kernel.close(prog),
  };
}
