import { BpfError, isBpfError, printable } from '../errors.js';
import type { Fd, MapCreate, MapInfo } from '../kernel/kernel.js';
import { refusal } from '../link/attach-error.js';
import { pinAt } from '../link/pin.js';
import type { MapSpec } from '../object/spec.js';
import { BPF_F_RDONLY_PROG, BPF_MAP_TYPE } from '../uapi.js';
import type { Ownership } from './live-object.js';
import type { OpenMap } from './open-object.js';

/** Where a map is to be pinned; undefined for most, and for all without a `pinRoot`. */
export function pinPathOf({ pinPath, spec }: OpenMap, pinRoot: string | undefined): string | undefined {
  if (pinRoot === undefined) return undefined;
  return pinPath ?? (spec.pinByName ? `${pinRoot}/${spec.name}` : undefined);
}

/**
 * The map pinned at `path`; undefined when nothing is there.
 * @throws BpfError naming every field in which it differs from what the object declares
 */
export function reuse(ownership: Ownership, spec: MapSpec, path: string, wanted: MapCreate): Fd | undefined {
  const { kernel } = ownership;
  let fd: Fd;
  try {
    fd = kernel.pinned(path);
  } catch (error) {
    if (isBpfError(error) && error.code === 'ENOENT') return undefined;
    throw refusal(`open the pin of map "${printable(spec.name)}"`, error);
  }
  ownership.fd(fd);
  assertCompatible(spec.name, path, wanted, kernel.mapInfo(fd));
  return fd;
}

/**
 * Pins a new map, until load() fails: then the pin goes again. When another process was faster, its map is the one to
 * use. The directory is made when it is missing (libbpf: bpf_map__pin), and stays.
 */
export function pinOrReuse(
  ownership: Ownership,
  spec: MapSpec,
  path: string,
  fd: Fd,
  wanted: MapCreate,
): { readonly fd: Fd; readonly reused: boolean } {
  const { kernel } = ownership;
  try {
    pinAt(kernel, fd, `pin map "${printable(spec.name)}" at ${printable(path)}`, path);
    ownership.onAbandon(() => kernel.unpin(path));
    return { fd, reused: false };
  } catch (error) {
    const faster =
      isBpfError(error) && error.code === 'EEXIST' ? reuse(ownership, spec, path, wanted) : undefined;
    if (faster !== undefined) return { fd: faster, reused: true };
    throw error;
  }
}

/** libbpf: map_is_reuse_compat. */
function assertCompatible(name: string, path: string, wanted: MapCreate, found: MapInfo): void {
  const isDevmap = found.type === BPF_MAP_TYPE.DEVMAP || found.type === BPF_MAP_TYPE.DEVMAP_HASH;
  // The kernel adds this flag to device maps itself.
  const flags = isDevmap ? found.flags & ~BPF_F_RDONLY_PROG : found.flags;
  const fields: [string, string, string][] = [
    ['type', typeName(found.type), typeName(wanted.type)],
    ['key size', `${found.keySize}`, `${wanted.keySize}`],
    ['value size', `${found.valueSize}`, `${wanted.valueSize}`],
    ['max_entries', `${found.maxEntries}`, `${wanted.maxEntries}`],
    ['flags', hex(flags), hex(wanted.flags ?? 0)],
    ['map_extra', hex(found.mapExtra), hex(wanted.mapExtra ?? 0n)],
  ];
  const different = fields.filter(([, there, here]) => there !== here);
  if (different.length === 0) return;
  const list = different.map(([field, there, here]) => `${field} ${there} there and ${here} here`).join(', ');
  throw new BpfError(
    'EINVAL',
    `create map "${printable(name)}": the map pinned at ${printable(path)} is another one: ${list}. Remove the pin, or declare the map as it is there`,
    { errno: 22 },
  );
}

function typeName(type: number): string {
  return Object.entries(BPF_MAP_TYPE).find(([, value]) => value === type)?.[0] ?? `${type}`;
}

function hex(value: number | bigint): string {
  return value < 10 ? `${value}` : `0x${value.toString(16)}`;
}
