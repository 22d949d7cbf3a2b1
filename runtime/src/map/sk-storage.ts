import type { Codec } from '../codec/codec.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { type MapKind, type MapShape, mapKind } from './map.js';
import { valueCodec } from './sizes.js';
import { HolderStorage } from './storage.js';

/**
 * BPF_MAP_TYPE_SK_STORAGE: values kept with sockets. An owner is a descriptor of a socket. Linux 5.2.
 */
export class SkStorage<V> extends HolderStorage<V> {}

/** `skStorage(Stats)`: a BPF_MAP_TYPE_SK_STORAGE in a skeleton. */
export const skStorage = mapKind(
  {
    kindName: 'skStorage',
    types: [BPF_MAP_TYPE.SK_STORAGE],
    codecs: ['value'],
    open: (handle, _key, value) => new SkStorage<unknown>(handle, valueCodec(handle, value)),
  },
  (kind) =>
    <V>(value: Codec<V>): MapShape<SkStorage<V>> => ({
      // open() is given this very codec.
      kind: kind as MapKind<SkStorage<V>>,
      value,
    }),
);
