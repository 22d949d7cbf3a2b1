import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { type HashMap, hash } from '../../runtime/src/map/hash.js';
import { mapKindOf } from '../../runtime/src/map/kinds.js';
import { lruHash } from '../../runtime/src/map/lru-hash.js';
import { lruPercpuHash } from '../../runtime/src/map/lru-percpu-hash.js';
import type { MapShape } from '../../runtime/src/map/map.js';
import { percpuHash } from '../../runtime/src/map/percpu-hash.js';
import { fakeKernel } from '../../runtime/src/testing/index.js';
import { BPF_MAP_TYPE } from '../../runtime/src/uapi.js';
import { liveMap, Sample, sample, u32, u64 } from './live-map.js';

const attributes = { type: BPF_MAP_TYPE.HASH, name: 'stats', keySize: 4, valueSize: 16, maxEntries: 1024 };

function openHash(options: Parameters<typeof fakeKernel>[0] = {}, more = {}) {
  const kernel = fakeKernel(options);
  return { kernel, ...liveMap(kernel, hash(u32, Sample), { ...attributes, ...more }) };
}

describe('a hash map', () => {
  it('gives back what was set, and undefined for the rest', () => {
    const { map } = openHash();
    expect(map.set(6, sample(6))).toBe(map);
    expect(map.get(6)).toEqual(sample(6));
    expect(map.get(7)).toBeUndefined();
    expect(map.has(6)).toBe(true);
    expect(map.has(7)).toBe(false);
  });

  it('deletes, and says whether there was something to delete', () => {
    const { map } = openHash();
    map.set(6, sample(6));
    expect(map.delete(6)).toBe(true);
    expect(map.delete(6)).toBe(false);
    expect(map.has(6)).toBe(false);
  });

  it.each([['6.12'], ['5.10']])('takes a value out on Linux %s', (version) => {
    const { map } = openHash({ version });
    map.set(6, sample(6));
    expect(map.take(6)).toEqual(sample(6));
    expect(map.take(6)).toBeUndefined();
    expect(map.has(6)).toBe(false);
  });

  it('writes padding as zero, whatever was written before', () => {
    const { map } = openHash();
    map.setBytes(1, new Uint8Array(16).fill(0xff));
    map.set(1, sample(1));
    expect([...(map.getBytes(1) ?? [])].slice(5, 8)).toEqual([0, 0, 0]);
  });

  it('gives bytes that later calls leave alone', () => {
    const { map } = openHash();
    map.set(1, sample(1)).set(2, sample(2));
    const bytes = map.getBytes(1);
    map.get(2);
    expect(bytes?.[0]).toBe(1);
    expect(map.getBytes(3)).toBeUndefined();
  });

  it('says that it is full, and how much it holds', () => {
    const { map } = openHash({}, { maxEntries: 2 });
    map.set(1, sample(1)).set(2, sample(2));
    expect(() => map.set(3, sample(3))).toThrow(
      expect.objectContaining({ message: 'map "stats" is full: max_entries is 2', code: 'E2BIG', errno: 7 }),
    );
    expect(map.set(2, sample(4)).get(2)).toEqual(sample(4));
  });

  it('refuses to create what is there and to replace what is not', () => {
    const { map } = openHash();
    map.set(1, sample(1), { flag: 'create' });
    expect(() => map.set(1, sample(2), { flag: 'create' })).toThrow(/"stats" already has the key 1/);
    expect(() => map.set(2, sample(2), { flag: 'exist' })).toThrow(/"stats" has no key 2/);
    map.set(1, sample(2), { flag: 'exist' });
    expect(map.get(1)).toEqual(sample(2));
  });

  it('keeps the cause of a refusal it has no words for', () => {
    const { map, kernel } = openHash();
    kernel.failing('mapUpdate', 'EPERM', { name: 'stats' });
    expect(() => map.set(1, sample(1))).toThrow(
      expect.objectContaining({ code: 'EPERM', cause: expect.objectContaining({ name: 'SyscallError' }) }),
    );
  });

  it('refuses raw values of another length', () => {
    const { map } = openHash();
    expect(() => map.setBytes(1, new Uint8Array(15))).toThrow(/"stats": takes 16 bytes, 15 were given/);
  });

  it('is closed with its object', () => {
    const { map, destroy } = openHash();
    destroy();
    expect(() => map.get(1)).toThrow(expect.objectContaining({ code: 'ERR_BPF_STATE' }));
  });

  it('takes keys and values as bytes when it has no types', () => {
    const kernel = fakeKernel();
    const { kind } = hash(u32, u32);
    const { handle } = liveMap(kernel, { kind }, { ...attributes, valueSize: 2 });
    const map = kind.open(handle, undefined, undefined) as unknown as {
      set(key: Uint8Array, value: Uint8Array): void;
      get(key: Uint8Array): Uint8Array;
    };
    map.set(new Uint8Array([1, 2, 3, 4]), new Uint8Array([5, 6]));
    expect([...map.get(new Uint8Array([1, 2, 3, 4]))]).toEqual([5, 6]);
    expect(() => map.get(new Uint8Array(3))).toThrow(/key of map "stats": takes 4 bytes, 3 were given/);
  });

  it.each<[string, MapShape]>([
    ['a key of another size', hash(u64, Sample)],
    ['a value that is too long', hash(u32, { ...Sample, size: 24 })],
  ])('refuses %s', (_what, shape) => {
    expect(() => liveMap(fakeKernel(), shape, attributes)).toThrow(
      expect.objectContaining({ code: 'ERR_BPF_LAYOUT' }),
    );
  });
});

describe.each([
  ['in batches', '6.12'],
  ['key by key', '5.4'],
])('a walk over a hash map %s', (_how, version) => {
  const filled = (count: number, maxEntries = 20_000) => {
    const opened = openHash({ version }, { maxEntries });
    for (let i = 0; i < count; i++) opened.map.set(i, sample(i));
    return opened;
  };

  it('finds nothing in an empty map', () => {
    expect([...filled(0).map]).toEqual([]);
  });

  it('finds every entry once', () => {
    const { map } = filled(10_000);
    const entries = [...map];
    expect(entries).toHaveLength(10_000);
    expect(new Map(entries).get(9_999)).toEqual(sample(9_999));
    expect([...map.keys()].sort((a, b) => a - b)).toEqual(Array.from({ length: 10_000 }, (_, i) => i));
    expect([...map.values()].map(({ pid }) => pid)).toEqual([...map.keys()]);
  });

  it('survives that its entries are deleted under it', () => {
    const { map } = filled(5_000);
    for (const key of map.keys()) map.delete(key);
    expect([...map]).toEqual([]);
  });

  it('gives no entry twice when another is deleted right in front of it', () => {
    const { map } = filled(10);
    const seen: number[] = [];
    for (const [key] of map) {
      seen.push(key);
      if (key === 0) map.delete(1);
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.filter((key) => key !== 1)).toEqual([0, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('ends although entries keep coming and going', () => {
    const { map } = filled(100, 200);
    let fresh = 1_000;
    let seen = 0;
    for (const [key] of map) {
      map.delete(key);
      map.set(fresh++, sample(0));
      if (++seen > 100_000) break;
    }
    expect(seen).toBeLessThan(100_000);
  });

  it('is left early without harm', () => {
    const { map } = filled(100);
    for (const [key] of map) {
      expect(key).toBe(0);
      break;
    }
    expect([...map]).toHaveLength(100);
  });

  it('clears it', () => {
    const { map } = filled(10_000);
    map.clear();
    expect([...map]).toEqual([]);
  });
});

describe('a walk', () => {
  it('reads larger batches when a hash bucket does not fit', () => {
    const { map, kernel } = openHash({}, { maxEntries: 10_000 });
    for (let i = 0; i < 10; i++) map.set(i, sample(i));
    kernel.failing('mapLookupBatch', 'ENOSPC', { times: 1 });
    expect([...map]).toHaveLength(10);
  });

  it('throws what stops it', () => {
    const { map, kernel } = openHash();
    kernel.failing('mapLookupBatch', 'EPERM');
    expect(() => [...map]).toThrow(/^read map "stats": bpf\(BPF_MAP_LOOKUP_BATCH\): .*\(EPERM\)$/);
  });
});

describe('an LRU hash map', () => {
  it('makes room for new entries', () => {
    const kernel = fakeKernel();
    const { map } = liveMap(kernel, lruHash(u32, Sample), {
      ...attributes,
      type: BPF_MAP_TYPE.LRU_HASH,
      maxEntries: 4,
    });
    for (let i = 0; i < 10; i++) map.set(i, sample(i));
    expect([...map.keys()]).toEqual([6, 7, 8, 9]);
  });
});

describe.each([
  ['per-CPU hash', percpuHash(u32, u64), BPF_MAP_TYPE.PERCPU_HASH],
  ['LRU per-CPU hash', lruPercpuHash(u32, u64), BPF_MAP_TYPE.LRU_PERCPU_HASH],
])('a %s map', (_name, shape, type) => {
  const open = () => {
    const kernel = fakeKernel({ cpus: 3, online: [0, 2] });
    return liveMap(kernel, shape, { ...attributes, type, valueSize: 8, maxEntries: 16 }).map;
  };

  it('has a value for every possible CPU', () => {
    const map = open().set(1, [1n, 2n, 3n]);
    expect(map.get(1)).toEqual([1n, 2n, 3n]);
    expect(map.cpus).toBe(3);
    expect(map.get(2)).toBeUndefined();
    expect([...map]).toEqual([[1, [1n, 2n, 3n]]]);
    expect(map.take(1)).toEqual([1n, 2n, 3n]);
  });

  it('adds them up', () => {
    const map = open().set(1, [1n, 2n, 3n]);
    expect(map.sum(1)).toBe(6n);
    expect(map.sum(1, (value, cpu) => Number(value) * cpu)).toBe(8);
    expect(map.sum(2)).toBeUndefined();
  });

  it('sets all of them alike', () => {
    expect(open().setAll(1, 7n).get(1)).toEqual([7n, 7n, 7n]);
  });

  it('refuses a value for another number of CPUs', () => {
    expect(() => open().set(1, [1n])).toThrow(
      'value of map "stats": takes one value for each of 3 possible CPUs, 1 were given',
    );
  });
});

describe('a per-CPU hash map of small values', () => {
  it('says how many bytes all CPUs take when it is given others', () => {
    const kernel = fakeKernel({ cpus: 32 });
    const type = BPF_MAP_TYPE.PERCPU_HASH;
    const { map } = liveMap(kernel, percpuHash(u32, u32), { ...attributes, type, valueSize: 80 });
    expect(() => map.setBytes(1, new Uint8Array(960))).toThrow(
      'value of map "stats": takes 2560 bytes, 80 for each of 32 possible CPUs; 960 were given',
    );
  });

  it('has each at a multiple of 8 bytes', () => {
    const kernel = fakeKernel({ cpus: 2 });
    const type = BPF_MAP_TYPE.PERCPU_HASH;
    const { map } = liveMap(kernel, percpuHash(u32, u32), { ...attributes, type, valueSize: 4 });
    map.set(1, [0x01020304, 5]);
    expect([...(map.getBytes(1) ?? [])]).toEqual([4, 3, 2, 1, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]);
    expect(map.sum(1)).toBe(0x01020304 + 5);
  });
});

describe('the value of one CPU', () => {
  const open = (version: string) => {
    const kernel = fakeKernel({ version, cpus: 3 });
    const type = BPF_MAP_TYPE.PERCPU_HASH;
    return liveMap(kernel, percpuHash(u32, u32), { ...attributes, type, valueSize: 4 }).map;
  };

  it.each([['6.18'], ['7.0']])('is read on Linux %s', (version) => {
    const map = open(version).set(7, [10, 11, 12]);
    expect([0, 1, 2].map((cpu) => map.getCpu(7, cpu))).toEqual([10, 11, 12]);
    expect(map.getCpu(8, 0)).toBeUndefined();
    expect(() => map.getCpu(7, 3)).toThrow(
      'get a value of map "stats" for CPU 3: the possible CPUs are the integers from 0 to 2',
    );
  });

  it('is written alone', () => {
    const map = open('7.0').set(7, [10, 11, 12]);
    expect(map.setCpu(7, 1, 99).get(7)).toEqual([10, 99, 12]);
    expect(map.setCpu(8, 2, 5).get(8)).toEqual([0, 0, 5]);
    expect(() => map.setCpu(7, -1, 0)).toThrow(expect.objectContaining({ code: 'ERR_BPF_RANGE' }));
  });

  it('is written alone when somebody else adds the key meanwhile', () => {
    const kernel = fakeKernel({ version: '7.0', cpus: 3 });
    const type = BPF_MAP_TYPE.PERCPU_HASH;
    const { map } = liveMap(kernel, percpuHash(u32, u32), { ...attributes, type, valueSize: 4 });
    const { mapUpdate } = kernel;
    kernel.mapUpdate = (...args) => {
      kernel.mapUpdate = mapUpdate;
      map.set(7, [10, 11, 12]);
      mapUpdate.apply(kernel, args);
    };
    expect(map.setCpu(7, 1, 99).get(7)).toEqual([10, 99, 12]);
  });

  it('is not written alone by older kernels, which say so', () => {
    const map = open('6.18').set(7, [10, 11, 12]);
    expect(() => map.setCpu(7, 1, 99)).toThrow(
      expect.objectContaining({
        name: 'NotSupportedError',
        since: '7.0',
        message:
          'set 7 of map "stats" for CPU 1: the values of single CPUs can be written since Linux 7.0, and this is 6.18.0-fake (EINVAL)',
      }),
    );
    expect(map.get(7)).toEqual([10, 11, 12]);
  });
});

describe('a hash map without types', () => {
  const open = () => liveMap(fakeKernel(), hash(u32, Sample), { ...attributes }).handle;
  const map = () =>
    mapKindOf(BPF_MAP_TYPE.HASH).open(open(), undefined, undefined) as HashMap<unknown, unknown>;
  const value = new Uint8Array(16);

  it.each([
    ['abcd', 'text'],
    [5, 'a number'],
    [5n, 'a bigint'],
    [[1, 2, 3, 4], 'an array'],
    [Uint32Array.of(1, 2, 3, 4), 'an object'],
    [null, 'null'],
    [undefined, 'undefined'],
  ])('refuses %s, of which it would write zeros', (key, given) => {
    const sentence = `key of map "stats": takes 4 bytes in a Uint8Array, and ${given} was given`;
    expect(() => map().set(key, value)).toThrow(sentence);
    expect(() => map().get(key)).toThrow(expect.objectContaining({ code: 'ERR_BPF_ARGUMENT' }));
    expect(() => map().set(new Uint8Array(4), key)).toThrow(
      /^value of map "stats": takes 16 bytes in a Uint8Array/,
    );
  });

  it('takes bytes of another realm', () => {
    const foreign: unknown = runInNewContext('new Uint8Array([1, 2, 3, 4])');
    expect(foreign).not.toBeInstanceOf(Uint8Array);
    expect(
      map()
        .set(foreign, value)
        .has(Buffer.from([1, 2, 3, 4])),
    ).toBe(true);
  });

  it('knows no flag but two', () => {
    const options = { flag: 'new' } as unknown as { flag: 'create' };
    expect(() => map().set(new Uint8Array(4), value, options)).toThrow(
      "\"new\" is no flag of set(); there are 'create' and 'exist'",
    );
    expect(() => map().set(new Uint8Array(4), value, { flag: 'toString' as 'create' })).toThrow(/is no flag/);
  });
});
