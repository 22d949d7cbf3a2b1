import { hostLittleEndian } from '../bytes.js';
import type { Reason } from '../link/attach-error.js';
import { type Runnable, type RunResult, testRun } from './test-run.js';

/** `struct __sk_buff` as far as a run can give and see it. Fields have C's names. */
export interface SkBuff {
  readonly len: number;
  readonly pkt_type: number;
  readonly mark: number;
  readonly queue_mapping: number;
  readonly protocol: number;
  readonly vlan_present: number;
  readonly vlan_tci: number;
  readonly vlan_proto: number;
  readonly priority: number;
  /** Index of the device it came in on. */ readonly ingress_ifindex: number;
  /** Index of the device the program sees; the loopback device unless it is given. */ readonly ifindex: number;
  readonly tc_index: number;
  /** Five words for the program. */ readonly cb: readonly number[];
  readonly hash: number;
  readonly tc_classid: number;
  /** Nanoseconds. */ readonly tstamp: bigint;
  readonly wire_len: number;
  readonly gso_segs: number;
  readonly gso_size: number;
  /** Nanoseconds; Linux 5.16. */ readonly hwtstamp: bigint;
}

/** What the kernel takes of a `struct __sk_buff` (convert___skb_to_skb in net/bpf/test_run.c). */
export type SkBuffInput = Partial<
  Pick<
    SkBuff,
    | 'mark'
    | 'priority'
    | 'ingress_ifindex'
    | 'ifindex'
    | 'cb'
    | 'tstamp'
    | 'wire_len'
    | 'gso_segs'
    | 'gso_size'
    | 'hwtstamp'
  >
>;

/** How a program is run on a packet. */
export interface PacketRun {
  /** What the program sees of `struct __sk_buff` besides the packet. Linux 5.2. */
  readonly context?: SkBuffInput;
  /** Times to run it, for `duration`; 1 when absent. */
  readonly repeat?: number;
  /** Room for the packet as the program leaves it, in bytes; 256 more than it had when absent. */
  readonly dataOutSize?: number;
  /** BPF_F_TEST_* of newer kernels. */
  readonly flags?: number;
}

/** What a program did with a packet. */
export interface PacketRunResult extends RunResult {
  /** The packet as the program left it. */
  readonly packet: Uint8Array;
  /** `struct __sk_buff` as it left that; of older kernels (before 5.2) zeros. */
  readonly context: SkBuff;
}

const SIZE = 192;
type Word = { [F in keyof SkBuff]: SkBuff[F] extends number ? F : never }[keyof SkBuff];

/** Offsets of 32-bit fields in `struct __sk_buff` (include/uapi/linux/bpf.h), which only grows at its end. */
const words: Readonly<Record<Word, number>> = {
  len: 0,
  pkt_type: 4,
  mark: 8,
  queue_mapping: 12,
  protocol: 16,
  vlan_present: 20,
  vlan_tci: 24,
  vlan_proto: 28,
  priority: 32,
  ingress_ifindex: 36,
  ifindex: 40,
  tc_index: 44,
  hash: 68,
  tc_classid: 72,
  wire_len: 160,
  gso_segs: 164,
  gso_size: 176,
};
const CB = 48;
const TSTAMP = 152;
const HWTSTAMP = 184;

/** Runs a program of one of the kinds that see packets of the network stack. */
export function runOnPacket(program: Runnable, packet: Uint8Array, run: PacketRun = {}): PacketRunResult {
  const { context, repeat = 1, dataOutSize, flags } = run;
  const result = testRun(
    program,
    {
      data: packet,
      repeat,
      contextOutSize: SIZE,
      ...(context && { context: encode(context) }),
      ...(dataOutSize !== undefined && { dataOutSize }),
      ...(flags !== undefined && { flags }),
    },
    (errno) => whyNotPacket(packet, errno),
  );
  const seen = new Uint8Array(SIZE);
  seen.set(result.context.subarray(0, SIZE));
  return {
    returnValue: result.returnValue | 0,
    duration: result.duration,
    packet: result.data,
    context: decode(new DataView(seen.buffer)),
  };
}

const ETHERNET_HEADER = 14;

/** What bpf_test_init() checks before anything else. */
export function whyNotPacket(packet: Uint8Array, errno: string): Reason | undefined {
  if (errno !== 'EINVAL' || packet.length >= ETHERNET_HEADER) return undefined;
  return {
    why: `a packet begins with an Ethernet header of ${ETHERNET_HEADER} bytes, and this one has ${packet.length}`,
  };
}

function encode(given: SkBuffInput): Uint8Array {
  const bytes = new Uint8Array(SIZE);
  const view = new DataView(bytes.buffer);
  for (const [field, offset] of Object.entries(words)) {
    const value: unknown = Reflect.get(given, field);
    if (typeof value === 'number') view.setUint32(offset, value, hostLittleEndian);
  }
  (given.cb ?? []).slice(0, 5).forEach((word, i) => {
    view.setUint32(CB + 4 * i, word, hostLittleEndian);
  });
  view.setBigUint64(TSTAMP, given.tstamp ?? 0n, hostLittleEndian);
  view.setBigUint64(HWTSTAMP, given.hwtstamp ?? 0n, hostLittleEndian);
  return bytes;
}

function decode(view: DataView): SkBuff {
  const word = (offset: number) => view.getUint32(offset, hostLittleEndian);
  const numbers = Object.fromEntries(Object.entries(words).map(([field, at]) => [field, word(at)]));
  return {
    ...(numbers as Record<Word, number>), // one for each key of `words`
    cb: [0, 1, 2, 3, 4].map((i) => word(CB + 4 * i)),
    tstamp: view.getBigUint64(TSTAMP, hostLittleEndian),
    hwtstamp: view.getBigUint64(HWTSTAMP, hostLittleEndian),
  };
}
