import { describe, expect, test } from 'vitest';
import {
  accessSize,
  CALL,
  EXIT,
  encodeInsns,
  Insns,
  LD_IMM64,
  withAccessSize,
} from '../../runtime/src/insn.js';

describe('an instruction', () => {
  const fields = { code: 0x63, dst: 10, src: 1, off: -16, imm: -2 };

  test.each([
    ['little', true, [0x63, 0x1a, 0xf0, 0xff, 0xfe, 0xff, 0xff, 0xff]],
    ['big', false, [0x63, 0xa1, 0xff, 0xf0, 0xff, 0xff, 0xff, 0xfe]],
  ])('is written and read in %s-endian order, registers included', (_, little, bytes) => {
    const encoded = encodeInsns([fields], little);
    expect([...encoded]).toEqual(bytes);
    const insns = new Insns(encoded, little);
    expect({
      code: insns.code(0),
      dst: insns.dst(0),
      src: insns.src(0),
      off: insns.off(0),
      imm: insns.imm(0),
    }).toEqual(fields);
  });

  test('keeps its other register when one is patched', () => {
    const insns = new Insns(encodeInsns([fields], true), true);
    insns.setDst(0, 3);
    insns.setSrc(0, 7);
    expect([insns.dst(0), insns.src(0)]).toEqual([3, 7]);
  });

  test('holds 64 bits in two halves', () => {
    const insns = new Insns(encodeInsns([{ code: LD_IMM64 }, { code: 0 }], true), true);
    insns.setImm64(0, 0xfedcba9876543210n);
    expect([insns.imm(0), insns.imm(1)]).toEqual([0x76543210, 0xfedcba98 | 0]);
    expect(insns.imm64(0)).toBe(0xfedcba9876543210n);
    insns.setImm64(0, -1n);
    expect(insns.imm64(0)).toBe(0xffffffffffffffffn);
  });

  test('is patched in the bytes given, at their place in a larger buffer', () => {
    const whole = new Uint8Array(24);
    new Insns(whole.subarray(8, 16), true).set(0, { code: CALL, imm: 5 });
    expect([...whole]).toEqual([...new Array(8).fill(0), CALL, 0, 0, 0, 5, 0, 0, 0, ...new Array(8).fill(0)]);
  });
});

describe('has', () => {
  const insns = new Insns(
    encodeInsns([{ code: LD_IMM64 }, { code: 0 }, { code: EXIT }, { code: LD_IMM64 }], true),
    true,
  );
  test.each([
    [0, true],
    [2, true],
    [3, false],
    [4, false],
    [-1, false],
    [0.5, false],
    [Number.NaN, false],
  ])('slot %s is %s', (slot, there) => {
    expect(insns.has(slot)).toBe(there);
  });
});

test.each([
  [0x71, 1],
  [0x69, 2],
  [0x61, 4],
  [0x79, 8],
])('load %i moves %i bytes and takes its size back', (code, size) => {
  expect(accessSize(code)).toBe(size);
  expect(withAccessSize(0x79, size)).toBe(code);
});

test('no load moves three bytes', () => {
  expect(withAccessSize(0x79, 3)).toBeUndefined();
});
