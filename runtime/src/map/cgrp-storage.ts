import type { Codec } from '../codec/codec.js';
import type { Fd } from '../kernel/kernel.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { cgroupError } from './cgroup-error.js';
import type { HasFd } from './holder.js';
import { type MapKind, type MapShape, mapKind } from './map.js';
import { valueCodec } from './sizes.js';
import { PathStorage } from './storage.js';

/**
 * BPF_MAP_TYPE_CGRP_STORAGE: values kept with cgroups of version 2. An owner is the directory, or a descriptor of it.
 * Linux 6.2.
 */
export class CgrpStorage<V> extends PathStorage<V> {
  protected override withOwner<T>(owner: string | HasFd, use: (fd: Fd) => T): T {
    try {
      return super.withOwner(owner, use);
    } catch (error) {
      throw cgroupError(this.handle, error, owner, 'use');
    }
  }
}

/** `cgrpStorage(Stats)`: a BPF_MAP_TYPE_CGRP_STORAGE in a skeleton. */
export const cgrpStorage = mapKind(
  {
    kindName: 'cgrpStorage',
    types: [BPF_MAP_TYPE.CGRP_STORAGE],
    codecs: ['value'],
    open: (handle, _key, value) => new CgrpStorage<unknown>(handle, valueCodec(handle, value)),
  },
  (kind) =>
    <V>(value: Codec<V>): MapShape<CgrpStorage<V>> => ({
      // open() is given this very codec.
      kind: kind as MapKind<CgrpStorage<V>>,
      value,
    }),
);
