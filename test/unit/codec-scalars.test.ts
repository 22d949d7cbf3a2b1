import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Codec } from '../../runtime/src/codec/codec.js';
import * as scalars from '../../runtime/src/codec/scalars.js';

const bigInt = (bits: number, signed: boolean) =>
  signed
    ? fc.bigInt({ min: -(1n << BigInt(bits - 1)), max: (1n << BigInt(bits - 1)) - 1n })
    : fc.bigInt({ min: 0n, max: (1n << BigInt(bits)) - 1n });
const int = (bits: number, signed: boolean) =>
  signed
    ? fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 })
    : fc.integer({ min: 0, max: 2 ** bits - 1 });

const cases: [string, Codec<unknown>, fc.Arbitrary<unknown>][] = [
  ['u8', scalars.u8, int(8, false)],
  ['i8', scalars.i8, int(8, true)],
  ['bool', scalars.bool, fc.boolean()],
  ['u16', scalars.u16, int(16, false)],
  ['i16', scalars.i16, int(16, true)],
  ['u32', scalars.u32, int(32, false)],
  ['i32', scalars.i32, int(32, true)],
  ['u64', scalars.u64, bigInt(64, false)],
  ['i64', scalars.i64, bigInt(64, true)],
  ['u64n', scalars.u64n, fc.maxSafeNat()],
  ['i64n', scalars.i64n, fc.maxSafeInteger()],
  ['u128', scalars.u128, bigInt(128, false)],
  ['i128', scalars.i128, bigInt(128, true)],
  ['f32', scalars.f32, fc.float()],
  ['f64', scalars.f64, fc.double()],
  ['u16be', scalars.u16be, int(16, false)],
  ['i16be', scalars.i16be, int(16, true)],
  ['u32be', scalars.u32be, int(32, false)],
  ['i32be', scalars.i32be, int(32, true)],
  ['u64be', scalars.u64be, bigInt(64, false)],
  ['i64be', scalars.i64be, bigInt(64, true)],
  ['u64nbe', scalars.u64nbe, fc.maxSafeNat()],
  ['i64nbe', scalars.i64nbe, fc.maxSafeInteger()],
  ['u128be', scalars.u128be, bigInt(128, false)],
  ['i128be', scalars.i128be, bigInt(128, true)],
  ['f32be', scalars.f32be, fc.float()],
  ['f64be', scalars.f64be, fc.double()],
];

describe('a scalar codec', () => {
  test.each(cases)('%s reads back what it wrote, and touches nothing else', (_, codec, values) => {
    fc.assert(
      fc.property(values, fc.integer({ min: 0, max: 5 }), (value, offset) => {
        const bytes = new Uint8Array(offset + codec.size + 3).fill(0xaa);
        const view = new DataView(bytes.buffer);
        codec.write(view, offset, value);
        expect(codec.read(view, offset)).toStrictEqual(value);
        expect(bytes.subarray(0, offset).every((byte) => byte === 0xaa)).toBe(true);
        expect(bytes.subarray(offset + codec.size).every((byte) => byte === 0xaa)).toBe(true);
      }),
    );
  });

  test('covers every codec of the module', () => {
    const codecs = Object.entries(scalars).filter(([, value]) => typeof value === 'object');
    expect(cases.map(([name]) => name).sort()).toEqual(codecs.map(([name]) => name).sort());
  });

  test.each([
    [scalars.u32, scalars.u32be, 0x01020304, [4, 3, 2, 1]],
    [scalars.i64, scalars.i64be, -2n, [0xfe, 255, 255, 255, 255, 255, 255, 255]],
    [scalars.u128, scalars.u128be, 1n, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
  ] as [Codec<unknown>, Codec<unknown>, unknown, number[]][])(
    'writes the other order of bytes when it says be (case %#)',
    (little, big, value, bytes) => {
      const out = new Uint8Array(little.size);
      little.write(new DataView(out.buffer), 0, value);
      expect([...out]).toEqual(bytes);
      big.write(new DataView(out.buffer), 0, value);
      expect([...out]).toEqual(bytes.toReversed());
    },
  );

  test.each([0n, 1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 64n, 2n ** 96n, 2n ** 127n - 1n])(
    'reads 128 bits on either side of where 64 end: %s',
    (value) => {
      const through = (codec: Codec<bigint>, written: bigint) => {
        const view = new DataView(new ArrayBuffer(16));
        codec.write(view, 0, written);
        return codec.read(view, 0, undefined);
      };
      for (const codec of [scalars.u128, scalars.u128be]) expect(through(codec, value)).toBe(value);
      for (const codec of [scalars.i128, scalars.i128be]) {
        for (const signed of [value, -value, -value - 1n]) expect(through(codec, signed)).toBe(signed);
      }
    },
  );

  test('takes any byte but 0 as true', () => {
    const view = new DataView(Uint8Array.of(2, 0).buffer);
    expect([scalars.bool.read(view, 0), scalars.bool.read(view, 1)]).toEqual([true, false]);
  });
});

describe('64 bits as a number', () => {
  const view = new DataView(new ArrayBuffer(8));

  test.each([2n ** 53n, 2n ** 64n - 1n])('refuses to read %s', (value) => {
    scalars.u64.write(view, 0, value);
    expect(() => scalars.u64n.read(view, 0)).toThrow(
      expect.objectContaining({ code: 'ERR_BPF_RANGE', message: expect.stringContaining(`${value}`) }),
    );
  });

  test.each([
    [2n ** 53n - 1n, true],
    [1n - 2n ** 53n, true],
    [-1n, true],
    [-(2n ** 31n) - 1n, true],
    [2n ** 32n, true],
    [-(2n ** 53n), false],
    [-(2n ** 63n), false],
    [2n ** 63n - 1n, false],
  ])('reads %s with a sign: %s', (value, fits) => {
    for (const [wide, number] of [
      [scalars.i64, scalars.i64n],
      [scalars.i64be, scalars.i64nbe],
    ] as const) {
      wide.write(view, 0, value);
      if (fits) expect(number.read(view, 0)).toBe(Number(value));
      else expect(() => number.read(view, 0)).toThrow(`${value} does not fit a number exactly`);
    }
  });

  test.each([0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY])('refuses to write %s', (value) => {
    expect(() => scalars.i64n.write(view, 0, value)).toThrow(
      expect.objectContaining({ code: 'ERR_BPF_RANGE' }),
    );
  });
});
