import { BpfError, isBpfError, printable } from '../errors.js';
import type { Fd, Kernel, MapCreate, MapInfo } from '../kernel/kernel.js';
import { BPF_F_RDONLY_PROG, BPF_MAP_TYPE } from '../uapi.js';

/** Opens the map pinned at `path`; undefined when nothing is there. */
export function openPinned(kernel: Kernel, path: string): Fd | undefined {
  try {
    return kernel.pinned(path);
  } catch (error) {
    if (isBpfError(error) && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Throws unless the pinned map is what the object declares; the message names every field that differs (libbpf:
 * map_is_reuse_compat).
 */
export function assertCompatible(name: string, path: string, wanted: MapCreate, found: MapInfo): void {
  const isDevmap = found.type === BPF_MAP_TYPE.DEVMAP || found.type === BPF_MAP_TYPE.DEVMAP_HASH;
  // The kernel adds this flag to device maps itself.
  const flags = isDevmap ? found.flags & ~BPF_F_RDONLY_PROG : found.flags;
  const fields: [string, number | bigint, number | bigint][] = [
    ['type', found.type, wanted.type],
    ['key size', found.keySize, wanted.keySize],
    ['value size', found.valueSize, wanted.valueSize],
    ['max_entries', found.maxEntries, wanted.maxEntries],
    ['flags', flags, wanted.flags ?? 0],
    ['map_extra', found.mapExtra, wanted.mapExtra ?? 0n],
  ];
  const different = fields.filter(([, there, here]) => there !== here);
  if (different.length === 0) return;
  const list = different.map(([field, there, here]) => `${field} ${there} there and ${here} here`).join(', ');
  throw new BpfError(
    'EINVAL',
    `create map "${printable(name)}": the map pinned at ${printable(path)} is another one: ${list}; remove the pin, or declare the map as it is there`,
    { errno: 22 },
  );
}
