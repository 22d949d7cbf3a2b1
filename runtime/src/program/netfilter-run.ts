import type { Reason } from '../link/attach-error.js';
import type { NetfilterHook } from '../link/netfilter.js';
import { NETFILTER_FAMILY, NETFILTER_HOOK } from '../uapi.js';
import { type Runnable, type RunResult, testRun } from './test-run.js';

/** How a netfilter program is run on a packet. */
export interface NetfilterRun {
  /** The hook the packet seems to be at (`ctx->state->hook`); `output` when absent. */
  readonly hook?: NetfilterHook;
  /** Times to run it, for `duration`; 1 when absent. */
  readonly repeat?: number;
}

/** What a netfilter program decided on a packet. */
export interface NetfilterRunResult extends RunResult {
  /** `returnValue` by its name. */
  readonly verdict: 'NF_DROP' | 'NF_ACCEPT' | undefined;
}

const verdicts = ['NF_DROP', 'NF_ACCEPT'] as const;
/** `struct nf_hook_state` begins with these; what follows are pointers, which have to be NULL. */
const STATE = { hook: 0, pf: 1, size: 2 } as const;
const ETHERNET_HEADER = 14;
const headers = {
  ipv4: { size: 20, protocol: 0x0800 },
  ipv6: { size: 40, protocol: 0x86dd },
} as const;

/**
 * After bpf_prog_test_run_nf of net/bpf/test_run.c. `packet` begins with its IP header, which also says of which family it
 * is; the Ethernet header that the kernel wants at all hooks but `output` is made here.
 */
export function runNetfilter(
  program: Runnable,
  packet: Uint8Array,
  { hook = 'output', repeat = 1 }: NetfilterRun = {},
): NetfilterRunResult {
  const family = (packet[0] ?? 0) >> 4 === 6 ? 'ipv6' : 'ipv4';
  const context = new Uint8Array(STATE.size);
  context[STATE.hook] = NETFILTER_HOOK[hook];
  context[STATE.pf] = NETFILTER_FAMILY[family];
  const data = hook === 'output' ? packet : framed(packet, headers[family].protocol);
  const run = { data, dataOutSize: 0, context, repeat };
  const result = testRun(program, run, (errno) => whyNot(packet, headers[family].size, errno));
  return {
    returnValue: result.returnValue | 0,
    verdict: verdicts[result.returnValue],
    duration: result.duration,
  };
}

function framed(packet: Uint8Array, protocol: number): Uint8Array {
  const data = new Uint8Array(ETHERNET_HEADER + packet.length);
  new DataView(data.buffer).setUint16(ETHERNET_HEADER - 2, protocol, false);
  data.set(packet, ETHERNET_HEADER);
  return data;
}

function whyNot(packet: Uint8Array, header: number, errno: string): Reason | undefined {
  if (errno !== 'EINVAL' || packet.length >= header) return undefined;
  return { why: `a packet begins with an IP header of ${header} bytes, and this one has ${packet.length}` };
}
