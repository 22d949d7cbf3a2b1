import type { Kernel } from './kernel/kernel.js';
import { linuxKernel } from './kernel/linux.js';
import { openId, openPin } from './link/pin.js';
import { mapKindOf } from './map/kinds.js';
import type { BpfMap, MapShape } from './map/map.js';
import { type OtherMap, otherMap } from './map/other.js';
import { adoptMap, type OwnedMap } from './map/owned.js';

/** Where a map is opened. */
export interface OpenMapOptions {
  /** This host's by default, the fake one of `@bpfskel/runtime/testing` in tests. */
  readonly kernel?: Kernel;
}

const inner = { kindOf: ({ type, flags }: { type: number; flags: number }) => mapKindOf(type, flags) };

/**
 * Opens a map that is pinned in a BPF file system. Typed as a skeleton would state it; else keys and values are bytes,
 * whatever the map's type. Linux 4.4.
 *
 * ```ts
 * using stats = openPinnedMap('/sys/fs/bpf/stats', hash(u32, Stats));
 * ```
 *
 * @throws BpfError ENOENT when nothing is there, EINVAL when it is no map, ERR_BPF_LAYOUT when its type or sizes are not
 *   those of `shape`, with both.
 */
export function openPinnedMap(path: string, options?: OpenMapOptions): OwnedMap<OtherMap>;
export function openPinnedMap<M extends BpfMap>(
  path: string,
  shape: MapShape<M>,
  options?: OpenMapOptions,
): OwnedMap<M>;
export function openPinnedMap<M extends BpfMap>(
  path: string,
  shape: MapShape<M> | OpenMapOptions = {},
  options: OpenMapOptions = {},
): OwnedMap<M | OtherMap> {
  const { kernel = linuxKernel() } = 'kind' in shape ? options : shape;
  const wanted = 'kind' in shape ? shape : otherMap();
  return adoptMap<M | OtherMap>(openPin(kernel, 'map', path), { kernel, shape: wanted, what: path, inner });
}

/**
 * Opens a map by the id that `info()` and bpftool show. As {@link openPinnedMap} otherwise. Needs CAP_SYS_ADMIN.
 * Linux 4.13.
 * @throws BpfError ENOENT when there is no such map, ERR_BPF_LAYOUT when it is not as `shape` says.
 */
export function openMapById(id: number, options?: OpenMapOptions): OwnedMap<OtherMap>;
export function openMapById<M extends BpfMap>(
  id: number,
  shape: MapShape<M>,
  options?: OpenMapOptions,
): OwnedMap<M>;
export function openMapById<M extends BpfMap>(
  id: number,
  shape: MapShape<M> | OpenMapOptions = {},
  options: OpenMapOptions = {},
): OwnedMap<M | OtherMap> {
  const { kernel = linuxKernel() } = 'kind' in shape ? options : shape;
  const wanted = 'kind' in shape ? shape : otherMap();
  return adoptMap<M | OtherMap>(openId(kernel, 'map', id), {
    kernel,
    shape: wanted,
    what: `id ${id}`,
    inner,
  });
}
