import { alignUp } from '../bytes.js';
import type { Fd, MapCreate } from '../kernel/kernel.js';
import { BPF_F_MMAPABLE, BPF_F_NO_PREALLOC, BPF_MAP_TYPE, kernelVersion } from '../uapi.js';
import { FakeArena } from './fake-arena.js';
import { FakeArray, FakeSlots } from './fake-array.js';
import { FakeBloom } from './fake-bloom.js';
import { FakeInsnArray } from './fake-insn-array.js';
import { FakeHash, type FakeMap, type FakeMapFacts } from './fake-map.js';
import { FakeArrayOfMaps, FakeHashOfMaps } from './fake-map-of-maps.js';
import type { FakePerfEvent } from './fake-perf.js';
import { FakeQueue, FakeRingMap } from './fake-queue.js';
import { FakeResizableHash } from './fake-rhash.js';
import { FakeStacks } from './fake-stacks.js';
import { FakeStorage } from './fake-storage.js';
import { FakeStructOps } from './fake-struct-ops.js';
import { FakeTrie } from './fake-trie.js';
import { FakeUserRingMap } from './fake-user-ring.js';
import { refusal } from './refusal.js';

/** What making a map needs to know of its kernel. */
export interface MapMaker {
  readonly version: number;
  readonly pageSize: number;
  readonly littleEndian: boolean;
  possibleCpus(): number;
  /** The objects that a slot of a map can hold; each refuses a descriptor of something else. */
  programBehind(fd: Fd): { readonly id: number };
  mapBehind(fd: Fd): FakeMap;
  perfEventBehind(fd: Fd): FakePerfEvent;
  /** What a storage of this `enum bpf_map_type` keeps values with. */
  ownerBehind(fd: Fd, type: number): unknown;
}

const { PERCPU_HASH, PERCPU_ARRAY, LRU_HASH, LRU_PERCPU_HASH, PERCPU_CGROUP_STORAGE } = BPF_MAP_TYPE;
const perCpu: readonly number[] = [PERCPU_HASH, PERCPU_ARRAY, LRU_PERCPU_HASH, PERCPU_CGROUP_STORAGE];
const rings: readonly number[] = [BPF_MAP_TYPE.RINGBUF, BPF_MAP_TYPE.USER_RINGBUF];
const keyless: readonly number[] = [
  BPF_MAP_TYPE.QUEUE,
  BPF_MAP_TYPE.STACK,
  BPF_MAP_TYPE.BLOOM_FILTER,
  BPF_MAP_TYPE.ARENA,
  ...rings,
];
/** Local storages; and with those of attachments, what has entries without a limit. */
const locals: readonly number[] = [
  BPF_MAP_TYPE.SK_STORAGE,
  BPF_MAP_TYPE.INODE_STORAGE,
  BPF_MAP_TYPE.TASK_STORAGE,
  BPF_MAP_TYPE.CGRP_STORAGE,
];
const unlimited: readonly number[] = [...locals, BPF_MAP_TYPE.CGROUP_STORAGE, PERCPU_CGROUP_STORAGE];
const valueless: readonly number[] = [BPF_MAP_TYPE.ARENA, ...rings];
const mappable: readonly number[] = [BPF_MAP_TYPE.ARRAY, BPF_MAP_TYPE.ARENA];
const indexed: readonly number[] = [
  BPF_MAP_TYPE.ARRAY,
  BPF_MAP_TYPE.PERCPU_ARRAY,
  BPF_MAP_TYPE.PROG_ARRAY,
  BPF_MAP_TYPE.PERF_EVENT_ARRAY,
  BPF_MAP_TYPE.ARRAY_OF_MAPS,
];
/** Kernel that first had a map type, for those that a test may want to be without. */
const since: Readonly<Record<number, number>> = {
  [BPF_MAP_TYPE.RINGBUF]: kernelVersion(5, 8),
  [BPF_MAP_TYPE.USER_RINGBUF]: kernelVersion(6, 1),
  [BPF_MAP_TYPE.SK_STORAGE]: kernelVersion(5, 2),
  [BPF_MAP_TYPE.INODE_STORAGE]: kernelVersion(5, 10),
  [BPF_MAP_TYPE.TASK_STORAGE]: kernelVersion(5, 11),
  [BPF_MAP_TYPE.CGRP_STORAGE]: kernelVersion(6, 2),
  [BPF_MAP_TYPE.BLOOM_FILTER]: kernelVersion(5, 16),
  [BPF_MAP_TYPE.ARENA]: kernelVersion(6, 9),
  [BPF_MAP_TYPE.INSN_ARRAY]: kernelVersion(6, 19),
  [BPF_MAP_TYPE.RHASH]: kernelVersion(7, 2),
};

/** BPF_MAP_CREATE: the storage of a map, or the refusal that Linux has for wrong attributes. */
export function makeMap(attributes: MapCreate, id: number, kernel: MapMaker): FakeMap {
  check(attributes, kernel);
  const { type, valueSize } = attributes;
  const lookupSize = perCpu.includes(type) ? alignUp(valueSize, 8) * kernel.possibleCpus() : valueSize;
  const facts: FakeMapFacts = {
    id,
    lookupSize,
    littleEndian: kernel.littleEndian,
    perCpu: perCpu.includes(type),
  };
  switch (type) {
    case BPF_MAP_TYPE.ARRAY:
    case BPF_MAP_TYPE.PERCPU_ARRAY:
      return new FakeArray(attributes, facts, kernel.pageSize);
    case BPF_MAP_TYPE.PROG_ARRAY:
      return new FakeSlots(attributes, facts, (fd) => kernel.programBehind(fd));
    case BPF_MAP_TYPE.ARRAY_OF_MAPS:
      return new FakeArrayOfMaps(attributes, facts, (fd) => kernel.mapBehind(fd));
    case BPF_MAP_TYPE.HASH_OF_MAPS:
      return new FakeHashOfMaps(attributes, facts, (fd) => kernel.mapBehind(fd));
    case BPF_MAP_TYPE.PERF_EVENT_ARRAY:
      return new FakeSlots<{ id?: number; event: FakePerfEvent }>(attributes, facts, (fd) => ({
        event: kernel.perfEventBehind(fd),
      }));
    case BPF_MAP_TYPE.QUEUE:
    case BPF_MAP_TYPE.STACK:
      return new FakeQueue(attributes, facts, type === BPF_MAP_TYPE.STACK);
    case BPF_MAP_TYPE.BLOOM_FILTER:
      return new FakeBloom(attributes, facts);
    case BPF_MAP_TYPE.LPM_TRIE:
      return new FakeTrie(attributes, facts);
    case BPF_MAP_TYPE.STACK_TRACE:
      return new FakeStacks(attributes, facts);
    case BPF_MAP_TYPE.SK_STORAGE:
    case BPF_MAP_TYPE.INODE_STORAGE:
    case BPF_MAP_TYPE.TASK_STORAGE:
    case BPF_MAP_TYPE.CGRP_STORAGE:
      return new FakeStorage(attributes, facts, (fd) => kernel.ownerBehind(fd, type));
    case BPF_MAP_TYPE.ARENA:
      return new FakeArena(attributes, facts, kernel.pageSize);
    case BPF_MAP_TYPE.STRUCT_OPS:
      return new FakeStructOps(attributes, facts, false);
    case BPF_MAP_TYPE.INSN_ARRAY:
      return new FakeInsnArray(attributes, facts, kernel.pageSize);
    case BPF_MAP_TYPE.RHASH:
      return new FakeResizableHash(attributes, facts, false);
    case BPF_MAP_TYPE.RINGBUF:
      return new FakeRingMap(attributes, facts, kernel.pageSize);
    case BPF_MAP_TYPE.USER_RINGBUF:
      return new FakeUserRingMap(attributes, facts, kernel.pageSize);
    default:
      return new FakeHash(attributes, facts, type === LRU_HASH || type === LRU_PERCPU_HASH);
  }
}

/** The checks of map_create() and of each type's map_alloc_check. */
function check(attributes: MapCreate, { version, pageSize }: MapMaker): void {
  const { type, keySize, valueSize, maxEntries, flags = 0, name = '' } = attributes;
  const ring = rings.includes(type);
  const wrong =
    !Object.values<number>(BPF_MAP_TYPE).includes(type) ||
    type === BPF_MAP_TYPE.UNSPEC ||
    version < (since[type] ?? 0) ||
    !/^[\w.]*$/.test(name) ||
    (maxEntries === 0) !== unlimited.includes(type) ||
    (locals.includes(type) && (flags & BPF_F_NO_PREALLOC) === 0) ||
    (keyless.includes(type) ? keySize !== 0 : keySize === 0) ||
    (valueless.includes(type) ? valueSize !== 0 : valueSize === 0) ||
    (ring && ((maxEntries & (maxEntries - 1)) !== 0 || maxEntries % pageSize !== 0)) ||
    (indexed.includes(type) && keySize !== 4) ||
    (type === BPF_MAP_TYPE.INSN_ARRAY && (keySize !== 4 || valueSize !== 16 || flags !== 0)) ||
    (type === BPF_MAP_TYPE.RHASH && (flags & BPF_F_NO_PREALLOC) === 0) ||
    (type === BPF_MAP_TYPE.LPM_TRIE && (keySize < 5 || keySize > 260 || (flags & BPF_F_NO_PREALLOC) === 0)) ||
    ((flags & BPF_F_MMAPABLE) !== 0 && (version < kernelVersion(5, 5) || !mappable.includes(type)));
  // Attributes that a kernel does not know yet.
  if (attributes.exclusiveProgram !== undefined && version < kernelVersion(6, 18)) {
    throw refusal('bpf(BPF_MAP_CREATE)', 'EINVAL');
  }
  if (wrong) throw refusal('bpf(BPF_MAP_CREATE)', 'EINVAL');
}
