import type { Kernel, MapCreate } from '../kernel/kernel.js';
import { BPF_F_NO_PREALLOC, BPF_F_STACK_BUILD_ID, BPF_F_ZERO_SEED, BPF_MAP_TYPE } from '../uapi.js';

/** Prefix length and data of a trie's keys, in bytes (kernel: LPM_KEY_SIZE_MIN, LPM_KEY_SIZE_MAX). */
const TRIE_KEY = { min: 5, max: 260 } as const;

/**
 * The rule of its type that a map's attributes break, with what they are; undefined when none of these is broken. The
 * kernel answers all of them with EINVAL.
 */
export function brokenRule(kernel: Kernel, map: MapCreate): string | undefined {
  const { keySize, valueSize } = map;
  switch (map.type) {
    case BPF_MAP_TYPE.RINGBUF:
    case BPF_MAP_TYPE.USER_RINGBUF:
      return badRing(kernel, map);
    case BPF_MAP_TYPE.ARRAY:
    case BPF_MAP_TYPE.PERCPU_ARRAY:
    case BPF_MAP_TYPE.PROG_ARRAY:
    case BPF_MAP_TYPE.PERF_EVENT_ARRAY:
    case BPF_MAP_TYPE.CGROUP_ARRAY:
    case BPF_MAP_TYPE.ARRAY_OF_MAPS:
      return keySize === 4 ? noEntries(map) : `keys of array maps have 4 bytes, these ${keySize}`;
    case BPF_MAP_TYPE.INSN_ARRAY:
      return badInsnArray(map);
    case BPF_MAP_TYPE.RHASH:
      return badResizableHash(map);
    case BPF_MAP_TYPE.QUEUE:
    case BPF_MAP_TYPE.STACK:
      return keySize === 0 ? noEntries(map) : `queues and stacks have no key, this one of ${keySize} bytes`;
    case BPF_MAP_TYPE.BLOOM_FILTER:
      return badFilter(map);
    case BPF_MAP_TYPE.HASH:
    case BPF_MAP_TYPE.LRU_HASH:
    case BPF_MAP_TYPE.PERCPU_HASH:
    case BPF_MAP_TYPE.LRU_PERCPU_HASH:
    case BPF_MAP_TYPE.HASH_OF_MAPS:
      return keySize === 0 ? 'a hash map needs a key; this one has a key size of 0' : noEntries(map);
    case BPF_MAP_TYPE.LPM_TRIE:
      return badTrie(map);
    case BPF_MAP_TYPE.STACK_TRACE:
      return badStacks(map);
    case BPF_MAP_TYPE.SOCKMAP:
    case BPF_MAP_TYPE.SOCKHASH:
    case BPF_MAP_TYPE.REUSEPORT_SOCKARRAY:
    case BPF_MAP_TYPE.DEVMAP:
    case BPF_MAP_TYPE.DEVMAP_HASH:
    case BPF_MAP_TYPE.CPUMAP:
      return valueSize === 4 || valueSize === 8
        ? noEntries(map)
        : `values of maps of this type have 4 or 8 bytes, these ${valueSize}`;
    case BPF_MAP_TYPE.SK_STORAGE:
    case BPF_MAP_TYPE.INODE_STORAGE:
    case BPF_MAP_TYPE.TASK_STORAGE:
    case BPF_MAP_TYPE.CGRP_STORAGE:
      return badStorage(map);
    default:
      return undefined;
  }
}

function noEntries({ maxEntries }: MapCreate): string | undefined {
  return maxEntries === 0 ? 'max_entries is 0; set it in the C source or before load' : undefined;
}

function badRing(kernel: Kernel, { keySize, valueSize, maxEntries: size }: MapCreate): string | undefined {
  if (keySize !== 0 || valueSize !== 0) {
    return `a ring buffer has neither key nor value size, this one ${keySize} and ${valueSize}`;
  }
  if (size === 0 || (size & (size - 1)) !== 0 || size % kernel.pageSize !== 0) {
    return `the size of a ring buffer is a power of two and a multiple of the page size ${kernel.pageSize}, not ${size}`;
  }
  return undefined;
}

function badFilter(map: MapCreate): string | undefined {
  if (map.keySize !== 0) return `bloom filters have no key, this one of ${map.keySize} bytes`;
  const { mapExtra = 0n } = map;
  return mapExtra > 15n
    ? `a bloom filter has at most 15 hash functions (map_extra), this one ${mapExtra}`
    : noEntries(map);
}

function badTrie(map: MapCreate): string | undefined {
  if (((map.flags ?? 0) & BPF_F_NO_PREALLOC) === 0) return without('an LPM trie');
  const { min, max } = TRIE_KEY;
  return map.keySize < min || map.keySize > max
    ? `keys of an LPM trie have from ${min} to ${max} bytes, 4 of them the prefix length; these have ${map.keySize}`
    : noEntries(map);
}

/** insn_array_alloc_check (kernel/bpf/bpf_insn_array.c). */
function badInsnArray(map: MapCreate): string | undefined {
  const { keySize, valueSize, flags = 0 } = map;
  if (keySize !== 4 || valueSize !== 16) {
    return `an array of instructions has keys of 4 bytes and values of 16 (struct bpf_insn_array_value), this one ${keySize} and ${valueSize}`;
  }
  return flags === 0 ? noEntries(map) : 'an array of instructions has no map_flags';
}

/** rhtab_map_alloc_check (kernel/bpf/hashtab.c). */
function badResizableHash(map: MapCreate): string | undefined {
  const { flags = 0, mapExtra = 0n, maxEntries } = map;
  if ((flags & BPF_F_NO_PREALLOC) === 0) return without('a resizable hash map');
  if ((flags & BPF_F_ZERO_SEED) !== 0) return 'a resizable hash map takes no BPF_F_ZERO_SEED';
  return mapExtra > BigInt(maxEntries)
    ? `map_extra, for how many entries there is room at first, is ${mapExtra}, and max_entries ${maxEntries}`
    : noEntries(map);
}

function badStacks(map: MapCreate): string | undefined {
  if (map.keySize !== 4) return `keys of a stack trace map have 4 bytes, these ${map.keySize}`;
  const frame = ((map.flags ?? 0) & BPF_F_STACK_BUILD_ID) === 0 ? 8 : 32;
  return map.valueSize < frame || map.valueSize % frame !== 0
    ? `values of this stack trace map are frames of ${frame} bytes each, these have ${map.valueSize} bytes`
    : noEntries(map);
}

function badStorage(map: MapCreate): string | undefined {
  if (((map.flags ?? 0) & BPF_F_NO_PREALLOC) === 0) return without('a local storage');
  if (map.maxEntries !== 0) return `a local storage has no max_entries, this one ${map.maxEntries}`;
  return map.keySize === 4
    ? undefined
    : `keys of a local storage are an int of 4 bytes, these have ${map.keySize}`;
}

function without(what: string): string {
  return `${what} is not allocated in advance; add __uint(map_flags, BPF_F_NO_PREALLOC)`;
}
