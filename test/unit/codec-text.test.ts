import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readRestText, text, writeRestText } from '../../runtime/src/codec/text.js';

const read = (bytes: number[], length = bytes.length) =>
  text(length).read(new DataView(Uint8Array.from(bytes).buffer), 0);
const write = (length: number, value: string) => {
  const bytes = new Uint8Array(length).fill(0xff);
  text(length).write(new DataView(bytes.buffer), 0, value);
  return [...bytes];
};

describe('text', () => {
  test.each([
    ['ends at the first NUL', [0x61, 0x62, 0, 0x63], 'ab'],
    ['fills the array when there is no NUL', [0x61, 0x62], 'ab'],
    ['is empty when the first byte is NUL', [0, 0x61], ''],
    ['decodes UTF-8', [0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x90, 0x9d], 'é€🐝'],
    ['keeps a stray byte as a lone surrogate', [0x61, 0xff, 0x62], 'a\udcffb'],
    ['keeps a sequence that the array cuts off', [0xe2, 0x82], '\udce2\udc82'],
    ['keeps overlong forms', [0xc0, 0xaf, 0xe0, 0x80, 0xaf], '\udcc0\udcaf\udce0\udc80\udcaf'],
    ['keeps encoded surrogates', [0xed, 0xa0, 0x80], '\udced\udca0\udc80'],
    ['keeps what lies beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80], '\udcf4\udc90\udc80\udc80'],
  ])('%s', (_, bytes, expected) => {
    expect(read(bytes)).toBe(expected);
  });

  test('gives any bytes up to the first NUL back as they were', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const nul = bytes.indexOf(0);
        const expected = [...bytes].map((byte, at) => (nul >= 0 && at >= nul ? 0 : byte));
        expect(write(bytes.length, read([...bytes]))).toEqual(expected);
      }),
    );
  });

  test('reads names of tasks, which it remembers, as any other text', () => {
    // Few letters, so that the same bytes come again; many values, so that they share places.
    const name = fc.uint8Array({ minLength: 16, maxLength: 16, max: 3 });
    fc.assert(
      fc.property(fc.array(name, { minLength: 100, maxLength: 500 }), (names) => {
        const bytes = Uint8Array.from(names.flatMap((one) => [...one.map((byte) => byte && byte + 0x60)]));
        const view = new DataView(bytes.buffer);
        for (let at = 0; at < bytes.length; at += 16) {
          const expected = read([...bytes.subarray(at, at + 16), 0]);
          expect(text(16).read(view, at)).toBe(expected);
          expect(text(16).read(view, at)).toBe(expected);
        }
      }),
      { numRuns: 20 },
    );
  });

  test('agrees with TextDecoder on well-formed text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 30 }), (value) => {
        fc.pre(!value.includes('\0'));
        const bytes = [...new TextEncoder().encode(value)];
        expect(read(bytes)).toBe(value);
        expect(write(bytes.length, value)).toEqual(bytes);
      }),
    );
  });

  test.each([1, 15, 16, 17, 31, 33, 1021, 1022, 1023, 1024, 1025, 5000])(
    'of %i characters is whole',
    (length) => {
      for (const unit of ['a', 'é', '漢', '😀', '\udcff']) {
        const value = `${'x'.repeat(length - 1)}${unit}`;
        expect(read(write(length + 4, value))).toBe(value);
        expect(read(write(length * 4, unit.repeat(length)))).toBe(unit.repeat(length));
      }
    },
  );

  test('zeroes what it does not fill', () => {
    expect(write(4, 'a')).toEqual([0x61, 0, 0, 0]);
  });

  test.each([
    ['is longer than the array', 'éé', 'text of 4 bytes does not fit char[3]'],
    ['has a NUL inside', 'a\0b', 'NUL inside'],
  ])('refuses text that %s', (_, value, message) => {
    expect(() => write(3, value)).toThrow(
      expect.objectContaining({ code: 'ERR_BPF_RANGE', message: expect.stringContaining(message) }),
    );
  });
});

describe('text that ends a record', () => {
  const view = new DataView(Uint8Array.of(1, 0x61, 0x62, 0x63, 0).buffer);

  test.each([
    [undefined, ''],
    [1, ''],
    [3, 'ab'],
    [5, 'abc'],
  ])('with the end %s is %j', (end, expected) => {
    expect(readRestText(view, 1, end)).toBe(expected);
  });

  test('is written with zeros behind it', () => {
    const bytes = new Uint8Array(5).fill(9);
    writeRestText(new DataView(bytes.buffer), 1, 'x');
    expect([...bytes]).toEqual([9, 0x78, 0, 0, 0]);
  });
});
