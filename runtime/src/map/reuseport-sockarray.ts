import { BPF_MAP_TYPE } from '../uapi.js';
import { type MapHandle, type MapShape, mapKind } from './map.js';
import { SocketMap } from './sockets.js';
import { indexKey } from './word.js';

/**
 * BPF_MAP_TYPE_REUSEPORT_SOCKARRAY: sockets of SO_REUSEPORT by number, among which a SK_REUSEPORT program chooses.
 * Linux 4.19.
 */
export class ReuseportSockArray extends SocketMap<number> {
  constructor(handle: MapHandle) {
    super(handle, indexKey(handle));
  }

  get length(): number {
    return this.handle.maxEntries;
  }

  /** Takes every socket out of the map. */
  override clear(): void {
    for (let index = 0; index < this.length; index++) this.delete(index);
  }
}

/** `reuseportSockarray()`: a BPF_MAP_TYPE_REUSEPORT_SOCKARRAY in a skeleton. */
export const reuseportSockarray = mapKind(
  {
    kindName: 'reuseportSockarray',
    types: [BPF_MAP_TYPE.REUSEPORT_SOCKARRAY],
    codecs: [],
    open: (handle) => new ReuseportSockArray(handle),
  },
  (kind) => (): MapShape<ReuseportSockArray> => ({ kind }),
);
