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
  const count = (shift + width + 7) >> 3;
  const below = littleEndian ? shift : count * 8 - shift - width;
  let value = 0;
  if (count > 4) {
    // 40 bits: exact in a number, but too many for its 32-bit operators.
    for (let i = 0; i < count; i++) {
      value = value * 256 + view.getUint8(offset + (littleEndian ? count - 1 - i : i));
    }
    return Math.floor(value / 2 ** below) % 2 ** width;
  }
  for (let i = 0; i < count; i++) {
    value = (value << 8) | view.getUint8(offset + (littleEndian ? count - 1 - i : i));
  }
  return width === 32 ? value >>> 0 : (value >>> below) & (2 ** width - 1);
}

/** A signed bitfield of at most 32 bits. */
export function signedBits(
  view: DataView,
  offset: number,
  shift: number,
  width: number,
  littleEndian: boolean,
): number {
  const value = bits(view, offset, shift, width, littleEndian);
  return value >= 2 ** (width - 1) ? value - 2 ** width : value;
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
  readHalves(view, offset, shift, width, littleEndian);
  const high = halves.getUint32(4, true);
  if (width <= 32) {
    const low = halves.getUint32(0, true) << (32 - width);
    halves.setInt32(0, low >> (32 - width), true);
    halves.setInt32(4, low >> 31, true);
  } else halves.setInt32(4, (high << (64 - width)) >> (64 - width), true);
  return halves.getBigInt64(0, true);
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
  else halves.setBigUint64(0, BigInt(value), true);
  const low = halves.getUint32(0, true);
  if (width <= 32) {
    putWord(view, offset, shift, width, low, littleEndian);
    return;
  }
  const bit = littleEndian ? shift : shift + width - 32;
  const rest = littleEndian ? offset + 4 : offset;
  putWord(view, offset + (bit >> 3), bit & 7, 32, low, littleEndian);
  putWord(view, rest, shift, width - 32, halves.getUint32(4, true), littleEndian);
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
  halves.setUint32(0, bits(view, offset + (bit >> 3), bit & 7, Math.min(width, 32), littleEndian), true);
  halves.setUint32(4, width <= 32 ? 0 : bits(view, rest, shift, width - 32, littleEndian), true);
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
