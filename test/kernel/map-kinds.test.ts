import { expect } from 'vitest';
import { bytes } from '../../runtime/src/codec/raw.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { array } from '../../runtime/src/map/array.js';
import { arrayOfMaps } from '../../runtime/src/map/array-of-maps.js';
import { bloomFilter } from '../../runtime/src/map/bloom-filter.js';
import { HashMap, hash } from '../../runtime/src/map/hash.js';
import { hashOfMaps } from '../../runtime/src/map/hash-of-maps.js';
import { lpmTrie } from '../../runtime/src/map/lpm-trie.js';
import { lruHash } from '../../runtime/src/map/lru-hash.js';
import { lruPercpuHash } from '../../runtime/src/map/lru-percpu-hash.js';
import type { MapOfMaps } from '../../runtime/src/map/map-of-maps.js';
import { adoptMap } from '../../runtime/src/map/owned.js';
import { type PerCpuArrayMap, percpuArray } from '../../runtime/src/map/percpu-array.js';
import { type PerCpuHashMap, percpuHash } from '../../runtime/src/map/percpu-hash.js';
import { queue } from '../../runtime/src/map/queue.js';
import { stack } from '../../runtime/src/map/stack.js';
import { BPF_F_LOCK, BPF_F_NO_PREALLOC, BPF_MAP_TYPE, kernelVersion } from '../../runtime/src/uapi.js';
import type { BtfBuilder } from '../unit/btf-builder.js';
import { Sample, sample, u32, u64 } from '../unit/live-map.js';
import { mapContract } from './map-contract.js';

const kernel = linuxKernel();
const cpus = kernel.possibleCpus();
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

/** `struct { struct bpf_spin_lock lock; __u32 hits; struct bpf_timer timer; __u64 last; }` */
function lockedValue(btf: BtfBuilder): number {
  const u32Type = btf.int('u32', 4, 'unsigned');
  const lock = btf.struct('bpf_spin_lock', 4, [{ name: 'val', type: u32Type }]);
  const timer = btf.struct('bpf_timer', 16, []);
  return btf.struct('counter', 32, [
    { name: 'lock', type: lock, at: 0 },
    { name: 'hits', type: u32Type, at: 4 },
    { name: 'timer', type: timer, at: 8 },
    { name: 'last', type: btf.int('u64', 8, 'unsigned'), at: 24 },
  ]);
}
const everywhere = new Uint8Array(32).fill(0xff);
const around = new Uint8Array(32).fill(0xff, 4, 8).fill(0xff, 24);
mapContract({
  type: 'HASH',
  variant: 'whose values have a lock and a timer',
  shape: hash(u32, bytes(32)),
  attributes: { valueSize: 32 },
  types: (btf) => ({ key: btf.int('int', 4), value: lockedValue(btf) }),
  put: (map) => map.set(1, everywhere, { lock: true }),
  see: (map) => [map.get(1), map.get(1, { lock: true }), map.get(2, { lock: true })],
  // What the kernel keeps to itself reads as zeros.
  shown: [around, around, undefined],
  refuse: (map) => map.set(1, everywhere, { lock: true, flag: 'exist' }),
  refusal: /map "table" has no key 1/,
  more: {
    'writes and reads many under their locks': (map) => {
      map.setMany(
        upTo(16).map((i) => [i, everywhere] as const),
        { lock: true },
      );
      expect(map.getMany([0, 15], { lock: true })).toEqual([around, around]);
      expect([...map.values()][0]).toEqual(around);
    },
    'knows that others have no lock': () => {
      const fd = kernel.mapCreate({ type: BPF_MAP_TYPE.HASH, keySize: 4, valueSize: 4, maxEntries: 1 });
      expect(() => kernel.mapLookup(fd, new Uint8Array(4), new Uint8Array(4), BPF_F_LOCK)).toThrow(/EINVAL/);
      kernel.close(fd);
    },
  },
});

/** What a map does when one CPU's value of key 2 is to be written. */
function writeOne(map: PerCpuHashMap<number, bigint> | PerCpuArrayMap<bigint>): void {
  const last = cpus - 1;
  map.set(2, upTo(cpus).map(BigInt));
  expect(upTo(cpus).map((cpu) => map.getCpu(2, cpu))).toEqual(upTo(cpus).map(BigInt));
  const write = () => map.setCpu(2, last, 99n);
  if (kernel.version >= kernelVersion(7, 0)) write();
  else
    expect(write).toThrow(
      /^set 2 of map "table" for CPU \d+: .* since Linux 7\.0, and this is .* \(EINVAL\)$/,
    );
  const written = kernel.version >= kernelVersion(7, 0) ? 99n : BigInt(last);
  expect(map.get(2)).toEqual(upTo(cpus).map((cpu) => (cpu === last ? written : BigInt(cpu))));
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
    more: { 'writes the value of one CPU, or says which kernel does': writeOne },
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
  more: { 'writes the value of one CPU, or says which kernel does': writeOne },
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
    see: (map) => map.peek(),
    shown: order[0],
    refuse: (map) => map.push(1).push(2).push(3).push(4),
    refusal: /map "table" is full: max_entries is 3/,
    more: {
      'gives its elements in its order': (map) => {
        expect([...map.push(1).push(2).push(3).drain()]).toEqual(order);
        expect([map.pop(), map.peek()]).toEqual([undefined, undefined]);
      },
      'drops the oldest for a new one when told to': (map) => {
        map.push(1).push(2).push(3).push(4, { evict: true });
        expect(sorted(map.drain())).toEqual([2, 3, 4]);
        map.clear();
        expect(map.pop()).toBeUndefined();
      },
    },
  });
}

const inner = { type: BPF_MAP_TYPE.HASH, name: 'inner', keySize: 4, valueSize: 16, maxEntries: 8 };
for (const [type, shape] of [
  ['ARRAY_OF_MAPS', arrayOfMaps(hash(u32, Sample))],
  ['HASH_OF_MAPS', hashOfMaps(u32, hash(u32, Sample))],
] as const) {
  mapContract<MapOfMaps<number, HashMap<number, Sample>>>({
    type,
    shape,
    inner,
    attributes: { valueSize: 4 },
    put(map) {
      using first = map.createInner();
      using second = map.createInner({ maxEntries: 2 });
      map.set(3, first.set(1, sample(1))).set(5, second.set(2, sample(2)));
    },
    see: (map) => [
      [...map.keys()].sort().map((key) => {
        using one = map.get(key);
        return [key, ...(one?.keys() ?? [])];
      }),
      map.has(3),
      map.has(4),
      map.size,
    ],
    shown: [
      [
        [3, 1],
        [5, 2],
      ],
      true,
      false,
      2,
    ],
    refuse(map) {
      using live = adoptMap(kernel.mapCreate({ ...inner, type: BPF_MAP_TYPE.ARRAY, valueSize: 4 }), {
        kernel,
        shape: array(u32),
        what: 'inner',
      });
      map.set(1, live);
    },
    refusal:
      /^set 1 of map "table": .*\(EINVAL\): map "inner" has type 2 and not 1, value size 4 and not 16$/,
    more: {
      'gives inner maps of the right class, which can be changed and closed': (map) => {
        using made = map.createInner();
        map.set(1, made);
        const got = map.get(1);
        expect(got).toBeInstanceOf(HashMap);
        got?.set(7, sample(7));
        expect(made.get(7)).toEqual(sample(7));
        got?.close();
        expect(() => got?.get(7)).toThrow('use map "inner": it is closed');
        expect([map.id(1), map.get(2), map.id(2)]).toEqual([made.info().id, undefined, undefined]);
      },
      'keeps an inner map alive, and lets it go': (map) => {
        map.createInner().set(1, sample(1));
        using made = map.createInner();
        map.set(1, made);
        expect([map.delete(1), map.delete(1), map.get(1)]).toEqual([true, false, undefined]);
        map.set(2, made).set(3, made).clear();
        expect([...map.keys()]).toEqual([]);
      },
      'shows its inner maps one by one': (map) => {
        using made = map.createInner();
        map.set(1, made).set(2, made.set(9, sample(9)));
        const seen: unknown[] = [];
        map.forEach((one, key) => {
          seen.push([key, one.get(9)]);
        });
        expect(seen.sort()).toEqual([
          [1, sample(9)],
          [2, sample(9)],
        ]);
      },
      'closes what was left open with itself': (map) => {
        map.set(1, map.createInner());
        map.get(1);
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
