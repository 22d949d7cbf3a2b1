import { describe, expect, it } from 'vitest';
import { array } from '../../runtime/src/map/array.js';
import { mapKindOf } from '../../runtime/src/map/kinds.js';
import { OtherMap, otherMap } from '../../runtime/src/map/other.js';
import { percpuArray } from '../../runtime/src/map/percpu-array.js';
import { progArray } from '../../runtime/src/map/prog-array.js';
import { fakeKernel } from '../../runtime/src/testing/index.js';
import { BPF_MAP_TYPE } from '../../runtime/src/uapi.js';
import { liveMap, Sample, sample, u32, u64 } from './live-map.js';

const attributes = { type: BPF_MAP_TYPE.ARRAY, name: 'table', keySize: 4, valueSize: 16, maxEntries: 4 };
const program = { type: 1, insns: new Uint8Array(16), license: 'GPL' };

describe.each([['6.12'], ['5.4']])('an array map on Linux %s', (version) => {
  const open = (maxEntries = 4) =>
    liveMap(fakeKernel({ version }), array(Sample), { ...attributes, maxEntries }).map;

  it('has every element from the start', () => {
    const map = open();
    expect(map.length).toBe(4);
    expect(map.get(3)).toEqual({ pid: 0, tag: 0, ns: 0n });
    expect(map.set(3, sample(9)).get(3)).toEqual(sample(9));
    expect(map.getBytes(3)[0]).toBe(9);
    map.setBytes(3, new Uint8Array(16));
    expect(map.get(3)).toEqual(sample(0));
  });

  it('iterates in order, over values as a JavaScript array does', () => {
    const map = open(6_000);
    for (let i = 0; i < 6_000; i++) map.set(i, sample(i));
    expect([...map].map(({ pid }) => pid)).toEqual(Array.from({ length: 6_000 }, (_, i) => i));
    expect([...map.entries()].at(-1)).toEqual([5_999, sample(5_999)]);
  });

  it('has the integers below its length as keys', () => {
    const map = open();
    expect([...map.keys()]).toEqual([0, 1, 2, 3]);
    expect([0, 3, 4, -1, 0.5].map((index) => map.has(index))).toEqual([true, true, false, false, false]);
  });

  it('fills itself', () => {
    expect([...open().fill(sample(2))]).toEqual(new Array(4).fill(sample(2)));
  });

  it.each([[4], [-1], [1.5], [Number.NaN], [2 ** 32]])('refuses the index %s', (index) => {
    const map = open();
    const message = `get index ${index} of map "table": its indexes are the integers from 0 to 3`;
    expect(() => map.get(index)).toThrow(expect.objectContaining({ message, code: 'ERR_BPF_RANGE' }));
    expect(() => map.set(index, sample(0))).toThrow(/^set index/);
  });
});

describe('a per-CPU array map', () => {
  const open = () =>
    liveMap(fakeKernel({ cpus: 3 }), percpuArray(u64), {
      ...attributes,
      type: BPF_MAP_TYPE.PERCPU_ARRAY,
      valueSize: 8,
    }).map;

  it('has a value for every possible CPU', () => {
    const map = open().set(1, [1n, 2n, 3n]);
    expect(map.get(0)).toEqual([0n, 0n, 0n]);
    expect([...map]).toEqual([
      [0n, 0n, 0n],
      [1n, 2n, 3n],
      [0n, 0n, 0n],
      [0n, 0n, 0n],
    ]);
    expect(map.sum(1)).toBe(6n);
    expect(map.sum(1, (value) => Number(value) * 2)).toBe(12);
    expect(map.setAll(1, 2n).sum(1)).toBe(6n);
    expect(map.cpus).toBe(3);
  });

  it('gives the value of one CPU', () => {
    const map = open().set(1, [1n, 2n, 3n]);
    expect([0, 1, 2].map((cpu) => map.getCpu(1, cpu))).toEqual([1n, 2n, 3n]);
    expect(() => map.getCpu(1, 3)).toThrow(
      'get a value of map "table" for CPU 3: the possible CPUs are the integers from 0 to 2',
    );
    expect(() => map.getCpu(4, 0)).toThrow(/index 4 of map "table"/);
  });

  it('refuses a value for another number of CPUs', () => {
    expect(() => open().set(0, [1n, 2n])).toThrow(/each of 3 possible CPUs, 2 were given/);
  });
});

describe('a program array', () => {
  const type = BPF_MAP_TYPE.PROG_ARRAY;
  const open = () => {
    const kernel = fakeKernel();
    return { kernel, map: liveMap(kernel, progArray(), { ...attributes, type, valueSize: 4 }).map };
  };

  it('takes programs and gives their ids', () => {
    const { kernel, map } = open();
    const [first, second] = [kernel.progLoad(program), kernel.progLoad(program)];
    map.set(0, first).set(2, { fd: second });
    expect(map.get(0)).toBe(kernel.progInfo(first).id);
    expect(map.get(1)).toBeUndefined();
    expect([...map]).toEqual([
      [0, kernel.progInfo(first).id],
      [2, kernel.progInfo(second).id],
    ]);
    expect([map.has(0), map.has(1), map.size, ...map.keys()]).toEqual([true, false, 2, 0, 2]);
    expect([...map.values()]).toEqual([first, second].map((fd) => kernel.progInfo(fd).id));
    expect(map.delete(0)).toBe(true);
    expect(map.delete(0)).toBe(false);
    expect(map.get(0)).toBeUndefined();
    map.clear();
    expect([...map, map.has(2)]).toEqual([false]);
  });

  it('names itself when it refuses', () => {
    const { map } = open();
    expect(() => map.set(4, 9)).toThrow(
      'set index 4 of map "table": its indexes are the integers from 0 to 3',
    );
    expect(() => map.set(0, 999)).toThrow(/^set 0 of map "table": .*\(EBADF\)$/);
  });
});

describe('a map of another type', () => {
  const open = (type: number, keySize = 4, valueSize = 4) => {
    const kernel = fakeKernel({ cpus: 2 });
    return liveMap(kernel, otherMap(), { type, name: 'odd', keySize, valueSize, maxEntries: 8 }).map;
  };
  const key = (value: number) => new Uint8Array([value, 0, 0, 0]);

  it('gives and takes bytes', () => {
    const map = open(BPF_MAP_TYPE.HASH);
    map.set(key(1), key(10)).set(key(2), key(20));
    expect(map.get(key(1))).toEqual(key(10));
    expect(map.get(key(3))).toBeUndefined();
    expect([...map.keys()]).toEqual([key(1), key(2)]);
    expect([...map]).toEqual([
      [key(1), key(10)],
      [key(2), key(20)],
    ]);
    expect([...map.values(), map.size]).toEqual([key(10), key(20), 2]);
    expect([map.has(key(2)), map.has(key(3))]).toEqual([true, false]);
    expect(map.take(key(1))).toEqual(key(10));
    expect(map.delete(key(2))).toBe(true);
    expect(map.delete(key(2))).toBe(false);
    map.set(key(3), key(30)).clear();
    expect(map.size).toBe(0);
  });

  it.each([
    ['queue', BPF_MAP_TYPE.QUEUE, [1, 2]],
    ['stack', BPF_MAP_TYPE.STACK, [2, 1]],
  ])('without keys is used with null: a %s', (_name, type, order) => {
    const map = open(type, 0);
    map.set(null, key(1)).set(null, key(2));
    expect(map.get(null)?.[0]).toBe(order[0]);
    expect([map.take(null)?.[0], map.take(null)?.[0]]).toEqual(order);
    expect(map.take(null)).toBeUndefined();
  });

  it('has room for the values of all CPUs', () => {
    const map = open(BPF_MAP_TYPE.PERCPU_HASH);
    map.set(key(1), new Uint8Array(16).fill(3));
    expect(map.get(key(1))).toEqual(new Uint8Array(16).fill(3));
  });

  it('refuses bytes of another length', () => {
    const map = open(BPF_MAP_TYPE.HASH);
    expect(() => map.get(new Uint8Array(3))).toThrow('key of map "odd": takes 4 bytes, 3 were given');
    expect(() => map.get(null)).toThrow('key of map "odd": takes 4 bytes, 0 were given');
    expect(() => map.set(key(1), new Uint8Array(5))).toThrow(
      'value of map "odd": takes 4 bytes, 5 were given',
    );
  });
});

describe('mapKindOf', () => {
  it.each([
    [BPF_MAP_TYPE.HASH, 'hash', ['key', 'value']],
    [BPF_MAP_TYPE.ARRAY, 'array', ['value']],
    [BPF_MAP_TYPE.PROG_ARRAY, 'progArray', []],
    [BPF_MAP_TYPE.PERF_EVENT_ARRAY, 'perfEventArray', ['value']],
    [BPF_MAP_TYPE.PERCPU_HASH, 'percpuHash', ['key', 'value']],
    [BPF_MAP_TYPE.PERCPU_ARRAY, 'percpuArray', ['value']],
    [BPF_MAP_TYPE.LRU_HASH, 'lruHash', ['key', 'value']],
    [BPF_MAP_TYPE.LRU_PERCPU_HASH, 'lruPercpuHash', ['key', 'value']],
    [BPF_MAP_TYPE.RINGBUF, 'ringbuf', ['value']],
    [BPF_MAP_TYPE.USER_RINGBUF, 'userRingbuf', ['value']],
    [BPF_MAP_TYPE.LPM_TRIE, 'lpmTrie', ['key', 'value']],
    [BPF_MAP_TYPE.QUEUE, 'queue', ['value']],
    [BPF_MAP_TYPE.STACK, 'stack', ['value']],
    [BPF_MAP_TYPE.BLOOM_FILTER, 'bloomFilter', ['value']],
    [BPF_MAP_TYPE.ARRAY_OF_MAPS, 'arrayOfMaps', []],
    [BPF_MAP_TYPE.HASH_OF_MAPS, 'hashOfMaps', ['key']],
    [BPF_MAP_TYPE.SOCKMAP, 'sockmap', []],
    [BPF_MAP_TYPE.SOCKHASH, 'sockhash', ['key']],
    [BPF_MAP_TYPE.TASK_STORAGE, 'taskStorage', ['value']],
    [12_345, 'otherMap', []],
  ])('of %s is %s', (type, name, codecs) => {
    expect(mapKindOf(type)).toMatchObject({ kindName: name, codecs });
  });

  it('opens maps without types', () => {
    const kernel = fakeKernel();
    const kind = mapKindOf(12_345);
    const { handle } = liveMap(kernel, otherMap(), { ...attributes, type: BPF_MAP_TYPE.HASH });
    expect(kind.open(handle, u32, undefined)).toBeInstanceOf(OtherMap);
  });
});
