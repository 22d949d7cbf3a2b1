import { BpfError, printable } from '../errors.js';
import type { Fd, Kernel, MapInfo } from '../kernel/kernel.js';
import { assertKind } from '../link/pin.js';
import { releaseAll } from '../link/release.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import type { BpfMap, InnerMaps, MapHandle, MapShape } from './map.js';

/** A map that belongs to whoever opened it: `close()`, or leaving its `using` block, gives its descriptor back. */
export type OwnedMap<M extends BpfMap> = M &
  Disposable & {
    /** Idempotent. The map itself lives on while a pin, a program or another descriptor holds it. */
    close(): void;
  };

/** How an open map becomes an object. */
export interface Adoption<M extends BpfMap> {
  readonly kernel: Kernel;
  readonly shape: MapShape<M>;
  /** What errors call it before its name is known: a path, an id. */
  readonly what: string;
  /** For shapes of maps in maps. */
  readonly inner?: InnerMaps;
  /** Runs when the map was closed. */
  readonly closed?: (map: OwnedMap<M>) => void;
}

/**
 * The map behind `fd`, which it owns from now on, also when this fails.
 * @throws BpfError when the descriptor is of something else, or the map of another type than `shape` says
 */
export function adoptMap<M extends BpfMap>(
  fd: Fd,
  { kernel, shape, what, ...more }: Adoption<M>,
): OwnedMap<M> {
  let handle: ClosableHandle | undefined;
  try {
    assertKind(kernel, fd, 'map', what);
    const info = kernel.mapInfo(fd);
    assertType(info, shape, what);
    handle = ownedHandle(kernel, fd, info, more.inner);
    const map = shape.kind.open(handle, shape.key, shape.value, shape.inner);
    const end = handle.close;
    const close = () => {
      end();
      more.closed?.(owned);
    };
    const owned: OwnedMap<M> = Object.assign(map, { close, [Symbol.dispose]: close });
    return owned;
  } catch (error) {
    if (handle === undefined) kernel.close(fd);
    else handle.close();
    throw error;
  }
}

interface ClosableHandle extends MapHandle {
  close(): void;
}

function ownedHandle(kernel: Kernel, fd: Fd, info: MapInfo, inner: InnerMaps | undefined): ClosableHandle {
  const listeners: (() => void)[] = [];
  const name = info.name === '' ? `id ${info.id}` : info.name;
  const { type, keySize, valueSize, maxEntries, flags, mapExtra } = info;
  let open = true;
  return {
    ...{ kernel, name, type, keySize, valueSize, maxEntries, flags, mapExtra },
    ...(inner !== undefined && { inner }),
    fd() {
      if (!open) throw new BpfError('ERR_BPF_STATE', `use map "${printable(name)}": it is closed`);
      return fd;
    },
    onClose: (listener) => listeners.push(listener),
    close() {
      if (!open) return;
      open = false;
      releaseAll(...listeners.splice(0).reverse(), () => kernel.close(fd));
    },
  };
}

function assertType({ type }: MapInfo, { kind }: MapShape, what: string): void {
  // A kind of no type is that of every type.
  if (kind.types.length === 0 || kind.types.includes(type)) return;
  const wanted = kind.types.map(typeName).join(' or ');
  throw new BpfError(
    'ERR_BPF_LAYOUT',
    `open map ${printable(what)}: it is a ${typeName(type)}, and not a ${wanted} as ${kind.kindName}() says`,
  );
}

function typeName(type: number): string {
  const name = Object.entries(BPF_MAP_TYPE).find(([, value]) => value === type)?.[0];
  return name === undefined ? `map of type ${type}` : `BPF_MAP_TYPE_${name}`;
}
