import type { Codec } from '../codec/codec.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { type MapKind, type MapShape, mapKind } from './map.js';
import { valueCodec } from './sizes.js';
import { PathStorage } from './storage.js';

/**
 * BPF_MAP_TYPE_INODE_STORAGE: values kept with files, wherever they are linked. An owner is a path, which is opened to read
 * for the call, or a descriptor. Needs an object with an LSM program (CONFIG_BPF_LSM). Linux 5.10.
 */
export class InodeStorage<V> extends PathStorage<V> {}

/** `inodeStorage(Stats)`: a BPF_MAP_TYPE_INODE_STORAGE in a skeleton. */
export const inodeStorage = mapKind(
  {
    kindName: 'inodeStorage',
    types: [BPF_MAP_TYPE.INODE_STORAGE],
    codecs: ['value'],
    open: (handle, _key, value) => new InodeStorage<unknown>(handle, valueCodec(handle, value)),
  },
  (kind) =>
    <V>(value: Codec<V>): MapShape<InodeStorage<V>> => ({
      // open() is given this very codec.
      kind: kind as MapKind<InodeStorage<V>>,
      value,
    }),
);
