import type { Codec } from '../codec/codec.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { type MapKind, type MapShape, mapKind } from './map.js';
import { PerCpuHashMap } from './percpu-hash.js';
import { keyCodec, valueCodec } from './sizes.js';

/** BPF_MAP_TYPE_LRU_PERCPU_HASH: one value for each possible CPU, and unused entries make room. Linux 4.10. */
export class LruPerCpuHashMap<K, V> extends PerCpuHashMap<K, V> {}

/** `lruPercpuHash(u32, Stats)`: a BPF_MAP_TYPE_LRU_PERCPU_HASH in a skeleton. */
export const lruPercpuHash = mapKind(
  {
    kindName: 'lruPercpuHash',
    types: [BPF_MAP_TYPE.LRU_PERCPU_HASH],
    codecs: ['key', 'value'],
    open: (handle, key, value) =>
      new LruPerCpuHashMap<unknown, unknown>(handle, keyCodec(handle, key), valueCodec(handle, value)),
  },
  (kind) =>
    <K, V>(key: Codec<K>, value: Codec<V>): MapShape<LruPerCpuHashMap<K, V>> => ({
      // open() is given these very codecs.
      kind: kind as MapKind<LruPerCpuHashMap<K, V>>,
      key,
      value,
    }),
);
