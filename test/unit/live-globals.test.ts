import { inspect } from 'node:util';
import { fromJson, isBpfError, jsonBigint, snapshot, toJson } from '@bpfskel/runtime';
import { at, type Codec, skeleton, struct, u16 } from '@bpfskel/runtime/codegen/v1';
import { type FakeKernel, fakeKernel } from '@bpfskel/runtime/testing';
import fc from 'fast-check';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { syscallError } from '../../runtime/src/kernel/errno.js';
import { BPF_F_MMAPABLE } from '../../runtime/src/uapi.js';
import { globals } from '../golden/globals/expected.skel.js';
import { type LiveGlobals, live_globals, Mode, Stats } from '../golden/live_globals/expected.skel.js';

let kernel: FakeKernel;
beforeEach(() => {
  kernel = fakeKernel();
});

/** What the kernel has of a section. */
function contents(section: string): Uint8Array {
  for (const [, value] of kernel.map(section).entries()) return value.slice();
  return new Uint8Array();
}

/** A program's write. */
function poke(section: string, offset: number, bytes: readonly number[]): void {
  const value = contents(section);
  value.set(bytes, offset);
  kernel.map(section).update(new Uint8Array(4), value, 0n);
}

const sizeOf = (section: string) => kernel.map(section).attributes.valueSize;

const message = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    return isBpfError(error) ? error.message : String(error);
  }
  return 'nothing was thrown';
};

const inner = (hits: bigint, port = 0, name = '') => ({ port, name, hits });

describe('variables before load()', () => {
  it('show what the compiler put there', () => {
    using open = live_globals.open();
    const { config } = open.rodata;
    expect([config.mode, config.prefix, [...config.ports], open.data.weights[1]]).toEqual([
      Mode.MODE_COUNT,
      'eth',
      [80, 443, 8080],
      2,
    ]);
    expect({ count: open.data.words.count, items: [...open.data.words.items] }).toEqual({
      count: 2,
      items: [7, 9],
    });
  });

  it('can be set one field or element at a time, and as a whole', () => {
    using open = live_globals.open();
    open.rodata.config.mode = Mode.MODE_DROP;
    open.rodata.config.ports[1] = 8443;
    open.rodata.config.server.name = 'web';
    open.rodata.config.server.hits = 7n;
    open.bss.stats = Stats.of({
      hits: 1n,
      level: -1,
      urgent: 5,
      delay: 8191,
      best: inner(2n, 3, 'best'),
      top: [inner(4n), inner(5n)],
      word: 0x01020304,
    });
    open.bss.stats.top[1] = inner(6n, 0xffff);
    open.bss.pointer = 0xffff_8000_0000_0000n;
    using _skel = open.load({ kernel });
    const rodata = contents('.rodata');
    expect([...rodata.subarray(0, 4), ...rodata.subarray(16, 20)]).toEqual([2, 0, 0, 0, 0xfb, 0x20, 0, 0]);
    expect(Stats.read(new DataView(contents('.bss').buffer), 32)).toEqual({
      hits: 1n,
      level: -1,
      urgent: 5,
      delay: 8191,
      best: inner(2n, 3, 'best'),
      top: [inner(4n), inner(6n, 0xffff)],
      word: 0x01020304,
      octets: [4, 3, 2, 1],
    });
  });

  it('take all of a value or nothing', () => {
    using open = live_globals.open();
    const { weights } = open.data;
    expect(message(() => (open.data.weights = [9, 9]))).toBe(
      'set data.weights: an array of 3 elements was given 2',
    );
    expect(message(() => (open.bss.counts = [1n, 2n, 3n, 4] as unknown as bigint[]))).toBe(
      'set bss.counts[3]: 4 is a number, and has to be a bigint: 4n',
    );
    expect([[...weights], [...open.bss.counts]]).toEqual([
      [1, 2, 3],
      [0n, 0n, 0n, 0n],
    ]);
  });

  it('cannot be set any more once the object is loaded', () => {
    const open = live_globals.open();
    const { stats } = open.bss;
    using _skel = open.load({ kernel });
    expect(message(() => (stats.best.hits = 1n))).toBe(
      'set bss.stats.best.hits: live_globals is already loaded; do it between open() and load()',
    );
  });
});

/** A kernel before 5.5, whose arrays are no memory. */
function withoutSharedArrays(): void {
  kernel = fakeKernel({ version: '5.4' });
  const create = kernel.mapCreate.bind(kernel);
  vi.spyOn(kernel, 'mapCreate').mockImplementation((map) => {
    if (((map.flags ?? 0) & BPF_F_MMAPABLE) !== 0) throw syscallError('bpf(BPF_MAP_CREATE)', 22);
    return create(map);
  });
}

describe.each([
  ['shared with the kernel', false],
  ['copied, as before Linux 5.5', true],
])('variables after load() (%s)', (_how, old) => {
  let skel: LiveGlobals;
  beforeEach(() => {
    if (old) withoutSharedArrays();
    skel = live_globals.openAndLoad({ kernel });
  });

  it('of structs are live in both directions', () => {
    const { stats } = skel.bss;
    stats.hits += 1n;
    stats.best.port = 0x1234;
    stats.top[1] = inner(3n);
    const bss = contents('.bss');
    expect([bss[32], bss[48], bss[49], bss[32 + 48 + 8]]).toEqual([1, 0x34, 0x12, 3]);
    poke('.bss', 32, [41]);
    expect([stats.hits, skel.bss.stats.hits]).toEqual([41n, 41n]);
  });

  it('are set whole while what sets them reads and sets others', () => {
    using skel = live_globals.openAndLoad({ kernel });
    skel.bss.stats.best = inner(7n, 80, 'b');
    skel.bss.stats.top[0] = {
      port: 1,
      get name() {
        skel.bss.stats.top[1] = { ...snapshot(skel.bss.stats.best), hits: 9n };
        return skel.bss.stats.top[1]?.name ?? '';
      },
      hits: 2n,
    };
    expect(snapshot(skel.bss.stats.top)).toEqual([inner(2n, 1, 'b'), inner(9n, 80, 'b')]);
  });

  it('of a bitfield leave its neighbours alone', () => {
    const { stats } = skel.bss;
    stats.urgent = 5;
    stats.delay = 4097;
    stats.urgent = 2;
    expect([stats.urgent, stats.delay]).toEqual([2, 4097]);
    const word = (2 | (4097 << 3)) >>> 0;
    expect([...contents('.bss').subarray(44, 48)]).toEqual([word & 255, word >> 8, 0, 0]);
  });

  it('of a union have every arm', () => {
    skel.bss.stats.word = 0x01020304;
    expect([...skel.bss.stats.octets]).toEqual([4, 3, 2, 1]);
    skel.bss.stats.octets[3] = 0xff;
    expect(skel.bss.stats.word).toBe(0xff020304);
  });

  it('are what their codec reads, and writing that changes nothing', () => {
    const size = sizeOf('.bss');
    const offset = 32;
    fc.assert(
      fc.property(fc.uint8Array({ minLength: size, maxLength: size }), (bytes) => {
        poke('.bss', 0, [...bytes]);
        const before = snapshot(skel.bss);
        expect(before.stats).toEqual(Stats.read(new DataView(bytes.buffer), offset));
        Object.assign(skel.bss, before);
        for (const field of ['best', 'top'] as const)
          Object.assign(skel.bss.stats, { [field]: before.stats[field] });
        expect(snapshot(skel.bss)).toEqual(before);
        // What is between variables and fields stays: four bytes behind stats.word, for one.
        expect([...contents('.bss').subarray(offset + 68, offset + 72)]).toEqual([
          ...bytes.subarray(offset + 68, offset + 72),
        ]);
      }),
      { numRuns: 50 },
    );
  });

  it('of packed structs are reached at any address', () => {
    skel.bss.packed.count = 0x0102030405060708n;
    skel.bss.packed.tag = 9;
    expect(snapshot(skel.bss.packed)).toEqual({ tag: 9, count: 0x0102030405060708n });
    expect([...contents('.bss').subarray(104, 113)]).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1]);
  });

  it('of arrays are live, and arrays to everybody', () => {
    const { counts, table } = skel.bss;
    counts[3] = 5n;
    table[1] = [7, 8, 9];
    const [, second = []] = table;
    second[0] = 6;
    expect([Array.isArray(counts), counts.length, counts.at(-1), counts.indexOf(5n)]).toEqual([
      true,
      4,
      5n,
      3,
    ]);
    expect([counts.map(Number), [...counts.entries()][3], 3 in counts, 4 in counts]).toEqual([
      [0, 0, 0, 5],
      [3, 5n],
      true,
      false,
    ]);
    expect(Object.keys(counts)).toEqual(['0', '1', '2', '3']);
    expect(snapshot(table)).toEqual([
      [0, 0, 0],
      [6, 8, 9],
    ]);
    expect(counts).toEqual([0n, 0n, 0n, 5n]);
    counts.fill(2n);
    skel.data.weights.sort((a, b) => b - a);
    expect([[...counts], [...skel.data.weights]]).toEqual([
      [2n, 2n, 2n, 2n],
      [3, 2, 1],
    ]);
    poke('.bss', 24, [9]);
    expect(counts[3]).toBe(9n);
  });

  it('of arrays have the elements of their type, no more and no less', () => {
    const { counts } = skel.bss;
    expect(counts[4]).toBeUndefined();
    expect(message(() => (counts[4] = 1n))).toBe(
      'set bss.counts[4]: it has 4 elements, and they are as many as its type says',
    );
    expect(message(() => counts.push(1n))).toMatch(/^set bss\.counts\[4\]: /);
    expect(message(() => counts.pop())).toMatch(/TypeError/);
    expect(message(() => (counts.length = 5))).toBe(
      'set bss.counts.length: the section is in the kernel; set it between open() and load()',
    );
  });

  it('that end in a flexible array have what fills it', () => {
    const { words } = skel.data;
    words.items[1] = 11;
    expect(snapshot(words)).toEqual({ count: 2, items: [7, 11] });
    skel.data.words = { count: 1, items: [1, 2] };
    expect([...contents('.data').subarray(-8)]).toEqual([1, 0, 0, 0, 1, 0, 2, 0]);
    expect(message(() => (skel.data.words = { count: 1, items: [1, 2, 3] }))).toMatch(/do not fit/);
  });

  it('without bytes are empty, and text goes on to the end of its variable', () => {
    const { note } = skel.data;
    expect([note.length, note.mark.length, note.text]).toEqual([5, 0, 'hello']);
    expect(snapshot(note)).toEqual({ length: 5, mark: [], kind: 1, text: 'hello' });
    note.text = 'bye';
    expect([note.text, skel.data.note.text]).toEqual(['bye', 'bye']);
    expect(message(() => (note.text = 'too long'))).toMatch(/does not fit/);
    expect(message(() => (note.mark[0] = 1))).toMatch(/^set data\.note\.mark\[0\]: it has 0 elements/);
  });

  it('are plain to look at, to copy and to compare', () => {
    skel.bss.stats.hits = 3n;
    const plain = snapshot(skel.bss.stats);
    skel.bss.stats.hits = 4n;
    expect([plain.hits, { ...skel.bss.stats }.hits]).toEqual([3n, 4n]);
    expect(Object.keys(skel.bss.stats)).toEqual(Object.keys(plain));
    expect(skel.bss.stats).toEqual({ ...plain, hits: 4n });
    expect(inspect(skel.bss.packed)).toBe('{ tag: 0, count: 0n }');
    expect(inspect(skel.bss.counts)).toBe('[ 0n, 0n, 0n, 0n ]');
    expect(inspect(skel.data.words)).toBe('{ count: 2, items: [ 7, 9 ] }');
    expect(inspect(skel.data_samples)).toBe('{ samples_count: 0, samples: [ 0n ] }');
    expect(structuredClone(skel.bss.packed)).toEqual({ tag: 0, count: 0n });
    skel.bss.stats = { ...skel.bss.stats, level: -3 };
    skel.bss.stats.top[0] = skel.bss.stats.best;
    expect(skel.bss.stats.level).toBe(-3);
  });

  it('are JSON, integers of 64 bits included', () => {
    skel.bss.packed.count = 2n ** 53n;
    skel.bss.counts[0] = 2n ** 53n - 1n;
    expect(JSON.stringify(skel.bss.packed)).toBe('{"tag":0,"count":"9007199254740992"}');
    expect(JSON.stringify({ counts: skel.bss.counts })).toBe('{"counts":[9007199254740991,0,0,0]}');
    expect(JSON.stringify(skel.data.words)).toBe('{"count":2,"items":[7,9]}');
    expect(JSON.stringify(skel.data_samples)).toBe('{"samples_count":0,"samples":[0]}');
    expect(toJson(skel.bss.counts, { bigint: 'string' })).toBe('["9007199254740991","0","0","0"]');
    expect(toJson([{ packed: skel.bss.packed }], { bigint: 'string' })).toContain(
      '"count":"9007199254740992"',
    );
  });

  it('take no property that C does not have', () => {
    for (const view of [skel.bss.packed, skel.bss]) {
      expect(() => Object.assign(view, { conuts: 1 })).toThrow(TypeError);
    }
  });

  it('that are constant can be read only, however deep', () => {
    const { config } = skel.rodata as unknown as {
      config: { prefix: string; ports: number[]; server: { hits: bigint } };
    };
    expect([config.prefix, config.ports[2], config.server.hits]).toEqual(['eth', 8080, 0n]);
    const frozen = (path: string) => `set rodata.${path}: '.rodata' is frozen; set it before load()`;
    expect(message(() => (config.prefix = 'x'))).toBe(frozen('config.prefix'));
    expect(message(() => (config.ports[0] = 1))).toBe(frozen('config.ports[0]'));
    expect(message(() => (config.server.hits = 1n))).toBe(frozen('config.server.hits'));
    expect(message(() => config.ports.reverse())).toBe(frozen('config.ports[0]'));
  });

  it('throw a sentence after destroy(), from every view that is left', () => {
    const { stats, counts } = skel.bss;
    const { best } = stats;
    skel.destroy();
    for (const use of [
      () => stats.hits,
      () => best.port,
      () => counts[0],
      () => (counts[0] = 1n),
      () => [...counts],
    ]) {
      expect(message(use)).toMatch(/^access .*bss: its object is destroyed$/);
    }
    expect(inspect(stats)).toMatch(/^\[access .*bss: its object is destroyed\]$/);
  });
});

describe('the last array of a section', () => {
  it('gets another length before load()', () => {
    using open = live_globals.open();
    open.data_samples.samples.length = 8;
    open.data_samples.samples[7] = 70n;
    open.data_samples.samples_count = 8;
    open.bss_slots.slots.length = 3;
    open.rodata_allowed.allowed.length = 4;
    open.rodata_allowed.allowed[3] = 2;
    expect([open.data_samples.samples.length, open.data_samples.samples_count]).toEqual([8, 8]);
    using skel = open.load({ kernel });
    expect([sizeOf('.data.samples'), sizeOf('.bss.slots')]).toEqual([72, 48]);
    expect(skel.data_samples.samples).toEqual([0n, 0n, 0n, 0n, 0n, 0n, 0n, 70n]);
    expect(skel.rodata_allowed.allowed).toEqual([1, 0, 0, 2]);
    const [, , third] = skel.bss_slots.slots;
    if (third === undefined) throw new Error('no third slot');
    third.hits = 5n;
    expect(contents('.bss.slots')[40]).toBe(5);
    expect(snapshot(skel.bss_slots).slots).toHaveLength(3);
    skel.data_samples.samples = [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n];
    expect(message(() => (skel.data_samples.samples = [1n]))).toBe(
      'set data_samples.samples: an array of 8 elements was given 1',
    );
  });

  it('keeps its contents, and open() starts anew', () => {
    using open = live_globals.open();
    open.data_samples.samples[0] = 3n;
    open.data_samples.samples.length = 2;
    expect([...open.data_samples.samples]).toEqual([3n, 0n]);
    open.data_samples.samples.length = 1;
    expect([...open.data_samples.samples]).toEqual([3n]);
    using second = live_globals.open();
    expect(second.data_samples.samples).toHaveLength(1);
  });

  it('is the only one that does', () => {
    using open = live_globals.open();
    expect(message(() => (open.data.weights.length = 4))).toBe(
      "set data.weights.length: only the last variable of '.data', words, can get another length",
    );
    expect(message(() => (open.bss.counts.length = 4))).toBe('nothing was thrown');
    expect(message(() => (open.rodata.config.ports.length = 4))).toBe(
      "set rodata.config.ports.length: only the last variable of '.rodata', config, can get another length",
    );
    for (const length of [-1, 0.5, Number.NaN]) {
      expect(message(() => (open.bss_slots.slots.length = length))).toMatch(/is no number of elements$/);
    }
    expect(message(() => (open.bss_slots.slots.length = 0))).toBe(
      'set bss_slots.slots.length: it needs an element at least',
    );
  });
});

describe('fields with names that mean something in JavaScript', () => {
  it('are fields all the same', () => {
    type Odd = Record<'__proto__' | 'toJSON' | 'constructor' | 'length', number>;
    const names = ['__proto__', 'toJSON', 'constructor', 'length'] as const;
    const odd: Codec<Odd> = struct(
      8,
      (v, o) => Object.fromEntries(names.map((name, at) => [name, v.getUint16(o + at * 2, true)])) as Odd,
      (v, o, x) => {
        for (const [at, name] of names.entries()) v.setUint16(o + at * 2, x[name], true);
      },
      () => Object.fromEntries(names.map((name, index) => [name, at(index * 2, u16)])),
    );
    const plain = skeleton({
      name: 'globals',
      maps: {},
      progs: {},
      globals: { bss: { point: at(8, odd) } },
      elf: () => globals.elfBytes(),
    });
    using open = plain.open();
    const { point } = open.bss;
    for (const [index, name] of names.entries()) point[name] = index + 1;
    expect(Object.keys(point)).toEqual([...names]);
    expect(names.map((name) => point[name])).toEqual([1, 2, 3, 4]);
    expect(JSON.stringify({ point })).toBe('{"point":{"__proto__":1,"toJSON":2,"constructor":3,"length":4}}');
    expect(Object.entries(snapshot(point))).toEqual([...names].map((name, index) => [name, index + 1]));
    expect(fromJson(odd, toJson(point))).toEqual(snapshot(point));
  });
});

describe('a struct whose codec states no fields', () => {
  it('is a copy, and throws when it is changed as if it were live', () => {
    const point: Codec<{ x: number }> = struct(
      8,
      (v, o) => ({ x: v.getInt32(o, true) }),
      (v, o, { x }) => v.setInt32(o, x, true),
    );
    const plain = skeleton({
      name: 'globals',
      maps: {},
      progs: {},
      globals: { bss: { point: at(8, point) } },
      elf: () => globals.elfBytes(),
    });
    using open = plain.open();
    open.bss.point = { x: 1 };
    expect(() => {
      open.bss.point.x = 5;
    }).toThrow(TypeError);
    expect(open.bss.point).toEqual({ x: 1 });
  });
});

describe('JSON of records', () => {
  const stats = Stats.of({
    hits: 2n ** 64n - 1n,
    level: -1,
    urgent: 5,
    delay: 8191,
    best: inner(2n, 3, 'b\udcffst'),
    top: [inner(2n ** 53n), inner(-0n)],
    word: 0x01020304,
  });

  it('comes from JSON.stringify with jsonBigint, and from toJson', () => {
    const text = JSON.stringify(stats, jsonBigint);
    expect(text).toContain('{"hits":"18446744073709551615","level":-1,');
    expect(toJson(stats)).toBe(text);
    expect(toJson(1n)).toBe('1');
    expect(toJson({ bytes: new Uint8Array([1, 255]) })).toBe('{"bytes":[1,255]}');
    expect(toJson({ at: new Date(0) })).toBe('{"at":"1970-01-01T00:00:00.000Z"}');
    expect(toJson({ a: 1n }, { space: 1 })).toBe('{\n "a": 1\n}');
  });

  it.each(['exact', 'string'] as const)('is read again as what it was: %s', (bigint) => {
    expect(fromJson(Stats, toJson(stats, { bigint }))).toEqual(stats);
  });

  it.each([
    ['{}', 'read JSON: hits is missing'],
    ['[]', 'read JSON: the value is an object; the text has []'],
    [
      toJson(stats).replace('"level":-1', '"level":"low"'),
      'read JSON: level is a number; the text has "low"',
    ],
    [
      toJson(stats).replace('"18446744073709551615"', '18446744073709551615'),
      'read JSON: hits is an integer: a number up to 2^53 - 1 or a decimal string; the text has 18446744073709552000',
    ],
    [
      toJson(stats).replace('"hits":2', '"hits":2,"hist":2'),
      'read JSON: best.hist is no field of the type; the text has 2',
    ],
  ])('is refused in a sentence: %s', (text, sentence) => {
    expect(message(() => fromJson(Stats, text))).toBe(sentence);
  });
});
