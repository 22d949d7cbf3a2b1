import { hostLittleEndian } from '../bytes.js';
import type { Reason } from '../link/attach-error.js';
import { BPF_F_TEST_XDP_LIVE_FRAMES, kernelVersion } from '../uapi.js';
import { whyNotPacket } from './packet-run.js';
import { type Runnable, type RunResult, testRun } from './test-run.js';

/** What an XDP program can say of a packet, by `enum xdp_action`. */
export type XdpAction = 'XDP_ABORTED' | 'XDP_DROP' | 'XDP_PASS' | 'XDP_TX' | 'XDP_REDIRECT';
const actions: readonly XdpAction[] = ['XDP_ABORTED', 'XDP_DROP', 'XDP_PASS', 'XDP_TX', 'XDP_REDIRECT'];

/** Where a packet seems to come from: fields of `struct xdp_md`. Linux 5.15. */
export interface XdpContext {
  /** Index of the device that received it; the loopback device unless it is given. */
  readonly ingress_ifindex?: number;
  /** Of that device. */
  readonly rx_queue_index?: number;
}

/** How an XDP program is run on a packet. */
export interface XdpRun {
  readonly context?: XdpContext;
  /** What lies in front of the packet between data_meta and data: a multiple of 4 bytes, 252 at most. Linux 5.15. */
  readonly metadata?: Uint8Array;
  /** Times to run it, for `duration`; 1 when absent. */
  readonly repeat?: number;
  /** Room for metadata and packet as the program leaves them, in bytes; 256 more than they had when absent. */
  readonly dataOutSize?: number;
}

/** What an XDP program did with a packet. */
export interface XdpRunResult extends RunResult {
  /** `returnValue` by its name; undefined for a number that is none, which the kernel treats as XDP_ABORTED. */
  readonly action: XdpAction | undefined;
  /** The packet as the program left it, and what lies in front of it. */
  readonly packet: Uint8Array;
  readonly metadata: Uint8Array;
}

/** How packets are sent through an XDP program for real. */
export interface XdpInjection {
  /** Where they seem to come from. */
  readonly context?: XdpContext;
  /** How many; 1 when absent. */
  readonly repeat?: number;
  /** How many go through at once, 64 when absent, 256 at most. */
  readonly batchSize?: number;
}

/** struct xdp_md. */
const MD = { data: 0, data_end: 4, ingress_ifindex: 12, rx_queue_index: 16, size: 24 } as const;
/** What a page leaves to a packet that is in one piece: XDP_PACKET_HEADROOM and struct skb_shared_info are off. */
const ONE_PIECE = 4096 - 256 - 320;

export function runXdp(program: Runnable, packet: Uint8Array, run: XdpRun = {}): XdpRunResult {
  const { context, metadata = new Uint8Array(0), repeat = 1, dataOutSize } = run;
  const data = new Uint8Array(metadata.length + packet.length);
  data.set(metadata);
  data.set(packet, metadata.length);
  // Only then does the kernel tell where the packet begins afterwards.
  const knows = program.kernel.version >= kernelVersion(5, 15);
  const given = knows || context !== undefined || metadata.length > 0;
  const result = testRun(
    program,
    {
      data,
      repeat,
      ...(given && { context: encode(context, metadata.length, data.length), contextOutSize: MD.size }),
      ...(dataOutSize !== undefined && { dataOutSize }),
    },
    (errno) => whyNot(program, packet, run, errno),
  );
  const begins = given ? beginOf(result.context) : 0;
  return {
    returnValue: result.returnValue | 0,
    action: actions[result.returnValue],
    duration: result.duration,
    metadata: result.data.subarray(0, begins),
    packet: result.data.subarray(begins),
  };
}

/** BPF_F_TEST_XDP_LIVE_FRAMES, Linux 5.18. */
export function injectXdp(program: Runnable, packet: Uint8Array, run: XdpInjection = {}): void {
  const { context = {}, repeat = 1, batchSize } = run;
  testRun(
    program,
    {
      data: packet,
      dataOutSize: 0,
      context: encode(context, 0, packet.length),
      repeat,
      flags: BPF_F_TEST_XDP_LIVE_FRAMES,
      ...(batchSize !== undefined && { batchSize }),
    },
    (errno) => whyNotLive(program, errno) ?? whyNot(program, packet, { context }, errno),
  );
}

function encode(context: XdpContext | undefined, begin: number, end: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(MD.size));
  const put = (offset: number, value = 0) => view.setUint32(offset, value, hostLittleEndian);
  put(MD.data, begin);
  put(MD.data_end, end);
  put(MD.ingress_ifindex, context?.ingress_ifindex);
  put(MD.rx_queue_index, context?.rx_queue_index);
  return new Uint8Array(view.buffer);
}

function beginOf(context: Uint8Array): number {
  const view = new DataView(context.buffer, context.byteOffset, context.byteLength);
  return context.length < 4 ? 0 : view.getUint32(MD.data, hostLittleEndian);
}

function whyNotLive({ kernel }: Runnable, errno: string): Reason | undefined {
  if (errno !== 'EINVAL' || kernel.version >= kernelVersion(5, 18)) return undefined;
  return {
    why: `the kernel sends packets through a program since Linux 5.18, this is ${kernel.release}`,
    unsupported: { feature: 'live XDP frames', since: '5.18' },
  };
}

function whyNot(
  { kernel }: Runnable,
  packet: Uint8Array,
  { context, metadata }: XdpRun,
  errno: string,
): Reason | undefined {
  if (errno === 'ENODEV') return { why: `there is no device ${context?.ingress_ifindex}` };
  if (errno !== 'EINVAL') return undefined;
  if ((context || metadata) && kernel.version < kernelVersion(5, 15)) {
    return {
      why: `the kernel takes a context for XDP programs since Linux 5.15, this is ${kernel.release}`,
      unsupported: { feature: 'context of XDP test runs', since: '5.15' },
    };
  }
  const size = metadata?.length ?? 0;
  if (size % 4 !== 0 || size > 252) {
    return { why: `metadata is a multiple of 4 bytes up to 252, not ${size}` };
  }
  if (packet.length > ONE_PIECE && kernel.version < kernelVersion(5, 18)) {
    return { why: `a packet of ${packet.length} bytes is longer than the page this kernel gives it` };
  }
  if (context?.rx_queue_index !== undefined && context.ingress_ifindex === undefined) {
    return { why: 'rx_queue_index is of a device: give ingress_ifindex with it' };
  }
  return whyNotPacket(packet, errno);
}
