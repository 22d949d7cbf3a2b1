import { afterEach, describe, expect, it } from 'vitest';
import type { MapCreate } from '../../runtime/src/kernel/kernel.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { array } from '../../runtime/src/map/array.js';
import { hash } from '../../runtime/src/map/hash.js';
import { lruHash } from '../../runtime/src/map/lru-hash.js';
import { lruPercpuHash } from '../../runtime/src/map/lru-percpu-hash.js';
import type { BpfMap, MapShape } from '../../runtime/src/map/map.js';
import { openMemory } from '../../runtime/src/map/memory.js';
import { percpuArray } from '../../runtime/src/map/percpu-array.js';
import { percpuHash } from '../../runtime/src/map/percpu-hash.js';
import { progArray } from '../../runtime/src/map/prog-array.js';
import { queue } from '../../runtime/src/map/queue.js';
import { BPF_F_MMAPABLE, BPF_MAP_TYPE } from '../../runtime/src/uapi.js';
import { liveHandle, liveMap, Sample, sample, u32, u64 } from '../unit/live-map.js';

const kernel = linuxKernel();
const cpus = kernel.possibleCpus();
const ending: (() => void)[] = [];
afterEach(() => {
  for (const end of ending.splice(0)) end();
});

function open<M extends BpfMap>(
  type: keyof typeof BPF_MAP_TYPE,
  shape: MapShape<M>,
  more: Partial<MapCreate> = {},
) {
  const attributes = { name: 'table', keySize: 4, valueSize: 16, maxEntries: 64, ...more };
  const live = liveMap(kernel, shape, { type: BPF_MAP_TYPE[type], ...attributes });
  ending.push(live.destroy);
  return live.map;
}

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

describe.each([
  ['HASH', hash(u32, Sample)],
  ['LRU_HASH', lruHash(u32, Sample)],
] as const)('a %s of this kernel', (type, shape) => {
  it('is a map', () => {
    const map = open(type, shape);
    map.set(1, sample(1)).set(2, sample(2));
    expect([map.get(1), map.get(3), map.has(2), map.has(3)]).toEqual([sample(1), undefined, true, false]);
    expect([map.delete(1), map.delete(1)]).toEqual([true, false]);
    expect([map.take(2), map.take(2)]).toEqual([sample(2), undefined]);
    expect(() => map.set(1, sample(1), { flag: 'exist' })).toThrow(/"table" has no key 1/);
    map.set(1, sample(1), { flag: 'create' });
    expect(() => map.set(1, sample(1), { flag: 'create' })).toThrow(/"table" already has the key 1/);
    map.clear();
    expect([...map]).toEqual([]);
  });

  it('is walked while it changes', () => {
    const map = open(type, shape, { maxEntries: 30_000 });
    for (const i of upTo(10_000)) map.set(i, sample(i));
    expect([...map.keys()].sort((a, b) => a - b)).toEqual(upTo(10_000));
    expect(new Map(map).get(77)).toEqual(sample(77));
    let steps = 0;
    for (const [key] of map) {
      map.delete(key);
      map.set(20_000 + steps, sample(0));
      if (++steps > 1_000_000) break;
    }
    expect(steps).toBeLessThan(1_000_000);
    map.clear();
    expect([...map.keys()]).toEqual([]);
  });
});

describe('maps of this kernel', () => {
  it('say that they are full', () => {
    const map = open('HASH', hash(u32, Sample), { maxEntries: 2 });
    map.set(1, sample(1)).set(2, sample(2));
    expect(() => map.set(3, sample(3))).toThrow('map "table" is full: max_entries is 2');
  });

  it('take no lock that their values do not have, and say so', () => {
    const needs =
      /map "table": .*\(EINVAL\); lock needs values with a struct bpf_spin_lock that BTF tells of/;
    const map = open('HASH', hash(u32, Sample));
    const elements = open('ARRAY', array(Sample));
    for (const refused of [
      () => map.set(1, sample(1), { lock: true }),
      () => map.setMany([[1, sample(1)]], { lock: true }),
      () => map.get(1, { lock: true }),
      () => elements.set(1, sample(1), { lock: true }),
      () => elements.get(1, { lock: true }),
    ]) {
      expect(refused).toThrow(needs);
    }
    expect(map.size).toBe(0);
  });

  it('say that they are frozen, and can still be read', () => {
    const map = open('HASH', hash(u32, Sample));
    map.set(1, sample(1)).freeze();
    const refused: (readonly [what: string, write: () => unknown])[] = [
      ['set 2 of', () => map.set(2, sample(2))],
      ['set 2 of', () => map.setMany([[2, sample(2)]])],
      ['delete from', () => map.delete(1)],
      ['delete from', () => map.deleteMany([1])],
      ['take from', () => map.take(1)],
      ['clear', () => map.clear()],
    ];
    for (const [what, write] of refused) {
      expect(write).toThrow(`${what} map "table": it is frozen, so no process can write to it (EPERM)`);
    }
    expect([...map]).toEqual([[1, sample(1)]]);
    const queued = open('QUEUE', queue(u32), { keySize: 0, valueSize: 4 });
    queued.push(1).freeze();
    expect(() => queued.pop()).toThrow('pop from map "table": it is frozen');
    expect(() => queued.push(2)).toThrow('add to map "table": it is frozen');
    expect(queued.peek()).toBe(1);
  });

  it.each([
    ['PERCPU_HASH', percpuHash(u32, u32)],
    ['LRU_PERCPU_HASH', lruPercpuHash(u32, u32)],
  ] as const)('have a value for each possible CPU: %s', (type, shape) => {
    const map = open(type, shape, { valueSize: 4, maxEntries: 256 });
    map.set(7, upTo(cpus));
    expect(map.get(7)).toEqual(upTo(cpus));
    expect(map.sum(7)).toBe((cpus * (cpus - 1)) / 2);
    expect([...map]).toEqual([[7, upTo(cpus)]]);
    expect(map.setAll(7, 1).take(7)).toEqual(new Array(cpus).fill(1));
    expect(map.get(7)).toBeUndefined();
  });

  it('are arrays', () => {
    const map = open('ARRAY', array(Sample), { maxEntries: 5_000 });
    map.set(4_999, sample(5));
    expect(map.get(0)).toEqual(sample(0));
    const entries = [...map.entries()];
    expect(entries.map(([index]) => index)).toEqual(upTo(5_000));
    expect(entries.at(-1)?.[1]).toEqual(sample(5));
    expect(() => map.get(5_000)).toThrow(/its indexes are the integers from 0 to 4999/);
  });

  it('are per-CPU arrays', () => {
    const map = open('PERCPU_ARRAY', percpuArray(u64), { valueSize: 8, maxEntries: 4 });
    map.setAll(2, 3n);
    expect(map.sum(2)).toBe(3n * BigInt(cpus));
    expect([...map].map((values) => values.length)).toEqual(new Array(4).fill(cpus));
  });

  it('hold programs for tail calls', () => {
    const map = open('PROG_ARRAY', progArray(), { valueSize: 4, maxEntries: 2 });
    const insns = new Uint8Array([0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0]);
    const prog = kernel.progLoad({ type: 1, insns, license: 'GPL' });
    ending.push(() => kernel.close(prog));
    map.set(1, prog);
    expect([...map]).toEqual([[1, kernel.progInfo(prog).id]]);
    expect([map.get(0), map.delete(1), map.delete(1)]).toEqual([undefined, true, false]);
    expect(() => map.set(0, 99_999)).toThrow(/^set 0 of map "table": .*\(EBADF\)$/);
  });
});

describe.each([
  ['shared', BPF_F_MMAPABLE],
  ['copied', 0],
])('memory of globals of this kernel, %s', (_how, flags) => {
  it('is that of the map, and safe to look at after the end', () => {
    const attributes = {
      type: BPF_MAP_TYPE.ARRAY,
      name: 'bss',
      keySize: 4,
      valueSize: 20,
      maxEntries: 1,
      flags,
    };
    const live = liveHandle(kernel, attributes);
    const memory = openMemory(live.handle, true);
    kernel.mapUpdate(live.fd, new Uint8Array(4), new Uint8Array(20).fill(3));
    const view = memory.view();
    expect(view.getUint32(16, true)).toBe(0x03030303);
    view.setUint8(0, 9);
    memory.flush();
    const value = new Uint8Array(20);
    kernel.mapLookup(live.fd, new Uint8Array(4), value);
    expect(value[0]).toBe(9);
    live.destroy();
    expect(view.getUint8(0)).toBeTypeOf('number');
    expect(() => memory.view()).toThrow(/is destroyed/);
  });
});
