import { describe, expect, test } from 'vitest';
import { Btf } from '../../runtime/src/btf/btf.js';
import { parseBtfExt } from '../../runtime/src/btf/ext.js';
import type { BtfType } from '../../runtime/src/btf/types.js';
import { validateBtf } from '../../runtime/src/btf/validate.js';
import { parseElf } from '../../runtime/src/elf.js';
import { MalformedError } from '../../runtime/src/errors.js';
import { parseObject } from '../../runtime/src/object/parse.js';
import { BtfBuilder } from './btf-builder.js';
import { testObject } from './object-editor.js';

/** The types of the object, numbers of types replaced by what one needs to recognise them. */
function layout(name = 'layout.o'): Btf {
  const { btf } = parseObject(testObject(name));
  if (btf === undefined) throw new Error('no BTF');
  return btf;
}

function find(btf: Btf, name: string): BtfType {
  const id = btf.find(name);
  if (id === undefined) throw new Error(`no type ${name}`);
  return btf.type(id);
}

describe.each([['layout.o'], ['layout.eb.o']])('%s', (object) => {
  const btf = layout(object);

  test.each([
    ['int', { kind: 'int', size: 4, bits: 32, bitOffset: 0, signed: true, char: false, bool: false }],
    ['_Bool', { kind: 'int', size: 1, signed: false, bool: true }],
    ['__int128', { kind: 'int', size: 16, bits: 128, signed: true }],
    ['double', { kind: 'float', size: 8 }],
    ['callback', { kind: 'typedef' }],
    ['opaque', { kind: 'fwd', union: false }],
    ['user', { kind: 'type_tag' }],
    ['whole', { kind: 'decl_tag', component: -1 }],
    ['keep', { kind: 'func', linkage: 'global' }],
    ['pointer', { kind: 'var', linkage: 'global' }],
    ['either', { kind: 'union', size: 12, members: [{ name: 'number' }, { name: 'bytes', bitOffset: 0 }] }],
    ['small', { kind: 'enum', signed: false, values: [{}, {}, { name: 'LAST', value: 0xfffffff0 }] }],
    ['negative', { kind: 'enum', signed: true, values: [{ name: 'MINUS', value: -5 }, { value: 5 }] }],
    ['wide', { kind: 'enum64', signed: false, values: [{ name: 'BIG', value: 1n << 63n }, { value: 1n }] }],
    [
      'deep',
      { kind: 'enum64', signed: true, values: [{ name: 'DOWN', value: -(1n << 63n) }, { value: 1n }] },
    ],
    [
      'bits',
      {
        kind: 'struct',
        size: 16,
        members: [
          { name: 'a', bitOffset: 0, bitSize: 3 },
          { name: 'b', bitOffset: 3, bitSize: 13 },
          { name: 'c', bitOffset: 16, bitSize: 16 },
          { name: 'd', bitOffset: 64, bitSize: 40 },
          { name: 'e', bitOffset: 104, bitSize: 1 },
        ],
      },
    ],
    ['.data.flexible', { kind: 'datasec', size: 12, vars: [{ offset: 0, size: 12 }] }],
  ])('declares %s', (name, expected) => {
    const [type] = [...Array(btf.endId).keys()]
      .filter((id) => btf.name(id) === name)
      .map((id) => btf.type(id));
    expect(type).toMatchObject(expected);
  });

  test.each([
    ['bits', 16, 8],
    ['packed', 11, 1],
    ['loose_tail', 16, 4],
    ['either', 12, 4],
    ['everything', 208, 8],
    ['callback', 8, 8],
    ['double', 8, 8],
    ['__int128', 16, 8],
    ['_Bool', 1, 1],
    ['small', 4, 4],
    ['flexible', 4, 4],
  ])('gives %s %i bytes, aligned to %i', (name, size, align) => {
    const type = find(btf, name);
    expect([btf.sizeOf(type.id), btf.alignOf(type.id)]).toEqual([size, align]);
  });

  test('measures arrays of arrays', () => {
    const everything = find(btf, 'everything');
    const matrix = everything.kind === 'struct' && everything.members.find(({ name }) => name === 'matrix');
    expect(matrix && btf.sizeOf(matrix.type)).toBe(24);
  });

  test('resolves through qualifiers', () => {
    const loose = find(btf, 'loose');
    expect(loose.kind === 'var' && btf.resolve(loose.type)).toMatchObject({
      kind: 'struct',
      name: 'loose_tail',
    });
  });
});

describe('find', () => {
  const builder = new BtfBuilder();
  const int = builder.int('thing', 4);
  const struct = builder.struct('thing', 4, [{ name: 'x', type: int }]);
  const flavour = builder.struct('thing___old', 4, []);
  const longer = builder.struct('things', 4, []);
  const btf = Btf.parse(builder.bytes());

  test('takes the first of any kind', () => expect(btf.find('thing')).toBe(int));
  test('takes the first of the kinds given', () => expect(btf.find('thing', 'union', 'struct')).toBe(struct));
  test.each([['thin'], ['hing'], ['thing____'], [''], ['x']])('does not find %j', (name) =>
    expect(btf.find(name, 'struct')).toBeUndefined(),
  );
  test('lists what begins with a name', () =>
    expect(btf.findPrefix('thing', 'struct')).toEqual([struct, flavour, longer]));
});

describe('split BTF', () => {
  const builder = new BtfBuilder();
  const int = builder.int('int', 4);
  const base = Btf.parse(builder.bytes());
  const more = new BtfBuilder({ base });
  const struct = more.struct('module_struct', 8, [{ name: 'x', type: int, at: 4 }]);
  const split = Btf.parse(more.bytes(), { base, label: 'module' });

  test('continues ids and strings of its base', () => {
    expect([split.firstId, split.endId, struct]).toEqual([2, 3, 2]);
    expect(split.type(struct)).toMatchObject({ name: 'module_struct', members: [{ name: 'x', type: int }] });
    expect([split.name(int), split.kind(int), split.sizeOf(struct)]).toEqual(['int', 'int', 8]);
  });
  test('finds in the base first, unless asked for its own', () => {
    expect([split.find('int'), split.findOwn('int'), split.findOwn('module_struct')]).toEqual([
      int,
      undefined,
      struct,
    ]);
  });
  test('is valid', () => expect(() => validateBtf(split)).not.toThrow());
  test('names the module in errors', () =>
    expect(() => split.type(9)).toThrow(/malformed module at byte \d+: there is no type \[9\]/));
});

describe('a header', () => {
  const builder = new BtfBuilder();
  builder.int('int', 4);
  const bytes = builder.bytes();
  const with32 = (offset: number, value: number) => {
    const copy = bytes.slice();
    new DataView(copy.buffer).setUint32(offset, value, true);
    return copy;
  };

  test('may be longer than is known', () => {
    const longer = new Uint8Array(bytes.length + 8);
    longer.set(bytes.subarray(0, 24));
    longer.set(bytes.subarray(24), 32);
    longer[4] = 32;
    expect(Btf.parse(longer).name(1)).toBe('int');
  });
  test.each([
    ['no magic', new Uint8Array(64), /byte 0: it does not begin with the BTF magic/],
    ['nothing', new Uint8Array(), /byte 0: it does not begin/],
    ['the magic alone', bytes.subarray(0, 2), /needs 1 bytes, but \.BTF ends at 2/],
    ['version 2', with32(0, 0x0002eb9f), /version 2 is not known/],
    ['a short header', with32(4, 20), /header length 20/],
    ['a header beyond the end', with32(4, 0x7fffffff), /header length 2147483647/],
    ['types at an odd place', with32(8, 2), /not aligned/],
    ['types over strings', with32(12, 20), /overlaps/],
    ['strings beyond the end', with32(20, 0xffffffff), /string table ends after/],
    ['no strings', with32(20, 0), /string table is empty/],
    ['a last string without end', with32(20, 2), /the last string has no end/],
  ])('with %s is refused', (_, wrong, message) => {
    expect(() => Btf.parse(wrong)).toThrow(MalformedError);
    expect(() => Btf.parse(wrong)).toThrow(message);
  });
});

describe('types that cannot be', () => {
  const cases: [name: string, build: (b: BtfBuilder) => void, message: RegExp][] = [
    ['a typedef of itself', (b) => b.typedef('t', 1), /type \[1\]: it contains itself/],
    ['two typedefs in a circle', (b) => [b.typedef('a', 2), b.typedef('b', 1)], /contains itself/],
    ['a struct in itself', (b) => b.struct('s', 4, [{ name: 'x', type: 1 }]), /contains itself/],
    ['an array of itself', (b) => b.array(1, 2), /contains itself/],
    [
      'structs nested 1000 deep',
      (b) => {
        b.int('int', 4);
        for (let i = 1; i <= 1000; i++) b.struct(`s${i}`, 4, [{ name: 'x', type: i }]);
      },
      /it is nested too deep/,
    ],
    [
      'structs that double 40 times',
      (b) => {
        b.struct('s0', 0, []);
        for (let i = 1; i <= 40; i++)
          b.struct(`s${i}`, 0, [
            { name: 'x', type: i },
            { name: 'y', type: i },
          ]);
      },
      /has more than 1048576 members/,
    ],
    ['a pointer to nowhere', (b) => b.ptr(7), /refers to type \[7\], the last is \[1\]/],
    ['a member of no type', (b) => b.struct('s', 4, [{ name: 'x', type: 9 }]), /refers to type \[9\]/],
    [
      'a member beyond its struct',
      (b) => b.struct('s', 4, [{ name: 'x', type: b.int('int', 4) + 0, at: 1 }]),
      /"x" ends at bit 40 of 32/,
    ],
    [
      'a member of void',
      (b) => b.struct('s', 4, [{ name: 'x', type: 0 }]),
      /member "x" has no type, .* clang has none for _Atomic/,
    ],
    ['a function of an int', (b) => [b.int('int', 4), b.func('f', 1)], /no func_proto/],
  ];

  test.each(cases)('%s', (_, build, message) => {
    const builder = new BtfBuilder();
    build(builder);
    const check = () => validateBtf(Btf.parse(builder.bytes()));
    expect(check).toThrow(MalformedError);
    expect(check).toThrow(message);
  });

  test('an unknown kind stops the scan', () => {
    const builder = new BtfBuilder();
    builder.int('int', 4);
    const bytes = builder.bytes();
    bytes[31] = 20;
    expect(() => Btf.parse(bytes)).toThrow(/malformed \.BTF at byte 24: type \[1\] has the unknown kind 20/);
  });

  test('a record that is cut off stops the scan', () => {
    const builder = new BtfBuilder();
    builder.struct('s', 0, []);
    const bytes = builder.bytes();
    bytes[28] = 200;
    expect(() => Btf.parse(bytes)).toThrow(/type \[1\] needs 2412 bytes, 12 are left/);
  });

  test.each([
    ['void', (b: BtfBuilder) => b.typedef('t', 0), /a void has no size/],
    ['a forward declaration', (b: BtfBuilder) => b.fwd('f'), /a fwd has no size/],
    [
      'an array of too many',
      (b: BtfBuilder) => b.array(b.array(b.int('i', 4), 0x10000), 0x10000),
      /more than 32 bits can count/,
    ],
    ['a circle', (b: BtfBuilder) => b.typedef('t', 1), /never ends/],
  ])('%s has no size', (_, build, message) => {
    const builder = new BtfBuilder();
    const id = build(builder);
    expect(() => Btf.parse(builder.bytes()).sizeOf(id)).toThrow(message);
  });

  test('a circle resolves to an error', () => {
    const builder = new BtfBuilder();
    builder.typedef('t', 1);
    expect(() => Btf.parse(builder.bytes()).resolve(1)).toThrow(/lead nowhere/);
  });
});

describe('.BTF.ext', () => {
  const sections = parseElf(testObject('functions.o')).sections;
  const data = (name: string) => sections.find((section) => section.name === name)?.data ?? new Uint8Array();
  const btf = Btf.parse(data('.BTF'));
  const bytes = data('.BTF.ext').slice();
  const view = new DataView(bytes.buffer);

  test('ties instructions to functions, lines and types', () => {
    const info = parseBtfExt(bytes, btf).get('kprobe/do_unlinkat');
    const lines = info?.lines.between(0, 10);
    expect(info?.funcs.map(({ insn, typeId }) => [insn, btf.name(typeId)])).toEqual([
      [0, 'first'],
      [33, 'second'],
    ]);
    expect(lines?.[0]).toMatchObject({ insn: 0, line: 68 });
    expect(lines?.[0]?.fileName).toBe('./test/testdata/functions.bpf.c');
    expect(lines?.[0]?.text).toContain('bpf_get_current_task()');
    expect(lines?.[0]?.raw).toHaveLength(16);
    expect(info?.core).toEqual([
      { insn: 9, typeId: btf.find('task_struct'), access: '0:1', kind: 0 },
      { insn: 16, typeId: btf.find('task_struct'), access: '0:0', kind: 0 },
    ]);
  });

  test('may have records longer than is known', () => {
    // One section with one function record of 12 bytes.
    const longer = new Uint8Array(32 + 4 + 8 + 12);
    const out = new DataView(longer.buffer);
    [0x0001eb9f, 32, 0, 24, 0, 0, 0, 0, 12, btf.tables.stringsSize - 1, 1, 16, 3, 99].forEach((word, i) => {
      out.setUint32(i * 4, word, true);
    });
    const [info] = parseBtfExt(longer, btf).values();
    expect(info?.funcs).toEqual([{ insn: 2, typeId: 3, raw: longer.subarray(44) }]);
  });

  const with32 = (offset: number, value: number) => {
    const copy = bytes.slice();
    new DataView(copy.buffer).setUint32(offset, value, true);
    return copy;
  };
  const funcs = view.getUint32(4, true) + view.getUint32(8, true);
  test.each([
    ['no magic', with32(0, 0), /does not begin with the BTF magic/],
    [
      'the other byte order',
      (() => Uint8Array.from([0xeb, 0x9f, ...bytes.subarray(2)]))(),
      /byte order is not that of \.BTF/,
    ],
    ['flags', with32(0, 0x0101eb9f), /flags 1 are not known/],
    ['a table beyond the end', with32(12, 0x10000000), /is outside or not aligned/],
    ['records of 4 bytes', with32(funcs, 4), /record size 4/],
    ['records of 2 GB', with32(funcs + 8, 0x7fffffff), /do not fit the table/],
    ['a section of no records', with32(funcs + 8, 0), /0 records/],
    ['half an instruction', with32(funcs + 12, 4), /byte 4 is inside an instruction/],
  ])('with %s is refused', (_, wrong, message) => {
    expect(() => parseBtfExt(wrong, btf)).toThrow(MalformedError);
    expect(() => parseBtfExt(wrong, btf)).toThrow(message);
  });
});
