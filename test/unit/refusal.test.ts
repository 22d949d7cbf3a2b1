import { isBpfError } from '@bpfskel/runtime';
import { arrayOf, type Codec, struct, text, u8, u32, u64, union } from '@bpfskel/runtime/codegen/v1';
import { fakeKernel } from '@bpfskel/runtime/testing';
import { describe, expect, it } from 'vitest';
import { xdp_kern } from '../../examples/xdp/xdp.skel.js';
import { explained } from '../../runtime/src/codec/refusal.js';
import { live_globals } from '../golden/live_globals/expected.skel.js';
import { Far, u64_number } from '../golden/u64_number/expected.skel.js';

// A value that cannot be written: which part of it is wrong, and where it was to go. TypeScript refuses most of these, and
// JavaScript does not.

interface Inner {
  name: string;
  bytes: number[];
}
const names = arrayOf(text(4), 2);
const octets = arrayOf(u8, 3);
const Inner: Codec<Inner> = struct(
  7,
  (v, o) => ({ name: text(4).read(v, o), bytes: octets.read(v, o + 4) }),
  (v, o, x) => {
    text(4).write(v, o, x.name);
    octets.write(v, o + 4, x.bytes);
  },
);
interface Outer {
  id: number;
  total: bigint;
  inner: Inner[];
}
const inners = arrayOf(Inner, 2);
const Outer: Codec<Outer> = struct(
  26,
  (v, o) => ({ id: u32.read(v, o), total: u64.read(v, o + 4), inner: inners.read(v, o + 12) }),
  (v, o, x) => {
    u32.write(v, o, x.id);
    u64.write(v, o + 4, x.total);
    inners.write(v, o + 12, x.inner);
  },
);
const Either = union<{ a: number; b: number }, 'a' | 'b'>(
  4,
  (v, o) => ({ a: v.getUint32(o, true), b: v.getUint16(o, true) }),
  (v, o, x) => {
    if (x.a !== undefined) v.setUint32(o, x.a, true);
    if (x.b !== undefined) v.setUint16(o, x.b, true);
  },
);

const inner = (): Inner => ({ name: 'abc', bytes: [1, 2, 3] });
const outer = (change: object): unknown => ({ id: 1, total: 2n, inner: [inner(), inner()], ...change });

function message(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return isBpfError(error) ? `${error.code}: ${error.message}` : `not ours: ${error}`;
  }
  return 'nothing was thrown';
}
const refused = (codec: Codec<unknown>, value: unknown) =>
  message(() => explained(codec, 'it').write(new DataView(new ArrayBuffer(64)), 0, value));

describe('what is wrong with a value is said of', () => {
  it.each<[string, Codec<unknown>, unknown, string]>([
    ['a field that is missing', Outer, outer({ total: undefined }), 'ERR_BPF_ARGUMENT: it: total is missing'],
    ['the value itself', Outer, undefined, 'ERR_BPF_ARGUMENT: it: undefined is no value'],
    ['null', Outer, outer({ inner: null }), 'ERR_BPF_ARGUMENT: it: inner: null is no value'],
    [
      'a number for 64 bits',
      Outer,
      outer({ total: 7 }),
      'ERR_BPF_ARGUMENT: it: total: 7 is a number, and has to be a bigint: 7n',
    ],
    ['a number for a struct', Outer, 5, 'ERR_BPF_ARGUMENT: it: 5 is a number, and has to be an object'],
    [
      'a text for a list',
      Outer,
      outer({ inner: [inner(), 'abc'] }),
      'ERR_BPF_ARGUMENT: it: inner[1]: abc is a string, and has to be an object',
    ],
    [
      'a fraction for 64 bits',
      Outer,
      outer({ total: 0.5 }),
      'ERR_BPF_ARGUMENT: it: total: 0.5 is a number, and has to be a bigint',
    ],
    [
      'a bigint for 32 bits',
      Outer,
      outer({ id: 7n }),
      'ERR_BPF_ARGUMENT: it: id: 7n is a bigint, and has to be a number',
    ],
    ['a bare value', u64, 7, 'ERR_BPF_ARGUMENT: it: 7 is a number, and has to be a bigint: 7n'],
    [
      'a text that is too long, inside',
      Outer,
      outer({ inner: [inner(), { ...inner(), name: 'abcde' }] }),
      'ERR_BPF_RANGE: it: inner[1].name: text of 5 bytes does not fit char[4]',
    ],
    [
      'an array of another length',
      Outer,
      outer({ inner: [{ ...inner(), bytes: [1] }, inner()] }),
      'ERR_BPF_RANGE: it: inner[0].bytes: an array of 3 elements was given 1',
    ],
    ['an element', names, ['a', 'abcdef'], 'ERR_BPF_RANGE: it: [1]: text of 6 bytes does not fit char[4]'],
    [
      'something inside of what is frozen',
      Outer,
      Object.freeze(outer({ inner: Object.freeze([Object.freeze({ ...inner(), name: 'abcde' }), inner()]) })),
      'ERR_BPF_RANGE: it: inner[0].name: text of 5 bytes does not fit char[4]',
    ],
  ])('%s', (_of, codec, value, expected) => {
    expect(refused(codec, value)).toBe(expected);
  });

  it('arms that disagree', () => {
    expect(refused(Either, { a: 1, b: 2 })).toMatch(/^ERR_BPF_UNION: it: union arm "a" was given as 1 but/);
  });

  it('names that speak to a terminal', () => {
    const codec = struct<object>(
      8,
      () => ({}),
      (v, o, x) => v.setBigUint64(o, Reflect.get(x, '\u001b[2J'), true),
    );
    expect(refused(codec, { '\u001b[2J': 1 })).toContain('it: \\u{1b}[2J: 1 is a number');
  });

  it('a codec of a class, which stays as it is', () => {
    class Own {
      readonly size = 1;
      read = () => 1;
      write = () => undefined;
    }
    const own = new Own();
    expect(explained(own, 'it')).toBe(own);
  });
});

describe('the value', () => {
  it('of a map is named, and its key', () => {
    using skel = u64_number.openAndLoad({ kernel: fakeKernel() });
    const counters = { packets: 1, drift: 1, part: 1, pointer: 1n, far: Far.NEAR, far_bits: Far.NEAR };
    const wrong = { ...counters, pointer: 1 as never };
    const sentence = 'ERR_BPF_ARGUMENT: value of map "m": pointer: 1 is a number, and has to be a bigint: 1n';
    expect(message(() => skel.maps.m.set(1, wrong))).toBe(sentence);
    expect(message(() => skel.maps.m.setMany([[1, wrong]]))).toBe(sentence);
    expect(message(() => skel.maps.m.get(0.5))).toBe(
      'ERR_BPF_RANGE: key of map "m": 0.5 is not an integer that a number holds exactly',
    );
    expect(skel.maps.m.set(1, counters).get(1)).toEqual(counters);
  });

  it('of one of several CPUs is named', () => {
    using skel = xdp_kern.openAndLoad({ kernel: fakeKernel({ cpus: 2 }) });
    const values = [{ packets: 1n, bytes: 1n }, { packets: 1n }] as never;
    expect(message(() => skel.maps.by_protocol.set(0, values))).toBe(
      'ERR_BPF_ARGUMENT: value of map "by_protocol": bytes is missing',
    );
  });

  it('of a variable is named by its path', () => {
    using open = live_globals.open();
    expect(message(() => (open.rodata.config.mode = 1n as never))).toBe(
      'ERR_BPF_ARGUMENT: set rodata.config.mode: 1n is a bigint, and has to be a number',
    );
  });

  it('that no number holds is named when it is read', () => {
    using skel = u64_number.openAndLoad({ kernel: fakeKernel() });
    const sentence =
      '9223372036854775808 does not fit a number exactly; generate the skeleton with --u64 bigint to read it';
    skel.maps.m.setBytes(1, Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 128, ...new Uint8Array(40)));
    expect(Far.NEAR).toBe(0n);
    expect(message(() => skel.maps.m.get(1))).toBe(`ERR_BPF_RANGE: read map "m": ${sentence}`);
    expect(message(() => [...skel.maps.m])).toBe(`ERR_BPF_RANGE: read map "m": ${sentence}`);
  });
});
