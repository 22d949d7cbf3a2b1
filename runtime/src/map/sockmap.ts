import { BPF_MAP_TYPE } from '../uapi.js';
import { type MapHandle, type MapShape, mapKind } from './map.js';
import { hasCode } from './map-error.js';
import { SocketMap } from './sockets.js';
import { indexKey } from './word.js';

/**
 * BPF_MAP_TYPE_SOCKMAP: sockets by number, between which SK_SKB and SK_MSG programs pass data. Takes TCP sockets that are
 * connected (listening ones since Linux 5.6), UDP and Unix ones. Linux 4.14; cookies 5.6.
 */
export class SockMap extends SocketMap<number> {
  constructor(handle: MapHandle) {
    super(handle, indexKey(handle));
  }

  get length(): number {
    return this.handle.maxEntries;
  }

  /** Takes a socket out of the map; it stays open. False when there was none. */
  override delete(index: number): boolean {
    try {
      return super.delete(index);
    } catch (error) {
      // What sock_map_delete_elem says of an empty slot; indexes were checked.
      if (hasCode(error, 'EINVAL')) return false;
      throw error;
    }
  }

  /** Takes every socket out of the map. */
  override clear(): void {
    for (let index = 0; index < this.length; index++) this.delete(index);
  }
}

/** `sockmap()`: a BPF_MAP_TYPE_SOCKMAP in a skeleton. */
export const sockmap = mapKind(
  {
    kindName: 'sockmap',
    types: [BPF_MAP_TYPE.SOCKMAP],
    codecs: [],
    open: (handle) => new SockMap(handle),
  },
  (kind) => (): MapShape<SockMap> => ({ kind }),
);
