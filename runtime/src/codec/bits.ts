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
  // At most 40 bits: exact in a number, but too many for its 32-bit operators.
  const count = (shift + width + 7) >> 3;
  let value = 0;
  for (let i = 0; i < count; i++) {
    value = value * 256 + view.getUint8(offset + (littleEndian ? count - 1 - i : i));
  }
  const below = littleEndian ? shift : count * 8 - shift - width;
  return Math.floor(value / 2 ** below) % 2 ** width;
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

/** An unsigned bitfield of any width. */
export function bigBits(
  view: DataView,
  offset: number,
  shift: number,
  width: number,
  littleEndian: boolean,
): bigint {
  const count = (shift + width + 7) >> 3;
  let value = 0n;
  for (let i = 0; i < count; i++) {
    value = (value << 8n) | BigInt(view.getUint8(offset + (littleEndian ? count - 1 - i : i)));
  }
  const below = littleEndian ? shift : count * 8 - shift - width;
  return BigInt.asUintN(width, value >> BigInt(below));
}

/** A signed bitfield of any width. */
export function signedBigBits(
  view: DataView,
  offset: number,
  shift: number,
  width: number,
  littleEndian: boolean,
): bigint {
  return BigInt.asIntN(width, bigBits(view, offset, shift, width, littleEndian));
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
  const count = (shift + width + 7) >> 3;
  const below = littleEndian ? shift : count * 8 - shift - width;
  let mask = ((1n << BigInt(width)) - 1n) << BigInt(below);
  let field = BigInt.asUintN(width, BigInt(value)) << BigInt(below);
  for (let i = 0; i < count; i++) {
    const at = offset + (littleEndian ? i : count - 1 - i);
    const keep = ~Number(mask & 0xffn) & 0xff;
    view.setUint8(at, (view.getUint8(at) & keep) | Number(field & 0xffn));
    mask >>= 8n;
    field >>= 8n;
  }
}
