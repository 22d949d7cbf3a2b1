import type { BpfError } from '../errors.js';
import { printable } from '../errors.js';
import { ERRNO } from '../kernel/errno.js';
import type { Kernel, MapCreate } from '../kernel/kernel.js';
import type { Reason } from '../link/attach-error.js';
import { type Capability, missingCapabilities, whyRefused } from '../link/privilege.js';
import { readText } from '../link/text.js';
import { BPF_MAP_TYPE, BPF_PROG_TYPE, kernelVersion } from '../uapi.js';
import { brokenRule } from './map-rules.js';
import { mapTypeSince, progTypeSince, sinceOf } from './since.js';

/** What was asked of the kernel when it refused. */
export type Request =
  | { readonly map: MapCreate }
  | { readonly program: { readonly type: number; readonly name: string } }
  | { readonly btf: true };

/**
 * Why the kernel refused, as far as this host shows it: the first cause that was checked and holds, and what to do.
 * Undefined when nothing that was checked explains it. A program the verifier rejected is not asked about here: its log
 * says why.
 */
export function explain(kernel: Kernel, error: BpfError, request: Request): Reason | undefined {
  switch (error.errno) {
    case ERRNO.EPERM:
      return whyForbidden(kernel, request);
    case ERRNO.EACCES:
      // Without a log this comes from a security module, not from the verifier.
      return 'program' in request ? undefined : securityModules(kernel);
    case ERRNO.EINVAL:
      return tooOld(kernel, request) ?? tooOldForExclusive(kernel, request) ?? badShape(kernel, request);
    case ERRNO.E2BIG:
      return 'map' in request ? tooLarge(request.map) : undefined;
    case ERRNO.ENOMEM:
      return 'map' in request ? outOfMemory(request.map) : undefined;
    case ERRNO.ENOSYS:
      return { why: 'this kernel was built without bpf(2): it needs CONFIG_BPF_SYSCALL=y' };
    case ERRNO.EMFILE:
      return fileLimit(kernel);
    default:
      return undefined;
  }
}

function whyForbidden(kernel: Kernel, request: Request): Reason | undefined {
  return whyRefused(kernel, openToAll(kernel, request) ? [] : neededFor(kernel, request)) ?? memlock(kernel);
}

/** As bpf_prog_load and map_create ask for them (kernel/bpf/syscall.c, is_net_admin_prog_type, is_perfmon_prog_type). */
function neededFor(kernel: Kernel, request: Request): readonly Capability[] {
  // Loading, unlike attaching, takes CAP_SYS_ADMIN for all of them (bpf_token_capable).
  if (missingCapabilities(kernel, ['CAP_SYS_ADMIN'])?.length === 0) return [];
  if (!('program' in request)) return ['CAP_BPF'];
  const name = sinceOf(BPF_PROG_TYPE, progTypeSince, request.program.type)?.name ?? '';
  if (perfmonTypes.has(name)) return ['CAP_BPF', 'CAP_PERFMON'];
  return plainTypes.has(name) ? ['CAP_BPF'] : ['CAP_BPF', 'CAP_NET_ADMIN'];
}

/** What unprivileged processes may do where the sysctl lets them. */
function openToAll(kernel: Kernel, request: Request): boolean {
  if (!('program' in request)) return false;
  if (/^[12]/.test(read(kernel, '/proc/sys/kernel/unprivileged_bpf_disabled'))) return false;
  const { type } = request.program;
  return type === BPF_PROG_TYPE.SOCKET_FILTER || type === BPF_PROG_TYPE.CGROUP_SKB;
}

const perfmonTypes: ReadonlySet<string> = new Set([
  'KPROBE',
  'TRACEPOINT',
  'PERF_EVENT',
  'RAW_TRACEPOINT',
  'RAW_TRACEPOINT_WRITABLE',
  'TRACING',
  'LSM',
  'STRUCT_OPS',
  'EXT',
]);
const plainTypes: ReadonlySet<string> = new Set(['SOCKET_FILTER', 'SYSCALL', 'CGROUP_SKB', 'SK_REUSEPORT']);

function memlock(kernel: Kernel): Reason | undefined {
  if (kernel.version >= kernelVersion(5, 11)) return undefined;
  const limit = /^Max locked memory\s+(\d+)/m.exec(read(kernel, '/proc/self/limits'))?.[1];
  if (limit === undefined) return undefined;
  const mayRaise = missingCapabilities(kernel, ['CAP_SYS_RESOURCE'])?.length === 0;
  return {
    why: `RLIMIT_MEMLOCK is ${Math.floor(Number(limit) / 1024)} KiB and kernel ${printable(kernel.release)} counts BPF memory against it`,
    hint: mayRaise ? 'Raise it: ulimit -l unlimited' : 'Raising it needs CAP_SYS_RESOURCE',
  };
}

function securityModules(kernel: Kernel): Reason | undefined {
  const modules = read(kernel, '/sys/kernel/security/lsm').trim();
  const refusing = modules.split(',').filter((name) => name === 'selinux' || name === 'apparmor');
  if (refusing.length === 0) return undefined;
  return {
    why: `the security module ${refusing.join(' or ')} may forbid it`,
    hint: 'The audit log says so: dmesg, ausearch -m avc',
  };
}

const PERF_INSTEAD =
  "A perf event array works there: set the map's type to BPF_MAP_TYPE.PERF_EVENT_ARRAY before load, and let the program send with bpf_perf_event_output";

function tooOld(kernel: Kernel, request: Request): Reason | undefined {
  const [what, found] =
    'map' in request
      ? (['map type', sinceOf(BPF_MAP_TYPE, mapTypeSince, request.map.type)] as const)
      : 'program' in request
        ? (['program type', sinceOf(BPF_PROG_TYPE, progTypeSince, request.program.type)] as const)
        : (['BTF', { name: '', since: [4, 18] }] as const);
  if (found?.since === undefined) return undefined;
  const [major = 0, minor = 0] = found.since;
  if (kernel.version >= kernelVersion(major, minor)) return undefined;
  const feature = `${what}${found.name && ` ${found.name}`}`;
  return {
    why: `${feature} needs Linux ${major}.${minor}, this is ${printable(kernel.release)}`,
    hint: found.name === 'RINGBUF' ? PERF_INSTEAD : undefined,
    unsupported: { feature, since: `${major}.${minor}` },
  };
}

/** Kernels that do not know the hash of a program refuse attributes that are not zero there (CHECK_ATTR). */
function tooOldForExclusive(kernel: Kernel, request: Request): Reason | undefined {
  const exclusive = 'map' in request && request.map.exclusiveProgram !== undefined;
  if (!exclusive || kernel.version >= kernelVersion(6, 18)) return undefined;
  return {
    why: `a map for one program alone needs Linux 6.18, this is ${printable(kernel.release)}`,
    hint: 'Leave its exclusiveProgram undefined there',
    unsupported: { feature: 'exclusive maps', since: '6.18' },
  };
}

/** The rules of the commonest maps that the kernel only answers with EINVAL. */
function badShape(kernel: Kernel, request: Request): Reason | undefined {
  const why = 'map' in request ? brokenRule(kernel, request.map) : undefined;
  return why === undefined ? undefined : { why };
}

function tooLarge(map: MapCreate): Reason {
  return {
    why: `${map.maxEntries} entries of ${map.keySize} + ${map.valueSize} bytes are more than a map of this type takes`,
    hint: 'Lower max_entries',
  };
}

function outOfMemory(map: MapCreate): Reason {
  return {
    why: `the kernel has no memory for ${map.maxEntries} entries of ${map.keySize} + ${map.valueSize} bytes, or the memory limit of this cgroup is reached`,
    hint: 'Lower max_entries',
  };
}

function fileLimit(kernel: Kernel): Reason | undefined {
  const limit = /^Max open files\s+(\d+)/m.exec(read(kernel, '/proc/self/limits'))?.[1];
  if (limit === undefined) return undefined;
  return { why: `this process may have ${limit} open files`, hint: 'Raise it: ulimit -n' };
}

/** The text of a file; empty when it cannot be read, which explains nothing. */
function read(kernel: Kernel, path: string): string {
  return readText(kernel, path) ?? '';
}
