import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  bigBits,
  bits,
  putBits,
  putSignedSafeBits,
  safeBits,
  signedBigBits,
  signedBits,
  signedSafeBits,
} from '../../runtime/src/codec/bits.js';

const field = fc
  .record({
    shift: fc.integer({ min: 0, max: 7 }),
    width: fc.integer({ min: 1, max: 64 }),
    little: fc.boolean(),
  })
  .chain(({ shift, width, little }) =>
    fc.record({
      shift: fc.constant(shift),
      width: fc.constant(width),
      little: fc.constant(little),
      value: fc.bigInt({ min: 0n, max: (1n << BigInt(width)) - 1n }),
      around: fc.uint8Array({ minLength: 12, maxLength: 12 }),
    }),
  );

describe('a bitfield', () => {
  test('reads back what was written, whatever its width and place', () => {
    fc.assert(
      fc.property(field, ({ shift, width, little, value, around }) => {
        const view = new DataView(around.slice().buffer);
        putBits(view, 1, shift, width, value, little);
        expect(bigBits(view, 1, shift, width, little)).toBe(value);
        expect(signedBigBits(view, 1, shift, width, little)).toBe(BigInt.asIntN(width, value));
        if (width > 32) {
          const safe = (signed: bigint) => Number.isSafeInteger(Number(signed));
          const given = BigInt.asIntN(width, value);
          if (safe(value)) expect(safeBits(view, 1, shift, width, little)).toBe(Number(value));
          if (!safe(given)) return;
          expect(signedSafeBits(view, 1, shift, width, little)).toBe(Number(given));
          const copy = new DataView(around.slice().buffer);
          putSignedSafeBits(copy, 1, shift, width, Number(given), little);
          expect(copy.buffer).toEqual(view.buffer);
          return;
        }
        expect(bits(view, 1, shift, width, little)).toBe(Number(value));
        expect(signedBits(view, 1, shift, width, little)).toBe(Number(BigInt.asIntN(width, value)));
      }),
    );
  });

  test('leaves the bits around it alone', () => {
    fc.assert(
      fc.property(field, ({ shift, width, little, value, around }) => {
        const view = new DataView(around.slice().buffer);
        const before = bigBits(view, 1, shift, width, little);
        putBits(view, 1, shift, width, value, little);
        putBits(view, 1, shift, width, before, little);
        expect(new Uint8Array(view.buffer)).toEqual(around);
      }),
    );
  });

  // What gcc and clang make of { unsigned a : 3, b : 10, c : 19; } with a = 5, b = 0x2aa, c = 0x12345.
  test.each([
    ['little', true, [0x55, 0xb5, 0x68, 0x24]],
    ['big', false, [0xb5, 0x51, 0x23, 0x45]],
  ])('lies in %s-endian memory where the compiler puts it', (_, little, bytes) => {
    const view = new DataView(Uint8Array.from(bytes).buffer);
    expect(bits(view, 0, 0, 3, little)).toBe(5);
    expect(bits(view, 0, 3, 10, little)).toBe(0x2aa);
    expect(bits(view, 1, 5, 19, little)).toBe(0x12345);
  });

  test('takes the low bits of a value that is too wide, as C does', () => {
    const view = new DataView(new ArrayBuffer(4));
    putBits(view, 0, 2, 3, 0xff, true);
    expect(view.getUint32(0, true)).toBe(0b11100);
  });
});
