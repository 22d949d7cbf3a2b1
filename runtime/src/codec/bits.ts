import { getSafeInt64, getSafeUint64, putSafeInt64, putSafeUint64 } from './scalars.js';

// Bitfields. `offset` is the byte that holds the first bit and `shift` (0-7) that bit's number in the byte, counted
// from the least significant bit in little-endian objects and from the most significant one in big-endian objects,
// as BTF does. `width` is in bits.

/** An unsigned bitfield of at most 32 bits. */
export function bits(
  view: DataView,
  offset: number,
  shift: number,
  width: number,
  littleEndian: boolean,
): number {
  const value = word(view, offset, shift, width, littleEndian);
  return width === 32 ? value >>> 0 : value & (2 ** width - 1);
}

/**
 * At most 32 bits, from the least significant on; what is above them is not cleared. As a number with a sign, which V8
 * does not box on its way out of here.
 */
function word(view: DataView, offset: number, shift: number, width: number, littleEndian: boolean): number {
  const count = (shift + width + 7) >> 3;
  const below = littleEndian ? shift : count * 8 - shift - width;
  let value = 0;
  // Of five bytes the most significant one comes by itself.
  for (let i = Math.max(0, count - 4); i < count; i++) {
    value = (value << 8) | view.getUint8(offset + (littleEndian ? count - 1 - i : i));
  }
  if (count <= 4) return value >> below;
  const top = view.getUint8(littleEndian ? offset + count - 1 : offset);
  return (value >>> below) | (top << (32 - below));
}

/** A signed bitfield of at most 32 bits. */
export function signedBits(
  view: DataView,
  offset: number,
  shift: number,
  width: number,
  littleEndian: boolean,
): number {
  return (word(view, offset, shift, width, littleEndian) << (32 - width)) >> (32 - width);
}

/** Where the two halves of a 64-bit value become one bigint, without others on the way. */
const halves = new DataView(new ArrayBuffer(8));

/** An unsigned bitfield of any width. */
export function bigBits(
  view: DataView,
  offset: number,
  shift: number,
  width: number,
  littleEndian: boolean,
): bigint {
  readHalves(view, offset, shift, width, littleEndian);
  return halves.getBigUint64(0, true);
}

/** A signed bitfield of any width. */
export function signedBigBits(
  view: DataView,
  offset: number,
  shift: number,
  width: number,
  littleEndian: boolean,
): bigint {
  readSigned(view, offset, shift, width, littleEndian);
  return halves.getBigInt64(0, true);
}

/** The low `width` bits alone. */
function masked(value: number, width: number): number {
  return width === 32 ? value : value & (2 ** width - 1);
}

function readSigned(
  view: DataView,
  offset: number,
  shift: number,
  width: number,
  littleEndian: boolean,
): void {
  readHalves(view, offset, shift, width, littleEndian);
  const high = halves.getUint32(4, true);
  if (width <= 32) {
    const low = halves.getUint32(0, true) << (32 - width);
    halves.setInt32(0, low >> (32 - width), true);
    halves.setInt32(4, low >> 31, true);
  } else halves.setInt32(4, (high << (64 - width)) >> (64 - width), true);
}

/**
 * An unsigned bitfield of more than 32 bits as a number.
 * @throws BpfError `ERR_BPF_RANGE` when a number cannot hold it exactly
 */
export function safeBits(
  view: DataView,
  offset: number,
  shift: number,
  width: number,
  littleEndian: boolean,
): number {
  readHalves(view, offset, shift, width, littleEndian);
  return getSafeUint64(halves, 0, true);
}

/** {@link safeBits} of a signed bitfield. */
export function signedSafeBits(
  view: DataView,
  offset: number,
  shift: number,
  width: number,
  littleEndian: boolean,
): number {
  readSigned(view, offset, shift, width, littleEndian);
  return getSafeInt64(halves, 0, true);
}

/**
 * Stores a number in an unsigned bitfield of more than 32 bits.
 * @throws BpfError `ERR_BPF_RANGE` unless it is an integer of at most 53 bits that is not negative
 */
export function putSafeBits(
  view: DataView,
  offset: number,
  shift: number,
  width: number,
  value: number,
  littleEndian: boolean,
): void {
  putSafeUint64(halves, 0, value, true);
  putHalves(view, offset, shift, width, littleEndian);
}

/** {@link putSafeBits} of a signed bitfield. */
export function putSignedSafeBits(
  view: DataView,
  offset: number,
  shift: number,
  width: number,
  value: number,
  littleEndian: boolean,
): void {
  putSafeInt64(halves, 0, value, true);
  putHalves(view, offset, shift, width, littleEndian);
}

/** Stores the low `width` bits of `value` and leaves the bits around them as they are. */
export function putBits(
  view: DataView,
  offset: number,
  shift: number,
  width: number,
  value: number | bigint,
  littleEndian: boolean,
): void {
  if (typeof value === 'bigint') halves.setBigUint64(0, value, true);
  else if (width <= 32) halves.setUint32(0, value, true);
  else putSafeInt64(halves, 0, value, true);
  putHalves(view, offset, shift, width, littleEndian);
}

/** Stores what is in the two halves. */
function putHalves(
  view: DataView,
  offset: number,
  shift: number,
  width: number,
  littleEndian: boolean,
): void {
  const low = halves.getInt32(0, true);
  if (width <= 32) {
    putWord(view, offset, shift, width, low, littleEndian);
    return;
  }
  const bit = littleEndian ? shift : shift + width - 32;
  const rest = littleEndian ? offset + 4 : offset;
  putWord(view, offset + (bit >> 3), bit & 7, 32, low, littleEndian);
  putWord(view, rest, shift, width - 32, halves.getInt32(4, true), littleEndian);
}

function readHalves(
  view: DataView,
  offset: number,
  shift: number,
  width: number,
  littleEndian: boolean,
): void {
  const bit = littleEndian || width <= 32 ? shift : shift + width - 32;
  const rest = littleEndian ? offset + 4 : offset;
  const low = Math.min(width, 32);
  halves.setInt32(0, masked(word(view, offset + (bit >> 3), bit & 7, low, littleEndian), low), true);
  const high = width <= 32 ? 0 : masked(word(view, rest, shift, width - 32, littleEndian), width - 32);
  halves.setInt32(4, high, true);
}

/** Stores at most 32 bits, from the least significant on, a byte at a time. */
function putWord(
  view: DataView,
  offset: number,
  shift: number,
  width: number,
  value: number,
  littleEndian: boolean,
): void {
  const last = (shift + width - 1) >> 3;
  let at = littleEndian ? offset : offset + last;
  let below = littleEndian ? shift : (last + 1) * 8 - shift - width;
  let bitsLeft = value;
  for (let left = width; left > 0; ) {
    const take = Math.min(8 - below, left);
    const mask = ((1 << take) - 1) << below;
    view.setUint8(at, (view.getUint8(at) & ~mask) | ((bitsLeft << below) & mask));
    bitsLeft >>>= take;
    left -= take;
    below = 0;
    at += littleEndian ? 1 : -1;
  }
}
