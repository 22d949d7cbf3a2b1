import { BpfError } from '../errors.js';
import type { Codec, ManyOf } from './codec.js';
import { roomForNumbers } from './elements.js';

// Names say what the value is: `u32` in an object for little-endian machines, `u32be` in one for big-endian ones.

function scalar<T>(
  size: number,
  read: (view: DataView, offset: number) => T,
  write: (view: DataView, offset: number, value: T) => void,
  many?: ManyOf<T>,
): Codec<T> {
  return many === undefined ? { size, read, write } : { size, read, write, many };
}

/** An integer of at most 31 bits and its sign, of which V8 makes no object. */
function small(
  size: number,
  read: (view: DataView, offset: number) => number,
  write: (view: DataView, offset: number, value: number) => void,
): Codec<number> {
  return scalar(size, read, write, {
    read(view, offset, length) {
      const result = new Array<number>(length);
      for (let i = 0; i < length; i++) result[i] = read(view, offset + i * size);
      return result;
    },
    write(view, offset, values) {
      for (let i = 0; i < values.length; i++) write(view, offset + i * size, values[i] as number);
    },
  });
}

/** `__u8`, `unsigned char`. */
export const u8: Codec<number> = small(
  1,
  (v, o) => v.getUint8(o),
  (v, o, x) => v.setUint8(o, x),
);
/** `__s8`, `signed char`, and a `char` that is not in an array. */
export const i8: Codec<number> = small(
  1,
  (v, o) => v.getInt8(o),
  (v, o, x) => v.setInt8(o, x),
);
/** `bool`: any byte but 0 is true. */
export const bool: Codec<boolean> = scalar(1, (v, o) => v.getUint8(o) !== 0, putBool);

const u16In = (le: boolean): Codec<number> =>
  small(
    2,
    (v, o) => v.getUint16(o, le),
    (v, o, x) => v.setUint16(o, x, le),
  );
const i16In = (le: boolean): Codec<number> =>
  small(
    2,
    (v, o) => v.getInt16(o, le),
    (v, o, x) => v.setInt16(o, x, le),
  );
const u32In = (le: boolean): Codec<number> =>
  scalar(
    4,
    (v, o) => v.getUint32(o, le),
    (v, o, x) => v.setUint32(o, x, le),
    {
      read(v, o, length) {
        const result = roomForNumbers(length);
        for (let i = 0; i < length; i++) result[i] = v.getUint32(o + i * 4, le);
        return result;
      },
      write(v, o, values) {
        for (let i = 0; i < values.length; i++) v.setUint32(o + i * 4, values[i] as number, le);
      },
    },
  );
const i32In = (le: boolean): Codec<number> =>
  small(
    4,
    (v, o) => v.getInt32(o, le),
    (v, o, x) => v.setInt32(o, x, le),
  );
const u64In = (le: boolean): Codec<bigint> =>
  scalar(
    8,
    (v, o) => v.getBigUint64(o, le),
    (v, o, x) => v.setBigUint64(o, x, le),
  );
const i64In = (le: boolean): Codec<bigint> =>
  scalar(
    8,
    (v, o) => v.getBigInt64(o, le),
    (v, o, x) => v.setBigInt64(o, x, le),
  );
const u64nIn = (le: boolean): Codec<number> =>
  scalar(
    8,
    (v, o) => getSafeUint64(v, o, le),
    (v, o, x) => putSafeUint64(v, o, x, le),
    {
      read(v, o, length) {
        const result = roomForNumbers(length);
        for (let i = 0; i < length; i++) result[i] = getSafeUint64(v, o + i * 8, le);
        return result;
      },
      write(v, o, values) {
        for (let i = 0; i < values.length; i++) putSafeUint64(v, o + i * 8, values[i] as number, le);
      },
    },
  );
const i64nIn = (le: boolean): Codec<number> =>
  scalar(
    8,
    (v, o) => getSafeInt64(v, o, le),
    (v, o, x) => putSafeInt64(v, o, x, le),
    {
      read(v, o, length) {
        const result = roomForNumbers(length);
        for (let i = 0; i < length; i++) result[i] = getSafeInt64(v, o + i * 8, le);
        return result;
      },
      write(v, o, values) {
        for (let i = 0; i < values.length; i++) putSafeInt64(v, o + i * 8, values[i] as number, le);
      },
    },
  );
const u128In = (le: boolean): Codec<bigint> =>
  scalar(
    16,
    (v, o) => getUint128(v, o, le),
    (v, o, x) => putInt128(v, o, x, le),
  );
const i128In = (le: boolean): Codec<bigint> =>
  scalar(
    16,
    (v, o) => getInt128(v, o, le),
    (v, o, x) => putInt128(v, o, x, le),
  );
const f32In = (le: boolean): Codec<number> =>
  scalar(
    4,
    (v, o) => v.getFloat32(o, le),
    (v, o, x) => putFloat32(v, o, x, le),
    {
      read(v, o, length) {
        const result = roomForNumbers(length);
        for (let i = 0; i < length; i++) result[i] = v.getFloat32(o + i * 4, le);
        return result;
      },
      write(v, o, values) {
        // As putFloat32, without the call: a fraction is boxed for each.
        for (let i = 0; i < values.length; i++) {
          // Of an element that is none, too, which it must not look for.
          const x = +(values[i] as number);
          const at = o + i * 4;
          if (!(Number.isNaN(x) && Number.isNaN(v.getFloat32(at, le)))) v.setFloat32(at, x, le);
        }
      },
    },
  );
const f64In = (le: boolean): Codec<number> =>
  scalar(
    8,
    (v, o) => v.getFloat64(o, le),
    (v, o, x) => putFloat64(v, o, x, le),
    {
      read(v, o, length) {
        const result = roomForNumbers(length);
        for (let i = 0; i < length; i++) result[i] = v.getFloat64(o + i * 8, le);
        return result;
      },
      write(v, o, values) {
        // As putFloat64, without the call: a fraction is boxed for each.
        for (let i = 0; i < values.length; i++) {
          // Of an element that is none, too, which it must not look for.
          const x = +(values[i] as number);
          const at = o + i * 8;
          if (!(Number.isNaN(x) && Number.isNaN(v.getFloat64(at, le)))) v.setFloat64(at, x, le);
        }
      },
    },
  );

/** `__u16`. */ export const u16 = u16In(true);
/** `__s16`. */ export const i16 = i16In(true);
/** `__u32`. */ export const u32 = u32In(true);
/** `__s32`. */ export const i32 = i32In(true);
/** `__u64`, and every pointer. */ export const u64 = u64In(true);
/** `__s64`. */ export const i64 = i64In(true);
/** `__u64` as a number; values beyond 2^53 throw. */ export const u64n = u64nIn(true);
/** `__s64` as a number; values beyond 2^53 throw. */ export const i64n = i64nIn(true);
/** `unsigned __int128`. */ export const u128 = u128In(true);
/** `__int128`. */ export const i128 = i128In(true);
/** `float`. */ export const f32 = f32In(true);
/** `double`. */ export const f64 = f64In(true);

/** Big-endian {@link u16}. */ export const u16be = u16In(false);
/** Big-endian {@link i16}. */ export const i16be = i16In(false);
/** Big-endian {@link u32}. */ export const u32be = u32In(false);
/** Big-endian {@link i32}. */ export const i32be = i32In(false);
/** Big-endian {@link u64}. */ export const u64be = u64In(false);
/** Big-endian {@link i64}. */ export const i64be = i64In(false);
/** Big-endian {@link u64n}. */ export const u64nbe = u64nIn(false);
/** Big-endian {@link i64n}. */ export const i64nbe = i64nIn(false);
/** Big-endian {@link u128}. */ export const u128be = u128In(false);
/** Big-endian {@link i128}. */ export const i128be = i128In(false);
/** Big-endian {@link f32}. */ export const f32be = f32In(false);
/** Big-endian {@link f64}. */ export const f64be = f64In(false);

/**
 * A 64-bit value as a number.
 * @throws BpfError `ERR_BPF_RANGE` when a number cannot hold it exactly
 */
export function safeNumber(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) {
    throw new BpfError(
      'ERR_BPF_RANGE',
      `${value} does not fit a number exactly; generate the skeleton with --u64 bigint to read it`,
    );
  }
  return number;
}

/**
 * A number as the 64-bit value to store.
 * @throws BpfError `ERR_BPF_RANGE` unless it is an integer of at most 53 bits
 */
export function safeBigint(value: number): bigint {
  if (!Number.isSafeInteger(value)) {
    throw new BpfError('ERR_BPF_RANGE', `${value} is not an integer that a number holds exactly`);
  }
  return BigInt(value);
}

/**
 * The same of a value without sign.
 * @throws BpfError `ERR_BPF_RANGE` also when it is negative: stored, it would be one that no number holds
 */
export function safeBiguint(value: number): bigint {
  if (value < 0) {
    throw new BpfError('ERR_BPF_RANGE', `${value} is negative, and what it is stored in has no sign`);
  }
  return safeBigint(value);
}

const WORD = 2 ** 32;
/** From here on the upper half makes more than a number holds exactly. */
const SAFE = 2 ** 21;

/**
 * A 64-bit value without a sign as a number. No bigint is made on the way.
 * @throws BpfError `ERR_BPF_RANGE` when a number cannot hold it exactly
 */
export function getSafeUint64(view: DataView, offset: number, littleEndian: boolean): number {
  const high = view.getUint32(littleEndian ? offset + 4 : offset, littleEndian);
  if (high >= SAFE) return safeNumber(view.getBigUint64(offset, littleEndian));
  const low = view.getUint32(littleEndian ? offset : offset + 4, littleEndian);
  return high === 0 ? low : high * WORD + low;
}

/** {@link getSafeUint64} of a value with a sign. */
export function getSafeInt64(view: DataView, offset: number, littleEndian: boolean): number {
  const high = view.getInt32(littleEndian ? offset + 4 : offset, littleEndian);
  // -2^53 itself is none of the numbers that are one integer alone.
  if (high >= SAFE || high <= -SAFE) return safeNumber(view.getBigInt64(offset, littleEndian));
  const low = view.getInt32(littleEndian ? offset : offset + 4, littleEndian);
  return high === low >> 31 ? low : high * WORD + (low >>> 0);
}

/**
 * Stores a number as a 64-bit value.
 * @throws BpfError `ERR_BPF_RANGE` unless it is an integer of at most 53 bits
 */
export function putSafeInt64(view: DataView, offset: number, value: number, littleEndian: boolean): void {
  if (!Number.isSafeInteger(value)) safeBigint(value);
  view.setUint32(littleEndian ? offset : offset + 4, value, littleEndian);
  view.setInt32(littleEndian ? offset + 4 : offset, Math.floor(value / WORD), littleEndian);
}

/**
 * The same of a value without sign.
 * @throws BpfError `ERR_BPF_RANGE` also when it is negative
 */
export function putSafeUint64(view: DataView, offset: number, value: number, littleEndian: boolean): void {
  if (value < 0) safeBiguint(value);
  putSafeInt64(view, offset, value, littleEndian);
}

// A bigint of 64 bits is made at once, a larger one of bigints that are left behind. By way of a string in hex it would
// leave a third less behind, and take five times as long. The upper half often is what it was in the value before.
const upper = { first: 0, second: 0, signed: false, littleEndian: true, value: 0n };

/** The upper 64 of 128 bits, in their place. */
function upperHalf(view: DataView, offset: number, littleEndian: boolean, signed: boolean): bigint {
  const first = view.getInt32(offset);
  const second = view.getInt32(offset + 4);
  const isKnown =
    upper.first === first &&
    upper.second === second &&
    upper.signed === signed &&
    upper.littleEndian === littleEndian;
  if (isKnown) return upper.value;
  const half = signed ? view.getBigInt64(offset, littleEndian) : view.getBigUint64(offset, littleEndian);
  upper.first = first;
  upper.second = second;
  upper.signed = signed;
  upper.littleEndian = littleEndian;
  upper.value = half << 64n;
  return upper.value;
}

/** The `unsigned __int128` at byte `offset`. */
export function getUint128(view: DataView, offset: number, littleEndian: boolean): bigint {
  const low = littleEndian ? offset : offset + 8;
  const high = littleEndian ? offset + 8 : offset;
  return upperBits(view, high) === 0
    ? view.getBigUint64(low, littleEndian)
    : upperHalf(view, high, littleEndian, false) | view.getBigUint64(low, littleEndian);
}

/** The `__int128` at byte `offset`. */
export function getInt128(view: DataView, offset: number, littleEndian: boolean): bigint {
  const low = littleEndian ? offset : offset + 8;
  const high = littleEndian ? offset + 8 : offset;
  const sign = view.getUint8(low + (littleEndian ? 7 : 0)) < 0x80 ? 0 : -1;
  return upperBits(view, high) === sign
    ? view.getBigInt64(low, littleEndian)
    : upperHalf(view, high, littleEndian, true) | view.getBigUint64(low, littleEndian);
}

/** 0 or -1 when all of 64 bits are so, else another number. */
function upperBits(view: DataView, offset: number): number {
  const word = view.getInt32(offset);
  return word === view.getInt32(offset + 4) && (word === 0 || word === -1) ? word : 1;
}

const AT_LEAST = -(2n ** 63n);
const BELOW = 2n ** 64n;

/** Stores the low 128 bits of `value` at byte `offset`. */
export function putInt128(view: DataView, offset: number, value: bigint, littleEndian: boolean): void {
  // The low 64 bits of what it is given are all that this stores.
  view.setBigUint64(littleEndian ? offset : offset + 8, value, littleEndian);
  const high = littleEndian ? offset + 8 : offset;
  if (value >= AT_LEAST && value < BELOW) {
    const sign = value < 0n ? -1 : 0;
    view.setInt32(high, sign);
    view.setInt32(high + 4, sign);
  } else view.setBigUint64(high, value >> 64n, littleEndian);
}

// Several bytes mean true, and several NaN. What means that already stays: another arm of a union may know it better.

/** Stores a `bool` at byte `offset`. */
export function putBool(view: DataView, offset: number, value: boolean): void {
  view.setUint8(offset, value ? view.getUint8(offset) || 1 : 0);
}

/** Stores a `float` at byte `offset`. */
export function putFloat32(view: DataView, offset: number, value: number, littleEndian: boolean): void {
  if (Number.isNaN(value) && Number.isNaN(view.getFloat32(offset, littleEndian))) return;
  view.setFloat32(offset, value, littleEndian);
}

/** Stores a `double` at byte `offset`. */
export function putFloat64(view: DataView, offset: number, value: number, littleEndian: boolean): void {
  if (Number.isNaN(value) && Number.isNaN(view.getFloat64(offset, littleEndian))) return;
  view.setFloat64(offset, value, littleEndian);
}
