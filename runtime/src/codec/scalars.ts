import { BpfError } from '../errors.js';
import type { Codec } from './codec.js';

// Names say what the value is: `u32` in an object for little-endian machines, `u32be` in one for big-endian ones.

function scalar<T>(
  size: number,
  read: (view: DataView, offset: number) => T,
  write: (view: DataView, offset: number, value: T) => void,
): Codec<T> {
  return { size, read, write };
}

/** `__u8`, `unsigned char`. */
export const u8: Codec<number> = scalar(
  1,
  (v, o) => v.getUint8(o),
  (v, o, x) => v.setUint8(o, x),
);
/** `__s8`, `signed char`, and a `char` that is not in an array. */
export const i8: Codec<number> = scalar(
  1,
  (v, o) => v.getInt8(o),
  (v, o, x) => v.setInt8(o, x),
);
/** `bool`: any byte but 0 is true. */
export const bool: Codec<boolean> = scalar(1, (v, o) => v.getUint8(o) !== 0, putBool);

const u16In = (le: boolean): Codec<number> =>
  scalar(
    2,
    (v, o) => v.getUint16(o, le),
    (v, o, x) => v.setUint16(o, x, le),
  );
const i16In = (le: boolean): Codec<number> =>
  scalar(
    2,
    (v, o) => v.getInt16(o, le),
    (v, o, x) => v.setInt16(o, x, le),
  );
const u32In = (le: boolean): Codec<number> =>
  scalar(
    4,
    (v, o) => v.getUint32(o, le),
    (v, o, x) => v.setUint32(o, x, le),
  );
const i32In = (le: boolean): Codec<number> =>
  scalar(
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
    (v, o) => safeNumber(v.getBigUint64(o, le)),
    (v, o, x) => v.setBigUint64(o, safeBiguint(x), le),
  );
const i64nIn = (le: boolean): Codec<number> =>
  scalar(
    8,
    (v, o) => safeNumber(v.getBigInt64(o, le)),
    (v, o, x) => v.setBigInt64(o, safeBigint(x), le),
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
  );
const f64In = (le: boolean): Codec<number> =>
  scalar(
    8,
    (v, o) => v.getFloat64(o, le),
    (v, o, x) => putFloat64(v, o, x, le),
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

/** The `unsigned __int128` at byte `offset`. */
export function getUint128(view: DataView, offset: number, littleEndian: boolean): bigint {
  const [low, high] = littleEndian ? LOW_FIRST : HIGH_FIRST;
  const rest = view.getBigUint64(offset + low, littleEndian);
  return upperBits(view, offset + high) === 0
    ? rest
    : (view.getBigUint64(offset + high, littleEndian) << 64n) | rest;
}

/** The `__int128` at byte `offset`. */
export function getInt128(view: DataView, offset: number, littleEndian: boolean): bigint {
  const [low, high] = littleEndian ? LOW_FIRST : HIGH_FIRST;
  const sign = view.getUint8(offset + low + (littleEndian ? 7 : 0)) < 0x80 ? 0 : -1;
  return upperBits(view, offset + high) === sign
    ? view.getBigInt64(offset + low, littleEndian)
    : (view.getBigInt64(offset + high, littleEndian) << 64n) | view.getBigUint64(offset + low, littleEndian);
}

// Where the halves of 128 bits lie. A bigint of 64 bits is made at once; a larger one leaves its parts behind.
const LOW_FIRST = [0, 8] as const;
const HIGH_FIRST = [8, 0] as const;

/** 0 or -1 when all of 64 bits are so, else another number. */
function upperBits(view: DataView, offset: number): number {
  const word = view.getInt32(offset);
  return word === view.getInt32(offset + 4) && (word === 0 || word === -1) ? word : 1;
}

/** Stores the low 128 bits of `value` at byte `offset`. */
export function putInt128(view: DataView, offset: number, value: bigint, littleEndian: boolean): void {
  const low = BigInt.asUintN(64, value);
  const high = BigInt.asUintN(64, value >> 64n);
  view.setBigUint64(offset, littleEndian ? low : high, littleEndian);
  view.setBigUint64(offset + 8, littleEndian ? high : low, littleEndian);
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
