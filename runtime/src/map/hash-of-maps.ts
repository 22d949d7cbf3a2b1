import type { Codec } from '../codec/codec.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { type BpfMap, type MapKind, type MapShape, mapKind } from './map.js';
import { MapOfMaps } from './map-of-maps.js';
import { keyCodec } from './sizes.js';

/** BPF_MAP_TYPE_HASH_OF_MAPS: a map under each of its keys. Linux 4.12. */
export class HashOfMaps<K, Inner extends BpfMap> extends MapOfMaps<K, Inner> {}

/** `hashOfMaps(u32, hash(u32, Stats))`: a BPF_MAP_TYPE_HASH_OF_MAPS in a skeleton. */
export const hashOfMaps = mapKind(
  {
    kindName: 'hashOfMaps',
    types: [BPF_MAP_TYPE.HASH_OF_MAPS],
    codecs: ['key'],
    holdsMaps: true,
    open: (handle, key, _value, inner) =>
      new HashOfMaps<unknown, BpfMap>(handle, keyCodec(handle, key), inner),
  },
  (kind) =>
    <K, Inner extends BpfMap = BpfMap>(
      key: Codec<K>,
      inner?: MapShape<Inner>,
    ): MapShape<HashOfMaps<K, Inner>> => ({
      // open() is given this very codec and shape.
      kind: kind as MapKind<HashOfMaps<K, Inner>>,
      key,
      ...(inner !== undefined && { inner }),
    }),
);
