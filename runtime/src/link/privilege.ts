import type { Kernel } from '../kernel/kernel.js';
import { kernelVersion } from '../uapi.js';
import type { Reason } from './attach-error.js';
import { readText } from './text.js';

// include/uapi/linux/capability.h
const capabilityBits = {
  CAP_NET_ADMIN: 12,
  CAP_NET_RAW: 13,
  CAP_SYS_ADMIN: 21,
  CAP_SYS_RESOURCE: 24,
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
 * capabilities, a user namespace, a seccomp filter, kernel lockdown that holds here; the kernel checks in this order.
 * Undefined when none does.
 */
export function whyRefused(kernel: Kernel, needs: readonly Capability[]): Reason | undefined {
  return lackOf(kernel, needs) ?? userNamespace(kernel) ?? seccomp(kernel) ?? lockdown(kernel);
}

function lackOf(kernel: Kernel, needs: readonly Capability[]): Reason | undefined {
  const missing = missingCapabilities(kernel, needs) ?? [];
  if (missing.length === 0) return undefined;
  const closed = /^[12]/.test(readText(kernel, '/proc/sys/kernel/unprivileged_bpf_disabled') ?? '');
  const forAll = closed && missing.includes('CAP_BPF') ? ', and this kernel keeps BPF from others' : '';
  return {
    why: `this process lacks ${missing.join(' and ')}${forAll}`,
    hint: `Run as root, or give a private copy of node the ${missing.length > 1 ? 'capabilities' : 'capability'}: setcap ${missing
      .map((name) => name.toLowerCase())
      .join(',')}+ep NODE`,
  };
}

function userNamespace(kernel: Kernel): Reason | undefined {
  const map = (readText(kernel, '/proc/self/uid_map') ?? '').trim();
  if (map === '' || /^0\s+0\s+4294967295$/.test(map)) return undefined;
  return {
    why: 'this process is root in a user namespace only, where BPF capabilities do not count',
    hint: 'Run it in the initial user namespace (for containers: not rootless), or delegate a BPF token',
  };
}

function seccomp(kernel: Kernel): Reason | undefined {
  if (!/^Seccomp:\s*2$/m.test(readText(kernel, '/proc/self/status') ?? '')) return undefined;
  const why = 'no capability is missing, but a seccomp filter is on';
  return readText(kernel, '/.dockerenv') === undefined
    ? { why, hint: 'Let the filter pass bpf(2) and perf_event_open(2)' }
    : {
        why: `${why} in this container`,
        hint: 'Start it with docker run --cap-add BPF --cap-add PERFMON, or with a seccomp profile that allows bpf and perf_event_open',
      };
}

/** The milder lockdown, "integrity", forbids nothing that BPF programs are refused for (include/linux/security.h). */
function lockdown(kernel: Kernel): Reason | undefined {
  const mode = readText(kernel, '/sys/kernel/security/lockdown') ?? '';
  if (!mode.includes('[confidentiality]')) return undefined;
  return {
    why: 'kernel lockdown is "confidentiality", which keeps BPF from reading kernel memory',
    hint: 'Programs that do not (tc, cgroup_skb) still work; the boot option lockdown=integrity lets the others',
  };
}
