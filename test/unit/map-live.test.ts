import { describe, expect, it } from 'vitest';
import { struct } from '../../runtime/src/codec/struct.js';
import { readRestText, textSize, writeRestText } from '../../runtime/src/codec/text.js';
import { arena } from '../../runtime/src/map/arena.js';
import { array } from '../../runtime/src/map/array.js';
import { fakeKernel } from '../../runtime/src/testing/index.js';
import { BPF_F_MMAPABLE, BPF_MAP_TYPE } from '../../runtime/src/uapi.js';
import { liveMap, Sample, sample, u32, u64, unsigned } from './live-map.js';

const attributes = {
  type: BPF_MAP_TYPE.ARRAY,
  name: 'table',
  keySize: 4,
  valueSize: 16,
  maxEntries: 4,
  flags: BPF_F_MMAPABLE,
};

const line = struct<{ text: string }>(
  8,
  (v, o, end) => ({ text: readRestText(v, o + 8, end) }),
  (v, o, x) => writeRestText(v, o + 8, x.text),
  undefined,
  (x) => 8 + textSize(x.text),
);

describe('the live elements of an array map', () => {
  const open = () => {
    const kernel = fakeKernel();
    return { kernel, ...liveMap(kernel, array(Sample), attributes) };
  };

  it('are the elements of the map, without a system call', () => {
    const { map, kernel } = open();
    const live = map.live();
    live.set(1, sample(1));
    map.set(2, sample(2));
    const before = kernel.calls.length;
    expect([live.get(1), live.get(2), live.length, live.writable, live.stride]).toEqual([
      sample(1),
      sample(2),
      4,
      true,
      16,
    ]);
    expect([...live]).toEqual([0, 1, 2, 0].map(sample));
    expect(live.memory.getUint32(live.stride * 2, true)).toBe(2);
    expect(live.getBytes(2)).toEqual(map.getBytes(2));
    expect(kernel.calls.filter((call) => call !== 'mapLookup').length).toBe(before);
    expect(map.get(1)).toEqual(sample(1));
  });

  it('lie at multiples of 8 bytes', () => {
    const { map } = liveMap(fakeKernel(), array(unsigned(2)), { ...attributes, valueSize: 2 });
    map.set(3, 0x1234);
    expect([map.live().stride, map.live().get(3), map.live().memory.byteLength]).toEqual([8, 0x1234, 26]);
  });

  it('end where the next begins, for values that end in a flexible array, too', () => {
    const { map } = liveMap(fakeKernel(), array(line), attributes);
    const live = map.live();
    for (const i of [0, 1, 2, 3]) live.set(i, { text: `line ${i}` });
    live.set(1, { text: 'new' });
    expect([...live]).toEqual(['line 0', 'new', 'line 2', 'line 3'].map((text) => ({ text })));
    expect(() => live.set(2, { text: 'far too long' })).toThrow('text of 12 bytes does not fit char[8]');
    expect(live.get(3)).toEqual({ text: 'line 3' });
    map.setMany([
      [0, { text: 'a' }],
      [1, { text: 'b' }],
    ]);
    expect(() => map.setMany([[0, { text: 'far too long' }]])).toThrow('does not fit char[8]');
    expect(map.get(1)).toEqual({ text: 'b' });
  });

  it('are mapped once', () => {
    const { map, kernel } = open();
    map.live().set(0, sample(5));
    expect(map.live().get(0)).toEqual(sample(5));
    expect(kernel.calls.filter((call) => call === 'mmap')).toEqual(['mmap']);
  });

  it('have the indexes of the map', () => {
    const live = open().map.live();
    expect(() => live.get(4)).toThrow('get index 4 of map "table": its indexes are the integers from 0 to 3');
    expect(() => live.set(-1, sample(1))).toThrow(/set index -1 of map "table"/);
  });

  it('can only be read once the map is frozen', () => {
    const { map, kernel } = open();
    const before = map.live().set(1, sample(1));
    map.freeze();
    expect(() => before.get(1)).toThrow(
      'use the memory of map "table": it was frozen since; ask for live() again',
    );
    const live = map.live();
    expect([live.writable, live.get(1)]).toEqual([false, sample(1)]);
    for (const write of [() => live.set(1, sample(2)), () => live.memory]) {
      expect(write).toThrow(/^write to the memory of map "table": it is frozen; read elements with/);
    }
    expect(() => map.freeze()).toThrow(/^freeze map "table": .*\(EBUSY\)$/);
    expect(kernel.calls).toContain('munmap');
  });

  it('can only be read when somebody else froze the map', () => {
    const { map, kernel, fd } = open();
    kernel.mapFreeze(fd);
    expect(map.live().writable).toBe(false);
  });

  it('are closed with the object', () => {
    const { map, destroy } = open();
    const live = map.live();
    destroy();
    expect(() => live.get(0)).toThrow(expect.objectContaining({ code: 'ERR_BPF_STATE' }));
    expect(() => map.live()).toThrow(/is destroyed/);
  });

  it('need a map that is declared for them', () => {
    const { map } = liveMap(fakeKernel(), array(Sample), { ...attributes, flags: 0 });
    expect(() => map.live()).toThrow(
      'share the memory of map "table": it is not declared for that; add __uint(map_flags, BPF_F_MMAPABLE) (Linux 5.5)',
    );
  });

  it('name the map when the kernel refuses', () => {
    const { map, kernel } = open();
    kernel.failing('mmap', 'ENOMEM');
    expect(() => map.live()).toThrow(/^share the memory of map "table": .*\(ENOMEM\)$/);
  });
});

describe('an arena', () => {
  const open = (mapExtra = 0x1000_0000_0000n) => {
    const kernel = fakeKernel();
    const more = { type: BPF_MAP_TYPE.ARENA, keySize: 0, valueSize: 0, mapExtra };
    return { kernel, ...liveMap(kernel, arena(), { ...attributes, ...more }) };
  };

  it('is memory at an address', () => {
    const { map } = open();
    const at = map.address + 16n;
    map.write(at, u64, 7n).write(at + 8n, u32, 5);
    expect([map.read(at, u64), map.memory.getUint32(24, true), map.view(at, 12).getUint32(8, true)]).toEqual([
      7n,
      5,
      5,
    ]);
    expect([map.byteLength, map.address % 4096n]).toEqual([4 * 4096, 0n]);
  });

  it('takes of a value with a flexible array no more than it is long', () => {
    const { map } = open();
    map.write(map.address + 16n, u64, 7n).write(map.address, line, { text: 'seven b' });
    expect(map.read(map.address + 16n, u64)).toBe(7n);
    expect(() => map.write(map.address + 4n * 4096n - 8n, line, { text: '' })).toThrow(
      /9 bytes at .* are not/,
    );
  });

  it.each([
    ['before', -1n],
    ['across the end of', 4n * 4096n - 7n],
    ['behind', 4n * 4096n],
  ])('refuses pointers %s it', (_where, offset) => {
    const { map } = open();
    expect(() => map.read(map.address + offset, u64)).toThrow(
      /^point into map "table": 8 bytes at 0x[\da-f]+ are not in the arena, which lies from 0x[\da-f]+ to 0x[\da-f]+$/,
    );
  });

  it('is closed with its object', () => {
    const { map, destroy, kernel } = open();
    expect(map.address).toBe(0x1000_0000_0000n);
    destroy();
    expect(() => map.memory).toThrow(/is destroyed/);
    expect(kernel.calls).toContain('munmap');
  });
});
