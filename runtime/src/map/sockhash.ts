import type { Codec } from '../codec/codec.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { type MapKind, type MapShape, mapKind } from './map.js';
import { keyCodec } from './sizes.js';
import { SocketMap } from './sockets.js';

/** BPF_MAP_TYPE_SOCKHASH: as a sockmap, with keys of any type. Linux 4.18; cookies 5.6. */
export class SockHash<K> extends SocketMap<K> {
  /** The keys of all sockets, whether their cookies can be read or not. */
  override keys(): Generator<K, undefined> {
    return this.elements.keys();
  }
}

/** `sockhash(Tuple)`: a BPF_MAP_TYPE_SOCKHASH in a skeleton. */
export const sockhash = mapKind(
  {
    kindName: 'sockhash',
    types: [BPF_MAP_TYPE.SOCKHASH],
    codecs: ['key'],
    open: (handle, key) => new SockHash<unknown>(handle, keyCodec(handle, key)),
  },
  (kind) =>
    <K>(key: Codec<K>): MapShape<SockHash<K>> => ({
      // open() is given this very codec.
      kind: kind as MapKind<SockHash<K>>,
      key,
    }),
);
