import { describe, expect, it } from 'vitest';
import type { MapCreate } from '../../runtime/src/kernel/kernel.js';
import { brokenRule } from '../../runtime/src/loader/map-rules.js';
import { fakeKernel } from '../../runtime/src/testing/index.js';
import {
  BPF_F_NO_PREALLOC,
  BPF_F_STACK_BUILD_ID,
  BPF_F_ZERO_SEED,
  BPF_MAP_TYPE,
} from '../../runtime/src/uapi.js';

const plain = { keySize: 4, valueSize: 8, maxEntries: 16 };
const trie = { flags: BPF_F_NO_PREALLOC, keySize: 8 };
const storage = { flags: BPF_F_NO_PREALLOC, maxEntries: 0 };

describe('the rules of map types', () => {
  it.each<[keyof typeof BPF_MAP_TYPE, Partial<MapCreate>, RegExp]>([
    ['ARRAY_OF_MAPS', { keySize: 8 }, /^keys of array maps have 4 bytes, these 8$/],
    ['QUEUE', {}, /^queues and stacks have no key, this one of 4 bytes$/],
    ['BLOOM_FILTER', {}, /^bloom filters have no key, this one of 4 bytes$/],
    ['BLOOM_FILTER', { keySize: 0, mapExtra: 16n }, /at most 15 hash functions \(map_extra\), this one 16$/],
    ['HASH_OF_MAPS', { maxEntries: 0 }, /^max_entries is 0/],
    ['LPM_TRIE', {}, /^an LPM trie is not allocated in advance; .*BPF_F_NO_PREALLOC/],
    ['LPM_TRIE', { ...trie, keySize: 4 }, /from 5 to 260 bytes, 4 of them the prefix length; these have 4$/],
    ['STACK_TRACE', { keySize: 8 }, /^keys of a stack trace map have 4 bytes, these 8$/],
    ['STACK_TRACE', { valueSize: 12 }, /frames of 8 bytes each, these have 12 bytes$/],
    [
      'STACK_TRACE',
      { flags: BPF_F_STACK_BUILD_ID, valueSize: 40 },
      /frames of 32 bytes each, these have 40 bytes$/,
    ],
    ['DEVMAP', { valueSize: 12 }, /^values of maps of this type have 4 or 8 bytes, these 12$/],
    ['INSN_ARRAY', {}, /keys of 4 bytes and values of 16 \(struct bpf_insn_array_value\), this one 4 and 8$/],
    [
      'INSN_ARRAY',
      { valueSize: 16, flags: BPF_F_NO_PREALLOC },
      /^an array of instructions has no map_flags$/,
    ],
    ['INSN_ARRAY', { valueSize: 16, maxEntries: 0 }, /^max_entries is 0/],
    ['RHASH', {}, /^a resizable hash map is not allocated in advance; .*BPF_F_NO_PREALLOC/],
    [
      'RHASH',
      { flags: BPF_F_NO_PREALLOC | BPF_F_ZERO_SEED },
      /^a resizable hash map takes no BPF_F_ZERO_SEED$/,
    ],
    ['RHASH', { flags: BPF_F_NO_PREALLOC, mapExtra: 17n }, /is 17, and max_entries 16$/],
    ['SK_STORAGE', {}, /^a local storage is not allocated in advance/],
    ['TASK_STORAGE', { ...storage, maxEntries: 9 }, /has no max_entries, this one 9$/],
    ['INODE_STORAGE', { ...storage, keySize: 8 }, /an int of 4 bytes, these have 8$/],
  ])('of %s are told, with both numbers: %o', (type, more, message) => {
    expect(brokenRule(fakeKernel(), { ...plain, type: BPF_MAP_TYPE[type], ...more })).toMatch(message);
  });

  it.each<[keyof typeof BPF_MAP_TYPE, Partial<MapCreate>]>([
    ['HASH', {}],
    ['LPM_TRIE', trie],
    ['STACK_TRACE', {}],
    ['SOCKMAP', {}],
    ['CGRP_STORAGE', storage],
    ['BLOOM_FILTER', { keySize: 0 }],
    ['ARENA', {}],
    ['INSN_ARRAY', { valueSize: 16 }],
    ['RHASH', { flags: BPF_F_NO_PREALLOC, mapExtra: 16n }],
  ])('of %s are kept', (type, more) => {
    expect(brokenRule(fakeKernel(), { ...plain, type: BPF_MAP_TYPE[type], ...more })).toBeUndefined();
  });
});
