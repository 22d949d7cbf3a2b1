import { describe, expect, it } from 'vitest';
import { bloomFilter } from '../../runtime/src/map/bloom-filter.js';
import { queue } from '../../runtime/src/map/queue.js';
import { stack } from '../../runtime/src/map/stack.js';
import { fakeKernel } from '../../runtime/src/testing/index.js';
import { BPF_MAP_TYPE } from '../../runtime/src/uapi.js';
import { liveMap, Sample, sample } from './live-map.js';

const attributes = { name: 'jobs', keySize: 0, valueSize: 16, maxEntries: 3 };

describe.each([
  ['queue', queue(Sample), BPF_MAP_TYPE.QUEUE, [1, 2, 3]],
  ['stack', stack(Sample), BPF_MAP_TYPE.STACK, [3, 2, 1]],
] as const)('a %s', (_name, shape, type, order) => {
  const open = () => liveMap(fakeKernel(), shape, { ...attributes, type }).map;
  const filled = () => open().push(sample(1)).push(sample(2)).push(sample(3));

  it('gives its elements in its order', () => {
    const map = filled();
    expect(map.peek()).toEqual(sample(order[0]));
    expect(order.map(() => map.pop())).toEqual(order.map(sample));
    expect([map.pop(), map.peek(), map.peekBytes()]).toEqual([undefined, undefined, undefined]);
  });

  it('refuses more than it has room for', () => {
    expect(() => filled().push(sample(4))).toThrow(
      expect.objectContaining({ message: 'map "jobs" is full: max_entries is 3', code: 'E2BIG' }),
    );
  });

  it('drops the oldest for a new one when told to', () => {
    const left = [...filled().push(sample(4), { evict: true }).drain()].map(({ pid }) => pid);
    expect(left.sort()).toEqual([2, 3, 4]);
  });

  it('is emptied', () => {
    const map = filled();
    map.clear();
    expect([...map.drain()]).toEqual([]);
  });

  it('drains to an end although elements keep coming', () => {
    const map = filled();
    let count = 0;
    for (const element of map.drain()) {
      map.push(element);
      if (++count > 100) break;
    }
    expect(count).toBe(6);
  });

  it('has bytes', () => {
    const map = open().pushBytes(new Uint8Array(16).fill(7));
    expect(map.peekBytes()).toEqual(new Uint8Array(16).fill(7));
    expect(() => map.pushBytes(new Uint8Array(15))).toThrow(/"jobs": takes 16 bytes, 15 were given/);
  });

  it('names itself when it refuses', () => {
    const { map, kernel } = { ...openWith() };
    kernel.failing('mapUpdate', 'EPERM');
    kernel.failing('mapLookupAndDelete', 'EPERM');
    expect(() => map.push(sample(1))).toThrow(/^add to map "jobs": .*\(EPERM\)$/);
    expect(() => map.pop()).toThrow(/^pop from map "jobs": .*\(EPERM\)$/);
  });

  function openWith() {
    const kernel = fakeKernel();
    return { kernel, ...liveMap(kernel, shape, { ...attributes, type }) };
  }
});

describe('a bloom filter', () => {
  const open = () =>
    liveMap(fakeKernel(), bloomFilter(Sample), {
      ...attributes,
      type: BPF_MAP_TYPE.BLOOM_FILTER,
      mapExtra: 3n,
    }).map;

  it('has what was added', () => {
    const map = open().add(sample(1));
    expect([map.has(sample(1)), map.has(sample(2))]).toEqual([true, false]);
  });

  it('tells its number of hash functions', () => {
    expect(open().hashes).toBe(3);
    const plain = { ...attributes, type: BPF_MAP_TYPE.BLOOM_FILTER };
    expect(liveMap(fakeKernel(), bloomFilter(Sample), plain).map.hashes).toBe(5);
  });
});
