import type { Codec } from '../codec/codec.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { KeyedMap } from './keyed.js';
import { type MapKind, type MapShape, mapKind } from './map.js';
import { keyCodec, valueCodec } from './sizes.js';

/** BPF_MAP_TYPE_HASH. Linux 3.19. */
export class HashMap<K, V> extends KeyedMap<K, V> {}

/** `hash(u32, Stats)`: a BPF_MAP_TYPE_HASH in a skeleton. */
export const hash = mapKind(
  {
    kindName: 'hash',
    types: [BPF_MAP_TYPE.HASH],
    codecs: ['key', 'value'],
    open: (handle, key, value) =>
      new HashMap<unknown, unknown>(handle, keyCodec(handle, key), valueCodec(handle, value)),
  },
  (kind) =>
    <K, V>(key: Codec<K>, value: Codec<V>): MapShape<HashMap<K, V>> => ({
      // open() is given these very codecs.
      kind: kind as MapKind<HashMap<K, V>>,
      key,
      value,
    }),
);
