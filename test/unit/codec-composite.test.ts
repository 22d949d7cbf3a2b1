import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arrayOf, readRest, writeRest } from '../../runtime/src/codec/array.js';
import type { Codec } from '../../runtime/src/codec/codec.js';
import { bytes, decodeBase64, raw } from '../../runtime/src/codec/raw.js';
import { putBool, putFloat32, u8, u16, u32 } from '../../runtime/src/codec/scalars.js';
import { type OneArm, sizeOf, struct, type UnionCodec, union } from '../../runtime/src/codec/struct.js';
import { cstring, putCstring, textSize } from '../../runtime/src/codec/text.js';
import { Either } from '../golden/flexible/expected.skel.js';

const through = <T>(codec: Codec<T>, value: T): T => {
  const view = new DataView(new ArrayBuffer(codec.size));
  codec.write(view, 0, value);
  return codec.read(view, 0, codec.size);
};
const outOfRange = expect.objectContaining({ code: 'ERR_BPF_RANGE' });

describe('an array', () => {
  test('reads back what it wrote, nested too', () => {
    const value = fc.array(fc.array(fc.nat(0xffff), { minLength: 3, maxLength: 3 }), {
      minLength: 2,
      maxLength: 2,
    });
    fc.assert(
      fc.property(value, (rows) => {
        expect(through(arrayOf(arrayOf(u16, 3), 2), rows)).toEqual(rows);
      }),
    );
  });

  test.each([[[1]], [[1, 2, 3]]])('of two elements refuses %j', (value) => {
    expect(() => through(arrayOf(u32, 2), value)).toThrow(outOfRange);
  });
});

describe('a flexible array', () => {
  const view = new DataView(Uint8Array.of(9, 1, 2, 3, 4, 5).buffer);

  test.each([
    ['has no element when nothing bounds it', undefined, []],
    ['has every whole element before the end', 6, [0x0201, 0x0403]],
    ['is empty when the end comes first', 0, []],
  ])('%s', (_, end, expected) => {
    expect(readRest(view, 1, u16, end)).toEqual(expected);
  });

  test('takes as many elements as there is room for', () => {
    const out = new DataView(new ArrayBuffer(4));
    writeRest(out, 1, u8, [7, 8]);
    expect([...new Uint8Array(out.buffer)]).toEqual([0, 7, 8, 0]);
    expect(() => writeRest(out, 1, u8, [1, 2, 3, 4])).toThrow(outOfRange);
  });
});

describe('a union of flexible arrays', () => {
  const encode = (value: Either) => {
    const bytes = new Uint8Array(sizeOf(Either, value));
    Either.write(new DataView(bytes.buffer), 0, value);
    return bytes;
  };

  test.each([
    [{ kind: 1, numbers: [0x64636261, 0x65] }, { name: 'abcde' }, 12],
    [{ kind: 2, name: 'abc' }, { numbers: [0x636261] }, 8],
    [{ kind: 2, name: 'a' }, { numbers: [] }, 6],
    // A NUL for the text, of which nobody can tell that it was not meant.
    [{ kind: 3, numbers: [] }, { name: '' }, 5],
  ])('is as long as the arm of %j', (given, other, length) => {
    const value = Either.of(given);
    expect(value).toEqual({ ...given, ...other });
    const bytes = encode(value);
    expect(Either.read(new DataView(bytes.buffer), 0, bytes.length)).toEqual(value);
    expect(bytes.length).toBe(length);
  });

  test('takes only what was given', () => {
    const given: OneArm<Either, 'name'> = { kind: 3, numbers: [1, 2] };
    expect([sizeOf(Either, given as Either), sizeOf(Either, { kind: 1, name: 'abcd' } as Either)]).toEqual([
      12, 9,
    ]);
  });
});

describe('bytes without a type', () => {
  test('are copied, not shared', () => {
    const memory = Uint8Array.of(1, 2, 3);
    const copy = bytes(2).read(new DataView(memory.buffer), 1);
    memory.fill(0);
    expect([...copy]).toEqual([2, 3]);
  });

  test('must have the right length', () => {
    expect(() => through(bytes(2), Uint8Array.of(1))).toThrow(outOfRange);
  });

  test('of a record reach to its end', () => {
    const view = new DataView(Uint8Array.of(1, 2, 3, 4).buffer);
    expect([...raw.read(view, 1, 3)]).toEqual([2, 3]);
    expect([...raw.read(view, 1)]).toEqual([2, 3, 4]);
    expect(() => raw.write(view, 3, Uint8Array.of(1, 2))).toThrow(outOfRange);
  });

  test('come out of base64 as a plain Uint8Array', () => {
    const decoded = decodeBase64('f0VMRgI=');
    expect(decoded.constructor).toBe(Uint8Array);
    expect([...decoded]).toEqual([0x7f, 0x45, 0x4c, 0x46, 2]);
  });
});

interface Addr {
  v4: number;
  v6: number[];
  name: string;
}
const Addr: UnionCodec<Addr> = union(
  16,
  (v, o) => ({ v4: v.getUint32(o, true), v6: arrayOf(u8, 16).read(v, o), name: cstring(v, o, 8) }),
  (v, o, x) => {
    if (x.name !== undefined) putCstring(v, o, 8, x.name);
    if (x.v4 !== undefined) v.setUint32(o, x.v4, true);
    if (x.v6 !== undefined) arrayOf(u8, 16).write(v, o, x.v6);
  },
);

describe('a union', () => {
  test('gives every arm of the same bytes', () => {
    expect(Addr.of({ v4: 0x6162 })).toEqual({
      v4: 0x6162,
      v6: [0x62, 0x61, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      name: 'ba',
    });
  });

  test('that was read can be written, whatever its bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (memory) => {
        const out = new DataView(new ArrayBuffer(16));
        Addr.write(out, 0, Addr.read(new DataView(memory.slice().buffer), 0));
        expect(new Uint8Array(out.buffer)).toEqual(memory);
      }),
    );
  });

  test('refuses arms that contradict each other, by name', () => {
    const value = { ...Addr.of({ v4: 1 }), v4: 2 };
    expect(() => through(Addr, value)).toThrow(
      expect.objectContaining({
        code: 'ERR_BPF_UNION',
        message: expect.stringContaining('"v4" was given as 2 but reads back as 1'),
      }),
    );
  });

  test('keeps what one arm has behind the NUL, the true or in the NaN of another', () => {
    interface Mixed {
      named: { name: string; id: number };
      numbered: { id: number; name: string };
      real: { real: number; flag: boolean };
    }
    const named = struct<Mixed['named']>(
      8,
      (v, o) => ({ name: cstring(v, o, 4), id: v.getUint32(o + 4, true) }),
      (v, o, x) => {
        putCstring(v, o, 4, x.name);
        v.setUint32(o + 4, x.id, true);
      },
    );
    const numbered = struct<Mixed['numbered']>(
      8,
      (v, o) => ({ id: v.getUint32(o, true), name: cstring(v, o + 4, 4) }),
      (v, o, x) => {
        v.setUint32(o, x.id, true);
        putCstring(v, o + 4, 4, x.name);
      },
    );
    const real = struct<Mixed['real']>(
      8,
      (v, o) => ({ real: v.getFloat32(o, true), flag: v.getUint8(o + 7) !== 0 }),
      (v, o, x) => {
        putFloat32(v, o, x.real, true);
        putBool(v, o + 7, x.flag);
      },
    );
    const Mixed: UnionCodec<Mixed> = union(
      8,
      (v, o) => ({ named: named.read(v, o), numbered: numbered.read(v, o), real: real.read(v, o) }),
      (v, o, x) => {
        if (x.named !== undefined) named.write(v, o, x.named);
        if (x.numbered !== undefined) numbered.write(v, o, x.numbered);
        if (x.real !== undefined) real.write(v, o, x.real);
      },
    );
    const bytes = fc.array(fc.constantFrom(0, 1, 65, 0x7f, 0xc0, 0xff), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(bytes, (memory) => {
        const out = new DataView(new ArrayBuffer(8));
        Mixed.write(out, 0, Mixed.read(new DataView(Uint8Array.from(memory).buffer), 0));
        expect([...new Uint8Array(out.buffer)]).toEqual(memory);
      }),
      { numRuns: 1000 },
    );
    expect(Mixed.of({ named: { name: 'a', id: 66 } }).numbered).toEqual({ id: 97, name: 'B' });
  });

  test('inside a struct is given by one arm, too', () => {
    interface Key {
      port: number;
      addr: Addr;
    }
    const Key: Codec<Key> = struct(
      20,
      (v, o) => ({ port: v.getUint16(o, true), addr: Addr.read(v, o + 4) }),
      (v, o, x) => {
        v.setUint16(o, x.port, true);
        Addr.write(v, o + 4, x.addr);
      },
    );
    const key = { port: 80, addr: Addr.of({ name: 'hi' }) };
    expect(through(Key, key)).toEqual(key);
  });
});

describe('a struct that ends in a flexible array', () => {
  test('says how many bytes a value takes, padding included', () => {
    const codec = struct<{ data: number[] }>(
      8,
      (v, o, end) => ({ data: readRest(v, o + 6, u8, end) }),
      (v, o, x) => writeRest(v, o + 6, u8, x.data),
      undefined,
      (x) => 6 + x.data.length,
    );
    expect([0, 2, 3].map((length) => codec.sizeOf?.({ data: new Array(length).fill(0) }))).toEqual([8, 8, 9]);
    expect(sizeOf(codec, { data: [1, 2, 3] })).toBe(9);
    expect(sizeOf(u32, 1)).toBe(4);
  });

  test.each([
    ['', 1],
    ['abc', 4],
    ['é\udcff', 4],
  ])('counts the NUL of %j', (value, size) => expect(textSize(value)).toBe(size));
});
