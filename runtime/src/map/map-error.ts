import { BpfError, isBpfError, printable } from '../errors.js';
import type { Fd, Kernel } from '../kernel/kernel.js';
import { readText } from '../link/text.js';
import { BPF_F_LOCK } from '../uapi.js';

/** The part of a map that a sentence about its failure needs. */
interface Named {
  readonly name: string;
  readonly maxEntries: number;
}
/** The part that tells why it refuses to be written to. */
interface Written extends Named {
  readonly kernel: Kernel;
  fd(): Fd;
}

/** `map "stats"`, safe to print. */
export function mapText(map: Named): string {
  return `map "${printable(map.name)}"`;
}

/** True when the kernel has no such operation for this map, or no such command at all. */
export function isUnsupported(error: unknown): boolean {
  return isBpfError(error) && ['ENOTSUPP', 'EOPNOTSUPP', 'EINVAL', 'ENOSYS'].includes(error.code);
}

/** True when `error` carries the errno named `code`. */
export function hasCode(error: unknown, code: string): boolean {
  return isBpfError(error) && error.code === code;
}

/**
 * The error of a refused update, in terms of the map; without `key` of a map that has none. What is not understood stays
 * as the kernel said it.
 */
export function updateError(map: Written, error: unknown, key?: unknown): unknown {
  if (!isBpfError(error)) return error;
  const text = mapText(map);
  switch (error.code) {
    case 'E2BIG':
      return restate(`${text} is full: max_entries is ${map.maxEntries}`, error);
    case 'EEXIST':
      return restate(`${text} already has the key ${keyText(key)}, and flag is 'create'`, error);
    case 'ENOENT':
      return restate(`${text} has no key ${keyText(key)}, and flag is 'exist'`, error);
    default:
      return writeError(map, error, key === undefined ? 'add to' : `set ${keyText(key)} of`);
  }
}

/** As {@link operationError}, of an operation that a frozen map refuses. */
export function writeError(map: Written, error: unknown, operation: string): unknown {
  if (!isBpfError(error) || error.code !== 'EPERM' || !isFrozen(map)) {
    return operationError(map, error, operation);
  }
  return restate(`${operation} ${mapText(map)}: it is frozen, so no process can write to it (EPERM)`, error);
}

/** As procfs tells it. */
function isFrozen({ kernel, fd }: Written): boolean {
  return /^frozen:\s*1$/m.test(readText(kernel, `/proc/self/fdinfo/${fd()}`) ?? '');
}

/** `error`, with what an access needs that was to take the lock of a value: `flags` has BPF_F_LOCK then. */
export function lockError(error: unknown, flags: bigint): unknown {
  if (!isBpfError(error) || error.code !== 'EINVAL' || (flags & BPF_F_LOCK) === 0n) return error;
  const needs = 'lock needs values with a struct bpf_spin_lock that BTF tells of, and Linux 5.1';
  return restate(`${error.message}; ${needs}`, error);
}

/** An error of another operation with the map's name in front. */
export function operationError(map: Named, error: unknown, operation: string): unknown {
  return isBpfError(error) ? restate(`${operation} ${mapText(map)}: ${error.message}`, error) : error;
}

/** An index that an array does not have. */
export function indexError(map: Named, operation: string, index: number): BpfError {
  const last = map.maxEntries - 1;
  return new BpfError(
    'ERR_BPF_RANGE',
    `${operation} index ${index} of ${mapText(map)}: its indexes are the integers from 0 to ${last}`,
  );
}

function restate(message: string, cause: BpfError): BpfError {
  return new BpfError(cause.code, message, { errno: cause.errno, syscall: cause.syscall, cause });
}

/** A key as people may recognise it; keys can hold anything. */
export function keyText(key: unknown): string {
  if (key instanceof Uint8Array)
    return `[${[...key.subarray(0, 16)].join(' ')}${key.length > 16 ? ' …' : ''}]`;
  if (typeof key === 'object' && key !== null) return printable(objectText(key), 120);
  return printable(typeof key === 'string' ? `"${key}"` : String(key), 120);
}

function objectText(key: object): string {
  return JSON.stringify(key, (_name, value: unknown) => (typeof value === 'bigint' ? `${value}` : value));
}
