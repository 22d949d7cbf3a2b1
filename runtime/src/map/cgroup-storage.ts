import type { Codec } from '../codec/codec.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { AttachedStorage } from './attached-storage.js';
import { type MapHandle, type MapKind, type MapShape, mapKind } from './map.js';
import { keyCodec, valueCodec } from './sizes.js';

/**
 * BPF_MAP_TYPE_CGROUP_STORAGE: a value for each attachment to a cgroup. The key is `struct bpf_cgroup_storage_key` (cgroup
 * id and attach type), or since Linux 5.9 the id of the cgroup alone, which all its attachments share then. Newer
 * programs use BPF_MAP_TYPE_CGRP_STORAGE. Linux 4.19.
 */
export class CgroupStorage<K, V> extends AttachedStorage<K, V> {
  constructor(handle: MapHandle, key: Codec<K>, value: Codec<V>) {
    super(handle, key, value, handle.valueSize);
  }
}

/** `cgroupStorage(BpfCgroupStorageKey, Stats)`: a BPF_MAP_TYPE_CGROUP_STORAGE in a skeleton. */
export const cgroupStorage = mapKind(
  {
    kindName: 'cgroupStorage',
    types: [BPF_MAP_TYPE.CGROUP_STORAGE],
    codecs: ['key', 'value'],
    open: (handle, key, value) =>
      new CgroupStorage<unknown, unknown>(handle, keyCodec(handle, key), valueCodec(handle, value)),
  },
  (kind) =>
    <K, V>(key: Codec<K>, value: Codec<V>): MapShape<CgroupStorage<K, V>> => ({
      // open() is given these very codecs.
      kind: kind as MapKind<CgroupStorage<K, V>>,
      key,
      value,
    }),
);
