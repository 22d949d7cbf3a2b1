import type { Codec } from '../../runtime/src/codec/codec.js';
import { BpfError } from '../../runtime/src/errors.js';
import type { Kernel, MapCreate } from '../../runtime/src/kernel/kernel.js';
import { mapKindOf } from '../../runtime/src/map/kinds.js';
import type { BpfMap, MapHandle, MapShape } from '../../runtime/src/map/map.js';

/** A map on its own, in place of an object that owns it. */
export interface LiveMap<M> {
  readonly map: M;
  readonly fd: number;
  readonly handle: MapHandle;
  /** What the object does to its maps in detach() and destroy(). */
  detach(): void;
  destroy(): void;
}

export function liveMap<M extends BpfMap>(
  kernel: Kernel,
  shape: MapShape<M>,
  attributes: MapCreate,
  inner?: MapCreate,
): LiveMap<M> {
  const { handle, fd, detach, destroy } = liveHandle(kernel, attributes, inner);
  return { map: shape.kind.open(handle, shape.key, shape.value, shape.inner), fd, handle, detach, destroy };
}

/** `inner`: what the maps in a map of maps are. */
export function liveHandle(
  kernel: Kernel,
  attributes: MapCreate,
  inner?: MapCreate,
): Omit<LiveMap<never>, 'map'> {
  const template = inner && kernel.mapCreate(inner);
  const fd = kernel.mapCreate({ ...attributes, ...(template !== undefined && { innerMapFd: template }) });
  if (template !== undefined) kernel.close(template);
  const onClose: (() => void)[] = [];
  const onDetach: (() => void)[] = [];
  let open = true;
  const handle: MapHandle = {
    kernel,
    name: attributes.name ?? 'map',
    type: attributes.type,
    keySize: attributes.keySize,
    valueSize: attributes.valueSize,
    maxEntries: attributes.maxEntries,
    flags: attributes.flags ?? 0,
    mapExtra: attributes.mapExtra ?? 0n,
    inner: { kindOf: ({ type, flags }) => mapKindOf(type, flags), attributes: () => inner },
    fd() {
      if (!open) throw new BpfError('ERR_BPF_STATE', 'use map: test is destroyed');
      return fd;
    },
    onClose: (listener) => onClose.push(listener),
    onDetach: (listener) => onDetach.push(listener),
  };
  return {
    fd,
    handle,
    detach() {
      for (const listener of onDetach) listener();
    },
    destroy() {
      if (!open) return;
      open = false;
      for (const listener of onClose) listener();
      kernel.close(fd);
    },
  };
}

/** A codec of one number, `size` bytes. */
export function unsigned(size: 1 | 2 | 4): Codec<number> {
  const names = {
    1: ['getUint8', 'setUint8'],
    2: ['getUint16', 'setUint16'],
    4: ['getUint32', 'setUint32'],
  } as const;
  const [get, set] = names[size];
  return {
    size,
    read: (view, offset) => view[get](offset, true),
    write: (view, offset, value) => view[set](offset, value, true),
  };
}

export const u32 = unsigned(4);
export const u64: Codec<bigint> = {
  size: 8,
  read: (view, offset) => view.getBigUint64(offset, true),
  write: (view, offset, value) => view.setBigUint64(offset, value, true),
};

/** A structure with padding: `{ __u32 pid; char tag; (3 bytes) __u64 ns; }`. */
export interface Sample {
  pid: number;
  tag: number;
  ns: bigint;
}
export const Sample: Codec<Sample> = {
  size: 16,
  read: (view, offset) => ({
    pid: view.getUint32(offset, true),
    tag: view.getUint8(offset + 4),
    ns: view.getBigUint64(offset + 8, true),
  }),
  write(view, offset, value) {
    view.setUint32(offset, value.pid, true);
    view.setUint8(offset + 4, value.tag);
    view.setBigUint64(offset + 8, value.ns, true);
  },
};
export const sample = (pid: number): Sample => ({ pid, tag: pid & 0xff, ns: BigInt(pid) << 32n });
