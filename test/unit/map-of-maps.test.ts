import { readFileSync } from 'node:fs';
import { type Codec, openMapById, openPinnedMap } from '@bpfskel/runtime';
import { percpuArray, skeleton } from '@bpfskel/runtime/codegen/v1';
import { fakeKernel } from '@bpfskel/runtime/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { arrayOfMaps } from '../../runtime/src/map/array-of-maps.js';
import { HashMap, hash } from '../../runtime/src/map/hash.js';
import { hashOfMaps } from '../../runtime/src/map/hash-of-maps.js';
import { BPF_MAP_TYPE } from '../../runtime/src/uapi.js';
import { liveMap, Sample, sample, u32 } from './live-map.js';

const inner = { type: BPF_MAP_TYPE.HASH, name: 'inner', keySize: 4, valueSize: 16, maxEntries: 8 };
const attributes = { name: 'outer', keySize: 4, valueSize: 4, maxEntries: 4 };

const Entry: Codec<{ hits: number }> = {
  size: 4,
  read: (view, offset) => ({ hits: view.getUint32(offset, true) }),
  write: (view, offset, { hits }) => view.setUint32(offset, hits, true),
};
/** As test/golden/map_in_map. */
const map_in_map = skeleton({
  name: 'map_in_map',
  maps: {
    first: hash(u32, Entry),
    outer: arrayOfMaps(hash(u32, Entry)),
    by_task: hashOfMaps(u32, percpuArray(Entry)),
  },
  progs: {},
  globals: {},
  elf: () => readFileSync(new URL('../golden/map_in_map/in.bpf.o', import.meta.url)),
});

let kernel: ReturnType<typeof fakeKernel>;
beforeEach(() => {
  kernel = fakeKernel();
});

describe.each([
  ['array', arrayOfMaps(hash(u32, Sample)), BPF_MAP_TYPE.ARRAY_OF_MAPS],
  ['hash', hashOfMaps(u32, hash(u32, Sample)), BPF_MAP_TYPE.HASH_OF_MAPS],
] as const)('a %s of maps', (_name, shape, type) => {
  const open = () => liveMap(kernel, shape, { ...attributes, type }, inner);

  it('makes inner maps as declared, and gives them back', () => {
    const { map, destroy } = open();
    const made = map.createInner({ maxEntries: 3 });
    map.set(1, made);
    made.set(5, sample(5));
    made.close();
    const got = map.get(1);
    expect(got).toBeInstanceOf(HashMap);
    expect([got?.get(5), got?.maxEntries, got?.name]).toEqual([sample(5), 3, 'inner']);
    expect([map.get(2), map.has(2), map.size, ...map.keys()]).toEqual([undefined, false, 1, 1]);
    destroy();
    expect(() => got?.get(5)).toThrow('use map "inner": it is closed');
    expect(kernel.openFds).toEqual([]);
  });

  it('forgets what is deleted', () => {
    const { map } = open();
    map.set(1, map.createInner()).set(2, map.createInner());
    expect([map.delete(1), map.delete(1)]).toEqual([true, false]);
    map.clear();
    expect([...map.ids()]).toEqual([]);
  });

  it('says how a map differs from the declared ones', () => {
    const { map } = open();
    const odd = kernel.mapCreate({ ...inner, keySize: 8, flags: 1 });
    expect(() => map.set(1, odd)).toThrow(
      /^set 1 of map "outer": .*\(EINVAL\): map "inner" has key size 8 and not 4, flags 1 and not 0$/,
    );
  });

  it('passes over an inner map that goes away while it looks', () => {
    const { map } = open();
    map.set(1, map.createInner());
    kernel.failing('mapById', 'ENOENT');
    expect(map.get(1)).toBeUndefined();
    map.forEach(() => {
      expect.unreachable();
    });
  });

  it('leaves no descriptor of an inner map behind that it cannot use', () => {
    const { map, destroy } = open();
    map.set(1, map.createInner());
    kernel.failing('mapInfo', 'EPERM', { times: 1 });
    expect(() => map.get(1)).toThrow(/EPERM/);
    destroy();
    expect(kernel.openFds).toEqual([]);
  });

  it('opened by its id makes inner maps like one it holds', () => {
    const { map } = open();
    using again = openMapById(map.info().id, shape, { kernel });
    expect(() => again.createInner()).toThrow(
      /the kernel does not tell its shape, and it holds none to copy/,
    );
    map.set(1, map.createInner());
    using made = again.createInner();
    expect(made.info()).toMatchObject({ type: inner.type, keySize: 4, valueSize: 16, maxEntries: 8 });
  });
});

describe('the skeleton of an object with maps in maps', () => {
  it('types the inner maps', () => {
    using skel = map_in_map.openAndLoad({ kernel });
    const { outer, by_task } = skel.maps;
    expect(outer.get(0)?.set(7, { hits: 1 }).get(7)).toEqual({ hits: 1 });
    skel.maps.first.set(8, { hits: 2 });
    expect(outer.get(0)?.size).toBe(2);
    using own = by_task.createInner();
    by_task.set(1, own.set(0, new Array(own.cpus).fill({ hits: 3 })));
    expect(by_task.get(1)?.sum(0, ({ hits }) => hits)).toBe(3 * own.cpus);
  });

  it('is refused when the inner types are those of another object', () => {
    const other = skeleton({
      name: 'other',
      maps: { outer: arrayOfMaps(hash(u32, Sample)) },
      progs: {},
      globals: {},
      elf: () => map_in_map.elfBytes(),
    });
    expect(() => other.open()).toThrow(
      /values of the maps in map "outer" are struct entry, 4 bytes, in the object and 16 bytes in the skeleton/,
    );
  });
});

describe('a map that is opened by its pin', () => {
  const pinned = () => {
    const fd = kernel.mapCreate({ ...inner, name: 'stats' });
    kernel.pin(fd, '/sys/fs/bpf/stats');
    kernel.close(fd);
  };

  it('is typed as a skeleton would', () => {
    pinned();
    using map = openPinnedMap('/sys/fs/bpf/stats', hash(u32, Sample), { kernel });
    expect(map.set(1, sample(1)).get(1)).toEqual(sample(1));
    expect(map.name).toBe('stats');
    map.close();
    map.close();
    expect(kernel.openFds).toEqual([]);
  });

  it('gives and takes bytes without a type', () => {
    pinned();
    using map = openPinnedMap('/sys/fs/bpf/stats', { kernel });
    const [key, value] = [new Uint8Array([1, 0, 0, 0]), new Uint8Array(16).fill(3)];
    expect(map.set(key, value).get(key)).toEqual(value);
    expect([...map]).toEqual([[key, value]]);
  });

  it('is typed by the skeleton of its object', () => {
    using skel = map_in_map.openAndLoad({ kernel });
    skel.maps.first.set(1, { hits: 4 }).pin('/sys/fs/bpf/first');
    using first = map_in_map.openPinnedMap('first', '/sys/fs/bpf/first', { kernel });
    expect(first.get(1)).toEqual({ hits: 4 });
    const other = 'nothing' as 'first';
    expect(() => map_in_map.openPinnedMap(other, '/sys/fs/bpf/first', { kernel })).toThrow(
      'map_in_map has no map "nothing"',
    );
  });

  it.each([
    ['is not there', '/sys/fs/bpf/none', /none.*\(ENOENT\)$/],
    [
      'is of another type',
      '/sys/fs/bpf/array',
      /it is a BPF_MAP_TYPE_ARRAY, and not a BPF_MAP_TYPE_HASH as hash\(\) says/,
    ],
    ['has other keys', '/sys/fs/bpf/wide', /key of map "wide": its type has 4 bytes, but the map has 8/],
    [
      'has smaller values',
      '/sys/fs/bpf/small',
      /value of map "small": its type has 16 bytes, but the map has 4/,
    ],
  ])('is refused when it %s', (_what, path, message) => {
    for (const [name, more] of [
      ['array', { type: BPF_MAP_TYPE.ARRAY }],
      ['wide', { keySize: 8 }],
      ['small', { valueSize: 4 }],
    ] as const) {
      const fd = kernel.mapCreate({ ...inner, name, ...more });
      kernel.pin(fd, `/sys/fs/bpf/${name}`);
      kernel.close(fd);
    }
    expect(() => openPinnedMap(path, hash(u32, Sample), { kernel })).toThrow(message);
    expect(kernel.openFds).toEqual([]);
  });

  it.each([
    ['a program', 'prog_type:\t6\n'],
    ['a link', 'link_type:\txdp\n'],
    ['something else', 'pos:\t0\n'],
  ])('is refused when it is %s', (what, facts) => {
    pinned();
    // Descriptors of the fake kernel count up.
    const next = kernel.mapCreate(inner) + 1;
    kernel.setFile(`/proc/self/fdinfo/${next}`, facts);
    expect(() => openPinnedMap('/sys/fs/bpf/stats', { kernel })).toThrow(
      `open map /sys/fs/bpf/stats: it is ${what}, not a map`,
    );
  });
});
