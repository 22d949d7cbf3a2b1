import { describe, expect, test } from 'vitest';
import { CoreKind } from '../../runtime/src/core/kinds.js';
import { CORE_POISON, CoreRelocationError, relocateCore } from '../../runtime/src/core/relocate.js';
import { CoreTarget } from '../../runtime/src/core/target.js';
import { EXIT, encodeInsns, type Insn, Insns, LD_IMM64 } from '../../runtime/src/insn.js';
import { BtfBuilder, type Member } from './btf-builder.js';

type Types = (b: BtfBuilder) => void;
const MOV = 0xb7;
const LOAD32 = 0x61;
const LOAD64 = 0x79;
const poisoned = { code: 0x85, dst: 0, src: 0, off: 0, imm: CORE_POISON };

interface Case {
  readonly local: Types;
  readonly target: Types;
  readonly typeId?: number;
  readonly access?: string;
  readonly kind?: number;
  readonly insn: Insn;
  readonly littleEndian?: boolean;
}

/** Relocates one instruction (and the slot after it); gives it decoded, with its outcome. */
function relocate({ local, target, typeId = 1, access = '0:0', kind = 0, insn, littleEndian = true }: Case) {
  const [a, b] = [new BtfBuilder({ littleEndian }), new BtfBuilder({ littleEndian })];
  local(a);
  target(b);
  const insns = encodeInsns([insn, { code: 0 }], littleEndian);
  const [outcome] = relocateCore({
    insns,
    relocations: [{ insn: 0, typeId, access, kind }],
    local: a.btf(),
    target: new CoreTarget(b.btf()),
    program: 'prog',
  });
  const after = new Insns(insns, littleEndian);
  const slot = (i: number) => ({
    code: after.code(i),
    dst: after.dst(i),
    src: after.src(i),
    off: after.off(i),
    imm: after.imm(i),
  });
  return { outcome, insn: slot(0), next: slot(1), imm64: after.imm64(0) };
}

/** `struct s` with a member `x` at an offset, of the type that `make` adds behind it. */
const s =
  (at: number, make: (b: BtfBuilder) => number, size = 64): Types =>
  (b) => {
    b.struct('s', size, [{ name: 'x', type: typeAfter(make), at }]);
    make(b);
  };
/** The id `make` will give when it follows one struct. */
function typeAfter(make: (b: BtfBuilder) => number): number {
  const b = new BtfBuilder();
  b.struct('s', 1, []);
  return make(b);
}
const int = (b: BtfBuilder) => b.int('int', 4);
const u32 = (b: BtfBuilder) => b.int('unsigned int', 4, 'unsigned');
const u64 = (b: BtfBuilder) => b.int('unsigned long', 8, 'unsigned');
const s64 = (b: BtfBuilder) => b.int('long', 8);
const pointer = (b: BtfBuilder) => b.ptr(0);
const bool = (b: BtfBuilder) => b.int('bool', 1, 'bool');

describe('a field offset', () => {
  test('goes into a load', () => {
    const { insn, outcome } = relocate({
      local: s(4, int),
      target: s(40, int),
      insn: { code: LOAD32, dst: 1, src: 2, off: 4 },
    });
    expect(insn).toEqual({ code: LOAD32, dst: 1, src: 2, off: 40, imm: 0 });
    expect(outcome).toMatchObject({
      text: 'struct s.x',
      found: true,
      poisoned: false,
      local: 4n,
      value: 40n,
      reason: '',
    });
  });

  test.each<[string, Insn, Partial<Insn>]>([
    ['a store of a register', { code: 0x63, off: 4 }, { code: 0x63, off: 40 }],
    ['a store of a constant', { code: 0x62, off: 4, imm: 9 }, { code: 0x62, off: 40, imm: 9 }],
    ['an addition', { code: 0x07, imm: 4 }, { code: 0x07, imm: 40 }],
    ['a 32-bit move', { code: 0xb4, imm: 4 }, { code: 0xb4, imm: 40 }],
    ['a 64-bit constant', { code: LD_IMM64, imm: 4 }, { code: LD_IMM64, imm: 40 }],
  ])('goes into %s', (_, insn, expected) => {
    expect(relocate({ local: s(4, int), target: s(40, int), insn }).insn).toMatchObject(expected);
  });

  test.each([
    ['the order of the object', false],
    ['little-endian order', true],
  ])('is written in %s', (_, littleEndian) => {
    const { insn } = relocate({
      local: s(4, int),
      target: s(40, int),
      insn: { code: LOAD32, off: 4 },
      littleEndian,
    });
    expect(insn.off).toBe(40);
  });

  test.each<[string, (b: BtfBuilder) => number, (b: BtfBuilder) => number, number, number]>([
    ['grows with an unsigned field', u32, u64, LOAD32, LOAD64],
    ['shrinks with an unsigned field', u64, u32, LOAD64, LOAD32],
    ['shrinks to a bool', u32, bool, LOAD32, 0x71],
    ['stays with a signed field of the same size', int, u32, LOAD32, LOAD32],
  ])('of a load whose width %s', (_, from, to, before, after) => {
    const { insn } = relocate({ local: s(8, from), target: s(16, to), insn: { code: before, off: 8 } });
    expect(insn).toMatchObject({ code: after, off: 16 });
  });

  test('poisons a load of a signed field of another size, but no addition', () => {
    const [local, target] = [s(8, int), s(16, s64)];
    const { insn, outcome } = relocate({ local, target, insn: { code: LOAD32, off: 8 } });
    expect(insn).toEqual(poisoned);
    expect(outcome).toMatchObject({ found: true, poisoned: true, value: undefined });
    expect(outcome?.reason).toContain('8 bytes in the kernel and 4 in the object');
    expect(relocate({ local, target, insn: { code: 0x07, imm: 8 } }).insn.imm).toBe(16);
  });

  test('is found in anonymous structs and unions', () => {
    const target: Types = (b) => {
      const int = b.int('int', 4);
      const inner = b.struct('', 8, [
        { name: 'y', type: int },
        { name: 'x', type: int, at: 4 },
      ]);
      const middle = b.union('', 8, [{ name: '', type: inner }]);
      b.struct('s', 32, [
        { name: '', type: int },
        { name: '', type: middle, at: 16 },
      ]);
    };
    expect(relocate({ local: s(0, int), target, insn: { code: LOAD32 } }).insn.off).toBe(20);
  });

  test('is taken from a flavour of the type', () => {
    const local: Types = (b) => {
      b.struct('s___mine', 4, [{ name: 'x', type: 2 }]);
      int(b);
    };
    const { insn, outcome } = relocate({ local, target: s(12, int), insn: { code: LOAD32 } });
    expect([insn.off, outcome?.text]).toEqual([12, 'struct s___mine.x']);
  });
});

describe('what the kernel does not have', () => {
  const none: Types = (b) => void int(b);
  const other: Types = (b) => void b.struct('s', 8, [{ name: 'y', type: 0 }]);

  test.each([
    ['no such type', none, 'the kernel has no struct s'],
    ['no such field', other, "the kernel's struct s has no member x of a compatible type"],
    ['a field of another kind', s(0, pointer), "the kernel's struct s has no member x of a compatible type"],
  ])('poisons a load: %s', (_, target, reason) => {
    const { insn, outcome } = relocate({ local: s(0, int), target, insn: { code: LOAD32 } });
    expect(insn).toEqual(poisoned);
    expect(outcome).toMatchObject({ found: false, poisoned: true, value: undefined, reason });
  });

  test('poisons both halves of a 64-bit constant', () => {
    const { insn, next } = relocate({ local: s(0, int), target: none, insn: { code: LD_IMM64 } });
    expect([insn, next]).toEqual([poisoned, poisoned]);
  });

  test.each([
    ['existence of a field', CoreKind.FIELD_EXISTS, '0:0', 1],
    ['existence of a type', CoreKind.TYPE_EXISTS, '0', 1],
    ['match of a type', CoreKind.TYPE_MATCHES, '0', 1],
    ['size of a type', CoreKind.TYPE_SIZE, '0', 64],
    ['id of a type', CoreKind.TYPE_ID_TARGET, '0', 1],
  ])('answers 0 to %s', (_, kind, access, held) => {
    const { insn, outcome } = relocate({
      local: s(0, int),
      target: none,
      kind,
      access,
      insn: { code: MOV, imm: held },
    });
    expect(insn).toMatchObject({ code: MOV, imm: 0 });
    expect(outcome).toMatchObject({
      found: false,
      poisoned: false,
      value: 0n,
      reason: 'the kernel has no struct s',
    });
  });

  test('answers 0 to existence of an enumerator, and poisons its value', () => {
    const local: Types = (b) => void b.enum('e', [['A', 5]]);
    const target: Types = (b) => void b.enum('e', [['B', 5]]);
    const exists = relocate({
      local,
      target,
      access: '0',
      kind: CoreKind.ENUMVAL_EXISTS,
      insn: { code: MOV, imm: 1 },
    });
    expect([exists.insn.imm, exists.outcome?.reason]).toEqual([0, "the kernel's enum e has no A"]);
    const value = relocate({
      local,
      target,
      access: '0',
      kind: CoreKind.ENUMVAL_VALUE,
      insn: { code: LD_IMM64, imm: 5 },
    });
    expect([value.insn, value.outcome?.text]).toEqual([poisoned, 'enum e::A']);
  });
});

describe('what the kernel has', () => {
  test.each([
    ['existence of a field', CoreKind.FIELD_EXISTS, '0:0', 1, 1],
    ['size of a field', CoreKind.FIELD_BYTE_SIZE, '0:0', 4, 8],
    ['signedness of a field', CoreKind.FIELD_SIGNED, '0:0', 1, 0],
    ['left shift of a field', CoreKind.FIELD_LSHIFT_U64, '0:0', 32, 0],
    ['right shift of a field', CoreKind.FIELD_RSHIFT_U64, '0:0', 32, 0],
    ['existence of a type', CoreKind.TYPE_EXISTS, '0', 1, 1],
    ['size of a type', CoreKind.TYPE_SIZE, '0', 64, 128],
    ['id of a type, whatever the linker made of it', CoreKind.TYPE_ID_TARGET, '0', 77, 1],
    ['local id of a type, whatever the linker made of it', CoreKind.TYPE_ID_LOCAL, '0', 77, 1],
    ['match of a type that differs', CoreKind.TYPE_MATCHES, '0', 1, 0],
  ])('answers %s', (_, kind, access, held, answer) => {
    const [local, target] = [s(0, int), s(8, u64, 128)];
    expect(relocate({ local, target, kind, access, insn: { code: MOV, imm: held } }).insn.imm).toBe(answer);
  });

  test.each<[string, Types, Types, bigint, bigint]>([
    ['an enum', (b) => void b.enum('e', [['A', 1]]), (b) => void b.enum('e___v2', [['A', 7]]), 1n, 7n],
    [
      'a negative enum',
      (b) => void b.enum('e', [['A', -1]], { signed: true }),
      (b) => void b.enum('e', [['A', -9]], { signed: true }),
      2n ** 64n - 1n,
      2n ** 64n - 9n,
    ],
    [
      'a negative enum of an old kernel, not marked signed',
      (b) => void b.enum('e', [['A', -1]], { signed: true }),
      (b) => void b.enum('e', [['A', -9]]),
      2n ** 64n - 1n,
      2n ** 64n - 9n,
    ],
    [
      'an enum64',
      (b) => void b.enum64('e', [['A', 1n << 40n]]),
      (b) => void b.enum64('e', [['A', 1n << 50n]]),
      1n << 40n,
      1n << 50n,
    ],
    [
      'an enum that became an enum64',
      (b) => void b.enum('e', [['A___x', 3]]),
      (b) => void b.enum64('e', [['A', -2n]], true),
      3n,
      2n ** 64n - 2n,
    ],
  ])('gives the value of %s', (_, local, target, held, value) => {
    const kind = CoreKind.ENUMVAL_VALUE;
    const { imm64, outcome } = relocateImm64({ local, target, access: '0', kind }, held);
    expect([imm64, outcome?.local, outcome?.value]).toEqual([value, held, value]);
  });

  function relocateImm64(rest: Omit<Case, 'insn'>, held: bigint) {
    const [a, b] = [new BtfBuilder(), new BtfBuilder()];
    rest.local(a);
    rest.target(b);
    const insns = encodeInsns([{ code: LD_IMM64 }, { code: 0 }], true);
    new Insns(insns, true).setImm64(0, held);
    const [outcome] = relocateCore({
      insns,
      relocations: [{ insn: 0, typeId: 1, access: rest.access ?? '0', kind: rest.kind ?? 0 }],
      local: a.btf(),
      target: new CoreTarget(b.btf()),
    });
    return { outcome, imm64: new Insns(insns, true).imm64(0) };
  }
});

describe('a bitfield', () => {
  const bits =
    (...members: Omit<Member, 'type'>[]): Types =>
    (b) => {
      b.struct(
        's',
        16,
        members.map((member) => ({ ...member, type: 2 })),
      );
      b.int('unsigned int', 4, 'unsigned');
    };
  const local = bits({ name: 'x', bit: 0, bits: 3 });

  test.each([
    // name, bit offset, width, then offset, size, left and right shift of a load on a little-endian machine
    ['inside one word', 37, 3, 4, 4, 64 - 8, 61],
    ['across two words', 30, 5, 0, 8, 64 - 35, 59],
    ['at the start', 0, 32, 0, 4, 32, 32],
  ])('%s is read with the smallest aligned load', (_, bit, width, offset, size, left, right) => {
    const target = bits({ name: 'x', bit, bits: width });
    const answer = (kind: number, held: number) =>
      relocate({ local, target, kind, insn: { code: MOV, imm: held } }).insn.imm;
    // What the object holds is not checked, except for the right shift.
    expect([
      answer(CoreKind.FIELD_BYTE_OFFSET, 99),
      answer(CoreKind.FIELD_BYTE_SIZE, 99),
      answer(CoreKind.FIELD_LSHIFT_U64, 99),
      answer(CoreKind.FIELD_RSHIFT_U64, 61),
    ]).toEqual([offset, size, left, right]);
  });

  test('is shifted from the other end on a big-endian machine', () => {
    const target = bits({ name: 'x', bit: 37, bits: 3 });
    const insn = { code: MOV, imm: 99 };
    const { imm } = relocate({
      local,
      target,
      kind: CoreKind.FIELD_LSHIFT_U64,
      insn,
      littleEndian: false,
    }).insn;
    expect(imm).toBe(32 + 5);
  });

  test('of more bits than any load is refused', () => {
    const target = bits({ name: 'x', bit: 40, bits: 32 });
    expect(() => relocate({ local, target, insn: { code: MOV } })).toThrow(
      'no load of 64 bits holds this bitfield',
    );
  });

  test('of a type that has none is refused', () => {
    const target: Types = (b) => {
      b.struct('s', 16, [{ name: 'x', type: 2, bit: 3, bits: 3 }]);
      b.struct('', 0, []);
    };
    const wide: Types = (b) => {
      b.struct('s', 16, [{ name: 'x', type: 2 }]);
      b.struct('', 0, []);
    };
    expect(() => relocate({ local: wide, target, insn: { code: MOV } })).toThrow(
      'a type that has no bitfields',
    );
  });

  test('that became a whole field can be computed, not loaded', () => {
    const target = s(8, u32);
    expect(relocate({ local, target, insn: { code: MOV } }).insn.imm).toBe(8);
    expect(relocate({ local, target, insn: { code: LOAD32 } }).insn).toEqual(poisoned);
  });
});

describe('several types of one name', () => {
  const twice =
    (first: number, second: number): Types =>
    (b) => {
      const int = b.int('int', 4);
      b.struct('s', 64, [{ name: 'x', type: int, at: first }]);
      b.struct('s___2', 64, [{ name: 'x', type: int, at: second }]);
    };

  test('are fine when they agree', () => {
    expect(relocate({ local: s(0, int), target: twice(8, 8), insn: { code: LOAD32 } }).insn.off).toBe(8);
  });

  test('are refused, by name, when they do not', () => {
    expect(() => relocate({ local: s(0, int), target: twice(8, 12), insn: { code: LOAD32 } })).toThrow(
      'relocate instruction 0 of "prog" (offset of struct s.x): the kernel has several types named struct s that differ: struct s [2] gives bit offset 64, struct s___2 [3] gives bit offset 96',
    );
  });

  test('are narrowed by the relocations before', () => {
    const [a, b] = [new BtfBuilder(), new BtfBuilder()];
    a.struct('s', 8, [
      { name: 'x', type: 2 },
      { name: 'only', type: 2, at: 4 },
    ]);
    a.int('int', 4);
    b.struct('s', 64, [{ name: 'x', type: 0, at: 8 }]);
    b.int('int', 4);
    b.struct('s___2', 64, [
      { name: 'x', type: 2, at: 12 },
      { name: 'only', type: 2, at: 16 },
    ]);
    const relocations = [
      { insn: 0, typeId: 1, access: '0:1', kind: 0 },
      { insn: 1, typeId: 1, access: '0:0', kind: 0 },
    ];
    const insns = encodeInsns([{ code: LOAD32, off: 4 }, { code: LOAD32 }], true);
    relocateCore({ insns, relocations, local: a.btf(), target: new CoreTarget(b.btf()) });
    expect(new Insns(insns, true).off(1)).toBe(12);
  });
});

describe('a relocation is refused', () => {
  const [local, target] = [s(4, int), s(40, int)];
  test.each<[string, Partial<Case> & { insn: Insn }, string]>([
    [
      'when the instruction holds something else',
      { insn: { code: LOAD32, off: 5 } },
      "holds 5, and the object's own types say 4",
    ],
    ['at a jump', { insn: { code: EXIT } }, 'code 0x95'],
    ['at arithmetic on registers', { insn: { code: 0x0f } }, 'code 0xf'],
    ['at a constant that is an address', { insn: { code: LD_IMM64, src: 1, imm: 4 } }, 'code 0x18'],
    [
      'beyond what an instruction reaches',
      { target: s(0x8000, int, 0x9000), insn: { code: LOAD32, off: 4 } },
      'is 32768, and an instruction reaches 32767',
    ],
    [
      'of a load that is not as wide as its field',
      { target: s(8, u64), local: s(4, u32), insn: { code: 0x69, off: 4 } },
      'moves 2 bytes of a field that has 4',
    ],
    [
      'of a field no load is wide enough for',
      {
        target: s(8, (b) => b.int('__int128 unsigned', 16, 'unsigned')),
        local: s(4, u32),
        insn: { code: LOAD32, off: 4 },
      },
      'no instruction moves the 16 bytes',
    ],
    [
      'of a type without a name',
      {
        local: (b) => void b.struct('', 4, []),
        access: '0',
        kind: CoreKind.TYPE_SIZE,
        insn: { code: MOV, imm: 4 },
      },
      'has no name',
    ],
    [
      'of a kind that is not known',
      { kind: 99, insn: { code: MOV } },
      'unknown relation to struct s): relocation kind 99 is not known',
    ],
    [
      'of a type that is not there',
      { typeId: 50, insn: { code: MOV } },
      'offset of type 50): malformed .BTF',
    ],
    [
      'of the shift of an array element',
      {
        local: (b) => arrayOf(b),
        target: (b) => arrayOf(b),
        access: '0:0:1',
        kind: CoreKind.FIELD_LSHIFT_U64,
        insn: { code: MOV },
      },
      'only the offset and size of an array element',
    ],
  ])('%s', (_, rest, why) => {
    const attempt = () => relocate({ local, target, ...rest });
    expect(attempt).toThrow(why);
    expect(attempt).toThrow(CoreRelocationError);
  });

  function arrayOf(b: BtfBuilder): void {
    b.struct('s', 16, [{ name: 'x', type: 2 }]);
    b.array(3, 4);
    b.int('int', 4);
  }

  test.each([
    ['behind the last instruction', 7],
    ['at half a 64-bit constant', 1],
    ['at no whole instruction', 0.5],
  ])('%s', (_, insn) => {
    const b = new BtfBuilder();
    local(b);
    const insns = encodeInsns([{ code: EXIT }, { code: LD_IMM64 }], true);
    const relocations = [{ insn, typeId: 1, access: '0:0', kind: 0 }];
    expect(() =>
      relocateCore({ insns, relocations, local: b.btf(), target: new CoreTarget(b.btf()) }),
    ).toThrow('no such instruction');
  });

  test('when the kernel nests anonymous structs without end', () => {
    const cycle: Types = (b) => void b.struct('s', 8, [{ name: '', type: 1 }]);
    expect(() => relocate({ local: s(0, int), target: cycle, insn: { code: LOAD32 } })).toThrow(
      'nests deeper than 64 levels',
    );
  });

  test('quickly, when anonymous structs of the kernel fan out', () => {
    const fan: Types = (b) => {
      let inner = b.struct('', 8, []);
      for (let i = 0; i < 60; i++) {
        inner = b.struct('', 8, [
          { name: '', type: inner },
          { name: '', type: inner },
        ]);
      }
      b.struct('s', 8, [{ name: '', type: inner }]);
    };
    expect(relocate({ local: s(0, int), target: fan, insn: { code: LOAD32 } }).outcome?.found).toBe(false);
  });
});
