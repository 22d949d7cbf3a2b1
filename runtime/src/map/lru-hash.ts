import type { Codec } from '../codec/codec.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { KeyedMap } from './keyed.js';
import { type MapKind, type MapShape, mapKind } from './map.js';
import { keyCodec, valueCodec } from './sizes.js';

/**
 * BPF_MAP_TYPE_LRU_HASH: when full, an entry that was not used for long makes room. The kernel may evict some entries
 * early: the least recent one is approximate. Linux 4.10.
 */
export class LruHashMap<K, V> extends KeyedMap<K, V> {}

/** `lruHash(u32, Stats)`: a BPF_MAP_TYPE_LRU_HASH in a skeleton. */
export const lruHash = mapKind(
  {
    kindName: 'lruHash',
    types: [BPF_MAP_TYPE.LRU_HASH],
    codecs: ['key', 'value'],
    open: (handle, key, value) =>
      new LruHashMap<unknown, unknown>(handle, keyCodec(handle, key), valueCodec(handle, value)),
  },
  (kind) =>
    <K, V>(key: Codec<K>, value: Codec<V>): MapShape<LruHashMap<K, V>> => ({
      // open() is given these very codecs.
      kind: kind as MapKind<LruHashMap<K, V>>,
      key,
      value,
    }),
);
