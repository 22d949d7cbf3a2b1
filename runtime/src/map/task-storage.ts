import type { Codec } from '../codec/codec.js';
import { printable } from '../errors.js';
import type { Fd } from '../kernel/kernel.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { type MapKind, type MapShape, mapKind } from './map.js';
import { operationError } from './map-error.js';
import { valueCodec } from './sizes.js';
import { LocalStorage } from './storage.js';

/** A process by its id, or a pidfd, as pidfd_open(2) gives it: that stays of one process when ids are used again. */
export type TaskOwner = number | { readonly pidfd: Fd };

/**
 * BPF_MAP_TYPE_TASK_STORAGE: values kept with threads. The kernel finds only the first thread of a process for this side,
 * by a pidfd. Linux 5.11.
 */
export class TaskStorage<V> extends LocalStorage<TaskOwner, V> {
  protected override withOwner<T>(owner: TaskOwner, use: (fd: Fd) => T): T {
    if (typeof owner !== 'number') return use(owner.pidfd);
    const { kernel } = this.handle;
    let fd: Fd;
    try {
      fd = kernel.pidfdOpen(owner);
    } catch (error) {
      throw operationError(this.handle, error, `find process ${printable(String(owner))} for`);
    }
    try {
      return use(fd);
    } finally {
      kernel.close(fd);
    }
  }
}

/** `taskStorage(Stats)`: a BPF_MAP_TYPE_TASK_STORAGE in a skeleton. */
export const taskStorage = mapKind(
  {
    kindName: 'taskStorage',
    types: [BPF_MAP_TYPE.TASK_STORAGE],
    codecs: ['value'],
    open: (handle, _key, value) => new TaskStorage<unknown>(handle, valueCodec(handle, value)),
  },
  (kind) =>
    <V>(value: Codec<V>): MapShape<TaskStorage<V>> => ({
      // open() is given this very codec.
      kind: kind as MapKind<TaskStorage<V>>,
      value,
    }),
);
