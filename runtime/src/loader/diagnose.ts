import type { BpfError } from '../errors.js';
import { printable } from '../errors.js';
import { ERRNO } from '../kernel/errno.js';
import type { Kernel, MapCreate } from '../kernel/kernel.js';
import { type Capability, missingCapabilities } from '../link/privilege.js';
import { readText } from '../link/text.js';
import { BPF_MAP_TYPE, BPF_PROG_TYPE, kernelVersion } from '../uapi.js';
import { mapTypeSince, progTypeSince, sinceOf } from './since.js';

/** What was asked of the kernel when it refused. */
export type Request =
  | { readonly map: MapCreate }
  | { readonly program: { readonly type: number; readonly name: string } }
  | { readonly btf: true };

const CAP_SYS_RESOURCE = 24n;

/**
 * Why the kernel refused, as far as this host shows it: one sentence with the first cause that was checked and holds,
 * and what to do. Undefined when nothing that was checked explains it. A program the verifier rejected is not asked
 * about here: its log says why.
 */
export function explain(kernel: Kernel, error: BpfError, request: Request): string | undefined {
  switch (error.errno) {
    case ERRNO.EPERM:
      return explainPermission(kernel, request);
    case ERRNO.EACCES:
      // Without a log this comes from a security module, not from the verifier.
      return 'program' in request ? undefined : securityModules(kernel);
    case ERRNO.EINVAL:
      return tooOld(kernel, request) ?? badShape(kernel, request);
    case ERRNO.E2BIG:
      return 'map' in request ? tooLarge(request.map) : undefined;
    case ERRNO.ENOMEM:
      return 'map' in request ? outOfMemory(request.map) : undefined;
    case ERRNO.ENOSYS:
      return 'this kernel was built without bpf(2): it needs CONFIG_BPF_SYSCALL=y';
    case ERRNO.EMFILE:
      return fileLimit(kernel);
    default:
      return undefined;
  }
}

/** The order is that of the checks in the kernel, so that the first that fails is the one that refused. */
function explainPermission(kernel: Kernel, request: Request): string | undefined {
  const status = read(kernel, '/proc/self/status');
  return (
    lackOfPrivilege(kernel, request) ??
    userNamespace(kernel) ??
    seccomp(kernel, status) ??
    lockdown(kernel) ??
    memlock(kernel, status)
  );
}

function lackOfPrivilege(kernel: Kernel, request: Request): string | undefined {
  // Loading, unlike attaching, takes CAP_SYS_ADMIN for all of them (bpf_token_capable).
  if (missingCapabilities(kernel, ['CAP_SYS_ADMIN'])?.length === 0) return undefined;
  const closed = /^[12]/.test(read(kernel, '/proc/sys/kernel/unprivileged_bpf_disabled'));
  if (!closed && openToAll(request)) return undefined;
  const missing = missingCapabilities(kernel, neededFor(request)) ?? [];
  if (missing.length === 0) return undefined;
  return (
    `this process lacks ${missing.join(' and ')}` +
    (closed ? ', and this kernel keeps BPF from unprivileged processes' : '') +
    '; run it as root, or give a private copy of node the capability: setcap ' +
    `${missing.map((name) => name.toLowerCase()).join(',')}+ep NODE`
  );
}

/** As bpf_prog_load and map_create ask for them (kernel/bpf/syscall.c, is_net_admin_prog_type, is_perfmon_prog_type). */
function neededFor(request: Request): readonly Capability[] {
  if (!('program' in request)) return ['CAP_BPF'];
  const name = sinceOf(BPF_PROG_TYPE, progTypeSince, request.program.type)?.name ?? '';
  if (perfmonTypes.has(name)) return ['CAP_BPF', 'CAP_PERFMON'];
  return plainTypes.has(name) ? ['CAP_BPF'] : ['CAP_BPF', 'CAP_NET_ADMIN'];
}

/** What unprivileged processes may do where the sysctl lets them. */
function openToAll(request: Request): boolean {
  if (!('program' in request)) return false;
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

function userNamespace(kernel: Kernel): string | undefined {
  const map = read(kernel, '/proc/self/uid_map').trim();
  if (map === '' || /^0\s+0\s+4294967295$/.test(map)) return undefined;
  return (
    'this process is root in a user namespace only, where BPF capabilities do not count; ' +
    'run it in the initial user namespace (for containers: not rootless), or delegate a BPF token'
  );
}

function seccomp(kernel: Kernel, status: string): string | undefined {
  if (!/^Seccomp:\s*2$/m.test(status)) return undefined;
  const docker = kernel.readFile('/.dockerenv') !== undefined;
  return docker
    ? 'the capabilities are present but seccomp is on in this container: docker run --cap-add BPF --cap-add PERFMON, or a seccomp profile that allows bpf and perf_event_open'
    : 'the capabilities are present but a seccomp filter is on; it has to allow bpf and perf_event_open';
}

function lockdown(kernel: Kernel): string | undefined {
  if (!read(kernel, '/sys/kernel/security/lockdown').includes('[confidentiality]')) return undefined;
  return 'kernel lockdown is "confidentiality", which keeps BPF from reading kernel memory; programs that do not (tc, cgroup_skb) still load';
}

function memlock(kernel: Kernel, status: string): string | undefined {
  if (kernel.version >= kernelVersion(5, 11)) return undefined;
  const limit = /^Max locked memory\s+(\d+)/m.exec(read(kernel, '/proc/self/limits'))?.[1];
  if (limit === undefined) return undefined;
  const held = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  const mayRaise = ((held >> CAP_SYS_RESOURCE) & 1n) === 1n;
  return (
    `RLIMIT_MEMLOCK is ${Math.floor(Number(limit) / 1024)} KiB and kernel ${printable(kernel.release)} counts BPF ` +
    `memory against it; ${mayRaise ? 'raise it (ulimit -l unlimited)' : 'raising it needs CAP_SYS_RESOURCE'}`
  );
}

function securityModules(kernel: Kernel): string | undefined {
  const modules = read(kernel, '/sys/kernel/security/lsm').trim();
  const refusing = modules.split(',').filter((name) => name === 'selinux' || name === 'apparmor');
  if (refusing.length === 0) return undefined;
  return `the security module ${refusing.join(' or ')} may forbid it; see the audit log (dmesg, ausearch -m avc)`;
}

function tooOld(kernel: Kernel, request: Request): string | undefined {
  const [what, found] =
    'map' in request
      ? (['map type', sinceOf(BPF_MAP_TYPE, mapTypeSince, request.map.type)] as const)
      : 'program' in request
        ? (['program type', sinceOf(BPF_PROG_TYPE, progTypeSince, request.program.type)] as const)
        : (['BTF', { name: '', since: [4, 18] }] as const);
  if (found?.since === undefined) return undefined;
  const [major = 0, minor = 0] = found.since;
  if (kernel.version >= kernelVersion(major, minor)) return undefined;
  const instead = found.name === 'RINGBUF' ? '; a PERF_EVENT_ARRAY map works there' : '';
  return `${what}${found.name && ` ${found.name}`} needs Linux ${major}.${minor}, this is ${printable(kernel.release)}${instead}`;
}

/** The rules of the commonest maps that the kernel only answers with EINVAL. */
function badShape(kernel: Kernel, request: Request): string | undefined {
  if (!('map' in request)) return undefined;
  const { map } = request;
  switch (map.type) {
    case BPF_MAP_TYPE.RINGBUF:
    case BPF_MAP_TYPE.USER_RINGBUF:
      return badRing(kernel, map);
    case BPF_MAP_TYPE.ARRAY:
    case BPF_MAP_TYPE.PERCPU_ARRAY:
    case BPF_MAP_TYPE.PROG_ARRAY:
    case BPF_MAP_TYPE.PERF_EVENT_ARRAY:
      if (map.keySize !== 4) return `keys of array maps have 4 bytes, these ${map.keySize}`;
      break;
    case BPF_MAP_TYPE.QUEUE:
    case BPF_MAP_TYPE.STACK:
      if (map.keySize !== 0) return `queues and stacks have no key, this one of ${map.keySize} bytes`;
      break;
    case BPF_MAP_TYPE.HASH:
    case BPF_MAP_TYPE.LRU_HASH:
    case BPF_MAP_TYPE.PERCPU_HASH:
    case BPF_MAP_TYPE.LRU_PERCPU_HASH:
      if (map.keySize === 0) return 'a hash map needs a key; this one has a key size of 0';
      break;
    default:
      return undefined;
  }
  return map.maxEntries === 0 ? 'max_entries is 0; set it in the C source or before load' : undefined;
}

function badRing(kernel: Kernel, map: MapCreate): string | undefined {
  if (map.keySize !== 0 || map.valueSize !== 0) {
    return `a ring buffer has neither key nor value size, this one ${map.keySize} and ${map.valueSize}`;
  }
  const size = map.maxEntries;
  if (size === 0 || (size & (size - 1)) !== 0 || size % kernel.pageSize !== 0) {
    return `the size of a ring buffer is a power of two and a multiple of the page size ${kernel.pageSize}, not ${size}`;
  }
  return undefined;
}

function tooLarge(map: MapCreate): string {
  return `${map.maxEntries} entries of ${map.keySize} + ${map.valueSize} bytes are more than a map of this type takes`;
}

function outOfMemory(map: MapCreate): string {
  return `the kernel has no memory for ${map.maxEntries} entries of ${map.keySize} + ${map.valueSize} bytes, or the memory limit of this cgroup is reached`;
}

function fileLimit(kernel: Kernel): string | undefined {
  const limit = /^Max open files\s+(\d+)/m.exec(read(kernel, '/proc/self/limits'))?.[1];
  return limit === undefined
    ? undefined
    : `this process may have ${limit} open files; raise it with ulimit -n`;
}

/** The text of a file; empty when it cannot be read, which explains nothing. */
function read(kernel: Kernel, path: string): string {
  return readText(kernel, path) ?? '';
}
