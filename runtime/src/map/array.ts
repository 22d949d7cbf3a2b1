import type { Codec } from '../codec/codec.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { IndexedMap } from './indexed.js';
import { type MapKind, type MapShape, mapKind } from './map.js';
import { valueCodec } from './sizes.js';

/** BPF_MAP_TYPE_ARRAY. Linux 3.19. */
export class ArrayMap<V> extends IndexedMap<V> {}

/** `array(Stats)`: a BPF_MAP_TYPE_ARRAY in a skeleton. */
export const array = mapKind(
  {
    kindName: 'array',
    types: [BPF_MAP_TYPE.ARRAY],
    codecs: ['value'],
    open: (handle, _key, value) => new ArrayMap<unknown>(handle, valueCodec(handle, value)),
  },
  (kind) =>
    <V>(value: Codec<V>): MapShape<ArrayMap<V>> => ({
      // open() is given this very codec.
      kind: kind as MapKind<ArrayMap<V>>,
      value,
    }),
);
