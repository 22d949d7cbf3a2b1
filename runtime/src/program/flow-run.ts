import { hostLittleEndian } from '../bytes.js';
import { formatIp } from '../map/ip-text.js';
import { whyNotPacket } from './packet-run.js';
import { type Runnable, type RunResult, testRun } from './test-run.js';

/** `struct bpf_flow_keys`: what a packet's flow is known by. Numbers are in the order of this host, ports too. */
export interface FlowKeys {
  /** Where the network header begins, in bytes. */ readonly nhoff: number;
  /** Where the transport header begins, in bytes. */ readonly thoff: number;
  /** ETH_P_IP (0x0800), ETH_P_IPV6 (0x86dd), or 0: which of the addresses there are. */ readonly addr_proto: number;
  readonly is_frag: boolean;
  readonly is_first_frag: boolean;
  readonly is_encap: boolean;
  /** IPPROTO_* of the transport header. */ readonly ip_proto: number;
  /** ETH_P_* of the network header. */ readonly n_proto: number;
  readonly sport: number;
  readonly dport: number;
  /** As text; undefined unless `addr_proto` is ETH_P_IP. */ readonly ipv4_src: string | undefined;
  readonly ipv4_dst: string | undefined;
  /** As text; undefined unless `addr_proto` is ETH_P_IPV6. */ readonly ipv6_src: string | undefined;
  readonly ipv6_dst: string | undefined;
  /** BPF_FLOW_DISSECTOR_F_*, as given; Linux 5.4. */ readonly flags: number;
  /** Linux 5.4. */ readonly flow_label: number;
}

/** How a flow dissector is run on a packet. */
export interface FlowRun {
  /** BPF_FLOW_DISSECTOR_F_*: to parse first fragments (1), to stop at a flow label (2), to stop at a tunnel (4). Linux 5.4. */
  readonly flags?: number;
  /** Times to run it, for `duration`; 1 when absent. */
  readonly repeat?: number;
}

/** What a flow dissector made of a packet. */
export interface FlowRunResult extends RunResult {
  /** `returnValue` by its name: BPF_FLOW_DISSECTOR_CONTINUE (Linux 6.1) leaves the packet to the kernel's own dissector. */
  readonly action: 'BPF_OK' | 'BPF_DROP' | 'BPF_FLOW_DISSECTOR_CONTINUE' | undefined;
  readonly keys: FlowKeys;
}

/** Offsets in `struct bpf_flow_keys` (include/uapi/linux/bpf.h). */
const KEYS = {
  nhoff: 0,
  thoff: 2,
  addr_proto: 4,
  is_frag: 6,
  is_first_frag: 7,
  is_encap: 8,
  ip_proto: 9,
  n_proto: 10,
  sport: 12,
  dport: 14,
  ipv4_src: 16,
  ipv4_dst: 20,
  ipv6_src: 16,
  ipv6_dst: 32,
  flags: 48,
  flow_label: 52,
  size: 56,
} as const;
const ETH_P_IP = 0x0800;
const ETH_P_IPV6 = 0x86dd;
const actions = new Map([
  [0, 'BPF_OK'],
  [2, 'BPF_DROP'],
  [129, 'BPF_FLOW_DISSECTOR_CONTINUE'],
] as const);

/** After bpf_prog_test_run_flow_dissector of net/bpf/test_run.c. `packet` begins with its Ethernet header. */
export function runFlow(
  program: Runnable,
  packet: Uint8Array,
  { flags, repeat = 1 }: FlowRun = {},
): FlowRunResult {
  const run = {
    data: packet,
    dataOutSize: KEYS.size,
    repeat,
    ...(flags !== undefined && { context: encode(flags) }),
  };
  const result = testRun(program, run, (errno) => whyNotPacket(packet, errno));
  const bytes = new Uint8Array(KEYS.size);
  // Older kernels have less of it.
  bytes.set(result.data.subarray(0, KEYS.size));
  return {
    returnValue: result.returnValue | 0,
    action: (actions as ReadonlyMap<number, FlowRunResult['action']>).get(result.returnValue),
    duration: result.duration,
    keys: decode(bytes),
  };
}

function encode(flags: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(KEYS.size));
  view.setUint32(KEYS.flags, flags, hostLittleEndian);
  return new Uint8Array(view.buffer);
}

function decode(bytes: Uint8Array): FlowKeys {
  const view = new DataView(bytes.buffer);
  const half = (at: number) => view.getUint16(at, hostLittleEndian);
  const wire = (at: number) => view.getUint16(at, false);
  const set = (at: number) => view.getUint8(at) !== 0;
  const addr_proto = half(KEYS.addr_proto);
  const ip = (at: number, proto: number, size: number) =>
    addr_proto === proto ? formatIp(bytes.subarray(at, at + size)) : undefined;
  return {
    nhoff: half(KEYS.nhoff),
    thoff: half(KEYS.thoff),
    addr_proto,
    is_frag: set(KEYS.is_frag),
    is_first_frag: set(KEYS.is_first_frag),
    is_encap: set(KEYS.is_encap),
    ip_proto: view.getUint8(KEYS.ip_proto),
    n_proto: wire(KEYS.n_proto),
    sport: wire(KEYS.sport),
    dport: wire(KEYS.dport),
    ipv4_src: ip(KEYS.ipv4_src, ETH_P_IP, 4),
    ipv4_dst: ip(KEYS.ipv4_dst, ETH_P_IP, 4),
    ipv6_src: ip(KEYS.ipv6_src, ETH_P_IPV6, 16),
    ipv6_dst: ip(KEYS.ipv6_dst, ETH_P_IPV6, 16),
    flags: view.getUint32(KEYS.flags, hostLittleEndian),
    flow_label: view.getUint32(KEYS.flow_label, false),
  };
}
