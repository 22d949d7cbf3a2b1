import { hostLittleEndian } from '../bytes.js';
import { BpfError, printable } from '../errors.js';
import type { Reason } from '../link/attach-error.js';
import { parseIp } from '../map/ip-text.js';
import { kernelVersion } from '../uapi.js';
import { type Runnable, type RunResult, testRun } from './test-run.js';

/** Where a packet comes from and goes to, in IPv4. */
interface Ip4Ends {
  /** `192.0.2.1`. */
  readonly remote_ip4: string;
  readonly local_ip4: string;
  readonly remote_ip6?: undefined;
  readonly local_ip6?: undefined;
}

/** Where a packet comes from and goes to, in IPv6. */
interface Ip6Ends {
  /** `2001:db8::1`. */
  readonly remote_ip6: string;
  readonly local_ip6: string;
  readonly remote_ip4?: undefined;
  readonly local_ip4?: undefined;
}

/**
 * A connection or datagram that looks for its socket: the fields of `struct bpf_sk_lookup` that a run takes. `family` is
 * that of the addresses. Ports are plain numbers, also the remote one, which the program sees in network byte order.
 */
export type SkLookupContext = (Ip4Ends | Ip6Ends) & {
  /** IPPROTO_TCP (6) or IPPROTO_UDP (17). */
  readonly protocol: number;
  readonly remote_port: number;
  readonly local_port: number;
};

/** How an sk_lookup program is run. */
export interface SkLookupRun {
  /** Times to run it, for `duration`; 1 when absent. */
  readonly repeat?: number;
}

/** What an sk_lookup program decided. */
export interface SkLookupRunResult extends RunResult {
  /** `returnValue` by its name. A program that chose a socket passes. */
  readonly action: 'SK_PASS' | 'SK_DROP' | undefined;
  /** Of the socket that it chose (SO_COOKIE of getsockopt); 0n when it chose none and the kernel goes on to look. */
  readonly cookie: bigint;
}

/** `struct bpf_sk_lookup` (include/uapi/linux/bpf.h), as long as it is since Linux 5.17. */
const LOOKUP = {
  cookie: 0,
  family: 8,
  protocol: 12,
  remote_ip4: 16,
  remote_ip6: 20,
  remote_port: 36,
  local_ip4: 40,
  local_ip6: 44,
  local_port: 60,
  size: 72,
} as const;
const AF_INET = 2;
const AF_INET6 = 10;
const actions = ['SK_DROP', 'SK_PASS'] as const;

/** After bpf_prog_test_run_sk_lookup of net/bpf/test_run.c. */
export function runSkLookup(
  program: Runnable,
  context: SkLookupContext,
  { repeat = 1 }: SkLookupRun = {},
): SkLookupRunResult {
  const bytes = encode(program.name, context);
  const run = { context: bytes, contextOutSize: LOOKUP.size, repeat };
  const result = testRun(program, run, (errno) => whyNot(program, errno));
  const left = new Uint8Array(LOOKUP.size);
  left.set(result.context.subarray(0, LOOKUP.size));
  return {
    returnValue: result.returnValue | 0,
    action: actions[result.returnValue],
    duration: result.duration,
    cookie: new DataView(left.buffer).getBigUint64(LOOKUP.cookie, hostLittleEndian),
  };
}

function encode(program: string, context: SkLookupContext): Uint8Array {
  const v6 = context.remote_ip6 !== undefined;
  const remote = v6 ? context.remote_ip6 : context.remote_ip4;
  const local = v6 ? context.local_ip6 : context.local_ip4;
  const bytes = new Uint8Array(LOOKUP.size);
  const view = new DataView(bytes.buffer);
  view.setUint32(LOOKUP.family, v6 ? AF_INET6 : AF_INET, hostLittleEndian);
  view.setUint32(LOOKUP.protocol, context.protocol, hostLittleEndian);
  bytes.set(address(program, remote, v6), v6 ? LOOKUP.remote_ip6 : LOOKUP.remote_ip4);
  bytes.set(address(program, local, v6), v6 ? LOOKUP.local_ip6 : LOOKUP.local_ip4);
  view.setUint16(LOOKUP.remote_port, port(program, context.remote_port), false);
  view.setUint32(LOOKUP.local_port, port(program, context.local_port), hostLittleEndian);
  return bytes;
}

function address(program: string, text: string | undefined, v6: boolean): Uint8Array {
  const bytes = parseIp(String(text));
  if (bytes?.length === (v6 ? 16 : 4)) return bytes;
  throw notRun(program, `${printable(String(text), 60)} is no address of IPv${v6 ? 6 : 4}`);
}

function port(program: string, port: number): number {
  if (Number.isInteger(port) && port >= 0 && port <= 0xffff) return port;
  throw notRun(program, `${port} is no port`);
}

function notRun(program: string, why: string): BpfError {
  return new BpfError('ERR_BPF_ARGUMENT', `run "${printable(program)}": ${why}`);
}

function whyNot({ kernel }: Runnable, errno: string): Reason | undefined {
  if (errno === 'EAFNOSUPPORT') return { why: 'this kernel was built without IPv6' };
  if (errno !== 'EOPNOTSUPP' || kernel.version < kernelVersion(5, 13)) return undefined;
  return {
    why: 'the program chose a socket of a group that shares its port, and a run does not choose among those',
    hint: 'Call bpf_sk_assign() with BPF_SK_LOOKUP_F_NO_REUSEPORT, or try it with a socket without SO_REUSEPORT',
  };
}
