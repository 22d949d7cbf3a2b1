import { expect } from 'vitest';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { array } from '../../runtime/src/map/array.js';
import { bloomFilter } from '../../runtime/src/map/bloom-filter.js';
import { hash } from '../../runtime/src/map/hash.js';
import { lpmTrie } from '../../runtime/src/map/lpm-trie.js';
import { lruHash } from '../../runtime/src/map/lru-hash.js';
import { lruPercpuHash } from '../../runtime/src/map/lru-percpu-hash.js';
import { percpuArray } from '../../runtime/src/map/percpu-array.js';
import { percpuHash } from '../../runtime/src/map/percpu-hash.js';
import { queue } from '../../runtime/src/map/queue.js';
import { stack } from '../../runtime/src/map/stack.js';
import { BPF_F_NO_PREALLOC } from '../../runtime/src/uapi.js';
import { Sample, sample, u32, u64 } from '../unit/live-map.js';
import { mapContract } from './map-contract.js';

const cpus = linuxKernel().possibleCpus();
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);
const sorted = (keys: Iterable<number>) => [...keys].sort((a, b) => a - b);

for (const [type, shape] of [
  ['HASH', hash(u32, Sample)],
  ['LRU_HASH', lruHash(u32, Sample)],
] as const) {
  mapContract({
    type,
    shape,
    attributes: { maxEntries: 20_000 },
    put: (map) => map.set(1, sample(1)).set(2, sample(2)),
    see: (map) => [map.get(1), map.has(2), map.has(3), map.size],
    shown: [sample(1), true, false, 2],
    refuse: (map) => map.set(9, sample(9), { flag: 'exist' }),
    refusal: /map "table" has no key 9/,
    more: {
      'sets, gets, counts and deletes many': (map) => {
        map.setMany(upTo(10_000).map((i) => [i, sample(i)] as const));
        expect(map.size).toBe(10_000);
        expect(map.getMany([5, 9_999, 10_000])).toEqual([sample(5), sample(9_999), undefined]);
        expect(sorted(map.keys())).toEqual(upTo(10_000));
        expect(map.deleteMany([10_000, ...upTo(9_000), 10_001])).toBe(9_000);
        expect(sorted(map.keys())[0]).toBe(9_000);
        map.clear();
        expect(map.size).toBe(0);
      },
    },
  });
}

for (const [type, shape] of [
  ['PERCPU_HASH', percpuHash(u32, u64)],
  ['LRU_PERCPU_HASH', lruPercpuHash(u32, u64)],
] as const) {
  mapContract({
    type,
    shape,
    attributes: { valueSize: 8, maxEntries: 256 },
    put: (map) => map.setMany([[7, upTo(cpus).map(BigInt)] as const]).setAll(8, 2n),
    see: (map) => [map.get(7), map.sum(8), map.size],
    shown: [upTo(cpus).map(BigInt), 2n * BigInt(cpus), 2],
    refuse: (map) => map.set(7, []),
    refusal: /map "table": takes one value for each of \d+ possible CPUs, 0 were given/,
  });
}

mapContract({
  type: 'ARRAY',
  shape: array(Sample),
  attributes: { maxEntries: 5_000 },
  put: (map) => map.setMany([[4_999, sample(5)]]),
  see: (map) => [map.get(4_999), [...map.entries()].length],
  shown: [sample(5), 5_000],
  refuse: (map) => map.get(5_000),
  refusal: /map "table": its indexes are the integers from 0 to 4999/,
  more: { 'is filled': (map) => expect([...map.fill(sample(3))].at(-1)).toEqual(sample(3)) },
});

mapContract({
  type: 'PERCPU_ARRAY',
  shape: percpuArray(u64),
  attributes: { valueSize: 8, maxEntries: 4 },
  put: (map) => map.setAll(2, 3n),
  see: (map) => map.sum(2),
  shown: 3n * BigInt(cpus),
  refuse: (map) => map.get(4),
  refusal: /map "table": its indexes/,
});

mapContract({
  type: 'LPM_TRIE',
  shape: lpmTrie(u64, u32),
  attributes: { keySize: 8, valueSize: 4, flags: BPF_F_NO_PREALLOC, maxEntries: 5000 },
  put: (map) => map.setMany([['10.0.0.0/8', 8] as const, ['10.1.0.0/16', 16] as const]),
  see: (map) => [map.get('10.1.2.3'), map.get('10.2.2.3'), map.get('11.0.0.0'), map.size],
  shown: [16, 8, undefined, 2],
  refuse: (map) => map.get('::1'),
  refusal: /map "table": "::1" is IPv6, which has 16 bytes; its data has 4/,
  more: {
    'prints its prefixes, with bits behind them as they were given': (map) => {
      map.set('10.0.0.0/8', 1).set(0x0102030a_00000018n, 2);
      expect([...map.prefixes()].map(([prefix, value]) => `${prefix} ${value}`).sort()).toEqual([
        '10.0.0.0/8 1',
        '10.3.2.1/24 2',
      ]);
      expect(map.get('10.3.2.9')).toBe(2);
    },
    'takes and deletes the very prefix': (map) => {
      map.set('10.0.0.0/8', 1).set('10.1.0.0/16', 2);
      expect([map.take('10.1.2.3'), map.delete('10.1.2.0/24'), map.take('10.1.0.0/16')]).toEqual([
        undefined,
        false,
        2,
      ]);
      expect(map.deleteMany(['11.0.0.0/8', '10.0.0.0/8'])).toBe(1);
    },
    'is walked to the end while it changes': (map) => {
      map.setMany(upTo(4_500).map((i) => [`10.${i >> 8}.${i & 255}.0/24`, i] as const));
      let steps = 0;
      for (const [key] of map) {
        map.delete(key);
        map.set(`11.${(steps >> 8) & 255}.${steps & 255}.0/24`, 0);
        if (++steps > 20_000) break;
      }
      expect(steps).toBeLessThanOrEqual(10_000);
      map.clear();
      expect(map.size).toBe(0);
    },
  },
});

for (const [type, shape, order] of [
  ['QUEUE', queue(u32), [1, 2, 3]],
  ['STACK', stack(u32), [3, 2, 1]],
] as const) {
  mapContract({
    type,
    shape,
    attributes: { keySize: 0, valueSize: 4, maxEntries: 3 },
    put: (map) => map.push(1).push(2).push(3),
    see: (map) => [map.peek(), ...map.drain()],
    shown: [order[0], ...order],
    refuse: (map) => map.push(1).push(2).push(3).push(4),
    refusal: /map "table" is full: max_entries is 3/,
    more: {
      'drops the oldest for a new one when told to': (map) => {
        map.push(1).push(2).push(3).push(4, { evict: true });
        expect(sorted(map.drain())).toEqual([2, 3, 4]);
        map.clear();
        expect(map.pop()).toBeUndefined();
      },
    },
  });
}

mapContract({
  type: 'BLOOM_FILTER',
  shape: bloomFilter(u64),
  attributes: { keySize: 0, valueSize: 8, maxEntries: 1000, mapExtra: 3n },
  put: (map) => map.add(1n).add(2n),
  see: (map) => [map.has(1n), map.has(2n), map.has(3n)],
  shown: [true, true, false],
  refuse: (map) => {
    map.freeze();
    map.add(3n);
  },
  refusal: /^add to map "table": .*\(EPERM\)$/,
  more: { 'tells its number of hash functions': (map) => expect(map.hashes).toBe(3) },
});
