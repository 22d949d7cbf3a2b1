import type { Codec } from '../codec/codec.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { KeyedMap } from './keyed.js';
import { type MapKind, type MapShape, mapKind } from './map.js';
import { keyCodec, valueCodec } from './sizes.js';

/**
 * BPF_MAP_TYPE_RHASH: a hash map whose table grows and shrinks with its entries, up to max_entries. Values are written in
 * place: who reads one without `{ lock: true }` may see it half written. map_extra says for how many entries to make
 * room at first. Declared with BPF_F_NO_PREALLOC. Linux 7.2.
 */
export class ResizableHashMap<K, V> extends KeyedMap<K, V> {}

/** `rhash(u32, Stats)`: a BPF_MAP_TYPE_RHASH in a skeleton. */
export const rhash = mapKind(
  {
    kindName: 'rhash',
    types: [BPF_MAP_TYPE.RHASH],
    codecs: ['key', 'value'],
    open: (handle, key, value) =>
      new ResizableHashMap<unknown, unknown>(handle, keyCodec(handle, key), valueCodec(handle, value)),
  },
  (kind) =>
    <K, V>(key: Codec<K>, value: Codec<V>): MapShape<ResizableHashMap<K, V>> => ({
      // open() is given these very codecs.
      kind: kind as MapKind<ResizableHashMap<K, V>>,
      key,
      value,
    }),
);
