import { describe, expect, it } from 'vitest';
import { array } from '../../runtime/src/map/array.js';
import { hash } from '../../runtime/src/map/hash.js';
import { fakeKernel } from '../../runtime/src/testing/index.js';
import { BPF_MAP_TYPE } from '../../runtime/src/uapi.js';
import { liveMap, Sample, sample, u32 } from './live-map.js';

const attributes = { name: 'stats', keySize: 4, valueSize: 16, maxEntries: 20_000 };
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

describe.each([
  ['in batches', '6.12'],
  ['one by one', '5.4'],
])('many entries of a hash map %s', (_how, version) => {
  const open = (maxEntries = attributes.maxEntries) => {
    const kernel = fakeKernel({ version });
    return {
      kernel,
      ...liveMap(kernel, hash(u32, Sample), { ...attributes, type: BPF_MAP_TYPE.HASH, maxEntries }),
    };
  };
  const filled = (count: number) => {
    const { map } = open();
    return map.setMany(upTo(count).map((i) => [i, sample(i)] as const));
  };

  it('are set and counted', () => {
    const map = filled(10_000);
    expect(map.size).toBe(10_000);
    expect(map.getMany([0, 9_999, 10_000])).toEqual([sample(0), sample(9_999), undefined]);
  });

  it('are those of another map', () => {
    expect(new Map(open().map.setMany(filled(5)))).toEqual(
      new Map(upTo(5).map((i) => [i, sample(i)] as const)),
    );
  });

  it('are deleted, and those that are not there passed over', () => {
    const map = filled(10_000);
    expect(map.deleteMany([77_777, ...upTo(5_000), 77_778, 77_779, 9_999])).toBe(5_001);
    expect(map.size).toBe(4_999);
    expect(map.deleteMany([])).toBe(0);
  });

  it('are refused by name when the map is full; those before are written', () => {
    const { map } = open(3);
    expect(() => map.setMany(upTo(5).map((i) => [i, sample(i)] as const))).toThrow(
      expect.objectContaining({ message: 'map "stats" is full: max_entries is 3', code: 'E2BIG' }),
    );
    expect([...map.keys()]).toEqual([0, 1, 2]);
  });

  it('are set under a flag', () => {
    const map = filled(3);
    const more = upTo(5).map((i) => [i, sample(9)] as const);
    expect(() => map.setMany(more, { flag: 'exist' })).toThrow(/"stats" has no key 3/);
    expect(() => map.setMany(more, { flag: 'create' })).toThrow(/"stats" already has the key 0/);
    expect([...map.values()]).toEqual([sample(9), sample(9), sample(9)]);
  });

  it('are set and read under the lock of the value', () => {
    const map = filled(2);
    map.setMany([[1, sample(5)]], { lock: true }).set(2, sample(6), { lock: true });
    expect(map.getMany([1, 2], { lock: true })).toEqual([sample(5), sample(6)]);
  });

  it('name the map and the key when the kernel refuses for a reason of its own', () => {
    const { map, kernel } = open();
    kernel.failing('mapUpdateBatch', 'EPERM');
    kernel.failing('mapUpdate', 'EPERM');
    kernel.failing('mapDeleteBatch', 'EPERM');
    kernel.failing('mapDelete', 'EPERM');
    expect(() => map.setMany([[7, sample(1)]])).toThrow(/^set 7 of map "stats": .*\(EPERM\)$/);
    expect(() => map.deleteMany([7])).toThrow(/^delete from map "stats": .*\(EPERM\)$/);
  });
});

describe('many entries', () => {
  it('are written with few calls', () => {
    const kernel = fakeKernel();
    const { map } = liveMap(kernel, hash(u32, Sample), { ...attributes, type: BPF_MAP_TYPE.HASH });
    map.setMany(upTo(10_000).map((i) => [i, sample(i)] as const));
    map.deleteMany(upTo(10_000));
    expect(kernel.calls.filter((call) => call.startsWith('map'))).toEqual([
      'mapCreate',
      'mapUpdateBatch',
      'mapUpdateBatch',
      'mapUpdateBatch',
      'mapDeleteBatch',
      'mapDeleteBatch',
      'mapDeleteBatch',
    ]);
  });

  it.each(['6.12', '5.4'])('of an array are elements, on Linux %s', (version) => {
    const { map } = liveMap(fakeKernel({ version }), array(Sample), {
      ...attributes,
      type: BPF_MAP_TYPE.ARRAY,
      maxEntries: 4,
    });
    map.setMany([
      [3, sample(3)],
      [1, sample(1)],
    ]);
    expect(map.getMany([3, 0])).toEqual([sample(3), sample(0)]);
    expect([map.size, map.length]).toEqual([4, 4]);
    expect([...map.fill(sample(2))]).toEqual(upTo(4).map(() => sample(2)));
    expect(() => map.setMany([[4, sample(1)]])).toThrow(
      'set index 4 of map "stats": its indexes are the integers from 0 to 3',
    );
  });
});
