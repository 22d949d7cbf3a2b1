import { BPF_MAP_TYPE } from '../uapi.js';
import { type BpfMap, type MapHandle, type MapKind, type MapShape, mapKind } from './map.js';
import { MapOfMaps } from './map-of-maps.js';
import { indexKey } from './word.js';

/** BPF_MAP_TYPE_ARRAY_OF_MAPS: the integers below `length`, each with a map or without. Linux 4.12. */
export class ArrayOfMaps<Inner extends BpfMap> extends MapOfMaps<number, Inner> {
  constructor(handle: MapHandle, inner: MapShape<Inner> | undefined) {
    super(handle, indexKey(handle), inner);
  }

  get length(): number {
    return this.handle.maxEntries;
  }
}

/** `arrayOfMaps(hash(u32, Stats))`: a BPF_MAP_TYPE_ARRAY_OF_MAPS in a skeleton. */
export const arrayOfMaps = mapKind(
  {
    kindName: 'arrayOfMaps',
    types: [BPF_MAP_TYPE.ARRAY_OF_MAPS],
    codecs: [],
    holdsMaps: true,
    open: (handle, _key, _value, inner) => new ArrayOfMaps<BpfMap>(handle, inner),
  },
  (kind) =>
    <Inner extends BpfMap = BpfMap>(inner?: MapShape<Inner>): MapShape<ArrayOfMaps<Inner>> => ({
      // open() is given this very shape.
      kind: kind as MapKind<ArrayOfMaps<Inner>>,
      ...(inner !== undefined && { inner }),
    }),
);
