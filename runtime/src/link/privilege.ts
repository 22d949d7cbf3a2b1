import type { Kernel } from '../kernel/kernel.js';
import { kernelVersion } from '../uapi.js';
import type { Reason } from './attach-error.js';
import { readText } from './text.js';

// include/uapi/linux/capability.h
const capabilityBits = {
  CAP_NET_ADMIN: 12,
  CAP_NET_RAW: 13,
  CAP_SYS_ADMIN: 21,
  CAP_PERFMON: 38,
  CAP_BPF: 39,
} as const;

export type Capability = keyof typeof capabilityBits;

/** Capabilities CAP_SYS_ADMIN stands in for (include/linux/capability.h, perfmon_capable and bpf_capable). */
const implied: readonly Capability[] = ['CAP_PERFMON', 'CAP_BPF'];

/** Those of `needs` that this process does not hold; undefined when `/proc` does not say. */
export function missingCapabilities(
  kernel: Kernel,
  needs: readonly Capability[],
): readonly Capability[] | undefined {
  const line = /^CapEff:\s*([0-9a-f]+)$/m.exec(readText(kernel, '/proc/self/status') ?? '')?.[1];
  if (line === undefined) return undefined;
  const held = BigInt(`0x${line}`);
  const has = (name: Capability) => ((held >> BigInt(capabilityBits[name])) & 1n) === 1n;
  // Before 5.8 there was neither CAP_BPF nor CAP_PERFMON.
  const real =
    kernel.version < kernelVersion(5, 8)
      ? needs.map((name) => (implied.includes(name) ? 'CAP_SYS_ADMIN' : name))
      : needs;
  return [...new Set(real)].filter((name) => !has(name) && !(implied.includes(name) && has('CAP_SYS_ADMIN')));
}

/**
 * Why this host answers EPERM or EACCES to something that `needs` these capabilities: the first of missing
 * capabilities, a seccomp filter, kernel lockdown that holds here. Undefined when none does.
 */
export function whyRefused(kernel: Kernel, needs: readonly Capability[]): Reason | undefined {
  const missing = missingCapabilities(kernel, needs);
  if (missing !== undefined && missing.length > 0) {
    const names = missing.join(' and ');
    return {
      why: `this process lacks ${names}`,
      hint: `Run as root, or give a private copy of node the capability: setcap ${missing
        .map((name) => name.toLowerCase())
        .join(',')}+ep NODE`,
    };
  }
  if (/^Seccomp:\s*2$/m.test(readText(kernel, '/proc/self/status') ?? '')) {
    return {
      why: `${needs.join(' and ')} ${needs.length > 1 ? 'are' : 'is'} held, but a seccomp filter is on`,
      hint: 'In a container, allow bpf(2) and perf_event_open(2): docker run --cap-add BPF --cap-add PERFMON',
    };
  }
  const lockdown = /\[(integrity|confidentiality)\]/.exec(
    readText(kernel, '/sys/kernel/security/lockdown') ?? '',
  )?.[1];
  return lockdown === undefined ? undefined : { why: `kernel lockdown is on (${lockdown})` };
}
