import { BPF_MAP_TYPE } from '../uapi.js';
import { cgroupError } from './cgroup-error.js';
import { Elements } from './elements.js';
import { type HasFd, withFd } from './holder.js';
import { BpfMap, type MapHandle, type MapShape, mapKind } from './map.js';
import { indexKey, word } from './word.js';

/**
 * BPF_MAP_TYPE_CGROUP_ARRAY: cgroups (version 2) that programs ask about with bpf_skb_under_cgroup and
 * bpf_current_task_under_cgroup. The kernel does not tell what is in it. Linux 4.8.
 */
export class CgroupArray extends BpfMap {
  readonly #elements: Elements<number, number>;

  constructor(handle: MapHandle) {
    super(handle);
    this.#elements = new Elements(handle, indexKey(handle), word(handle));
  }

  get length(): number {
    return this.handle.maxEntries;
  }

  /**
   * Puts a cgroup into a slot, by its directory or a descriptor of that; it stays known there as long as it is in the map.
   * @throws BpfError ENOENT when there is no such directory, EBADF or EINVAL when it is no cgroup of version 2
   */
  set(index: number, cgroup: string | HasFd): this {
    try {
      withFd(this.handle, cgroup, (fd) => this.#elements.set(index, fd));
    } catch (error) {
      throw cgroupError(this.handle, error, cgroup, `set ${index} of`);
    }
    return this;
  }

  /** Empties a slot. False when it was empty. */
  delete(index: number): boolean {
    return this.#elements.delete(index);
  }

  /** Empties every slot. */
  clear(): void {
    for (let index = 0; index < this.length; index++) this.delete(index);
  }
}

/** `cgroupArray()`: a BPF_MAP_TYPE_CGROUP_ARRAY in a skeleton. */
export const cgroupArray = mapKind(
  {
    kindName: 'cgroupArray',
    types: [BPF_MAP_TYPE.CGROUP_ARRAY],
    codecs: [],
    open: (handle) => new CgroupArray(handle),
  },
  (kind) => (): MapShape<CgroupArray> => ({ kind }),
);
