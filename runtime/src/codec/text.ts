import { BpfError } from '../errors.js';
import type { Codec } from './codec.js';
import { CACHED_LENGTH, cachedText } from './text-cache.js';
import { BLOCK, roomFor, stringOf } from './units.js';

/**
 * `char[N]` as text. It ends at the first NUL, or fills the array. Bytes that are not UTF-8 become the lone
 * surrogates U+DC80..U+DCFF (as Python's surrogateescape), so that writing the text gives the same bytes back.
 */
export function text(length: number): Codec<string> {
  return {
    size: length,
    read: (view, offset) => cstring(view, offset, length),
    write: (view, offset, value) => putCstring(view, offset, length, value),
  };
}

/** The text in the `length` bytes at `offset`, up to the first NUL. See {@link text}. */
export function cstring(view: DataView, offset: number, length: number): string {
  return length === CACHED_LENGTH ? cachedText(view, offset, decode) : decode(view, offset, length);
}

/** Code units of the text that is being read: no string is made on the way to the whole one. */
const few = roomFor(1024);

function decode(view: DataView, offset: number, length: number): string {
  const end = offset + length;
  let units = few;
  let count = 0;
  for (let at = offset; at < end; ) {
    // The longest sequence gives two.
    if (count + 2 > units.length - BLOCK) units = roomFor(units.length * 2, units);
    const byte = view.getUint8(at);
    if (byte === 0) break;
    if (byte < 0x80) {
      units[count++] = byte;
      at += 1;
      continue;
    }
    const sequence = sequenceLength(view, at, end);
    if (sequence === 0) {
      units[count++] = 0xdc00 + byte;
      at += 1;
      continue;
    }
    let point = byte & (0x7f >> sequence);
    for (let i = 1; i < sequence; i++) point = (point << 6) | (view.getUint8(at + i) & 0x3f);
    if (point < 0x10000) units[count++] = point;
    else {
      units[count++] = 0xd7c0 + (point >> 10);
      units[count++] = 0xdc00 + (point & 0x3ff);
    }
    at += sequence;
  }
  return stringOf(units, count);
}

/** Set while the rest of a text's bytes is for other arms of a union to say. */
let keepsRest = false;

/** Runs `write`; texts in it end with a NUL, and what stands behind that stays as it is. */
export function keepingRest(write: () => void): void {
  const before = keepsRest;
  keepsRest = true;
  try {
    write();
  } finally {
    keepsRest = before;
  }
}

/**
 * Writes text and fills the rest of the `length` bytes with zeros.
 * @throws BpfError `ERR_BPF_RANGE` when it does not fit, or has a NUL inside
 */
export function putCstring(view: DataView, offset: number, length: number, value: string): void {
  if (value.length <= length && isPlain(value)) {
    const { length: count } = value;
    for (let i = 0; i < count; i++) view.setUint8(offset + i, value.charCodeAt(i));
    const end = keepsRest ? Math.min(count + 1, length) : length;
    for (let i = count; i < end; i++) view.setUint8(offset + i, 0);
    return;
  }
  const bytes = encode(value);
  if (bytes.length > length) {
    throw new BpfError('ERR_BPF_RANGE', `text of ${bytes.length} bytes does not fit char[${length}]`);
  }
  if (bytes.includes(0)) throw new BpfError('ERR_BPF_RANGE', 'text for a char array has a NUL inside');
  const target = new Uint8Array(view.buffer, view.byteOffset + offset, length);
  target.set(bytes);
  target.fill(0, bytes.length, keepsRest ? bytes.length + 1 : length);
}

/** Bytes that text takes in a `char x[]`, with a NUL. */
export function textSize(value: string): number {
  return (isPlain(value) ? value.length : encode(value).length) + 1;
}

/** A `char x[]` that ends a record, as a field that is reached alone. */
export const restText: Codec<string> = {
  size: 0,
  rest: true,
  read: readRestText,
  write: (view, offset, value) => writeRestText(view, offset, value),
};

/** The text of a `char x[]` that ends a record: up to its first NUL or `end`. Without `end` it is empty. */
export function readRestText(view: DataView, offset: number, end: number | undefined): string {
  return end === undefined ? '' : cstring(view, offset, Math.max(0, end - offset));
}

/**
 * Writes the text of a `char x[]` that ends the view, and zeros behind it; only a NUL when `shared` with a member that
 * says what stands there.
 * @throws BpfError `ERR_BPF_RANGE` when the text does not fit the view
 */
export function writeRestText(view: DataView, offset: number, value: string, shared = false): void {
  const put = () => putCstring(view, offset, Math.max(0, view.byteLength - offset), value);
  if (shared) keepingRest(put);
  else put();
}

/** Bytes of the well-formed UTF-8 sequence at `at` (Unicode table 3-7), 0 when there is none. */
function sequenceLength(view: DataView, at: number, end: number): number {
  const first = view.getUint8(at);
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > end) return 0;
  const second = view.getUint8(at + 1);
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let i = 2; i < length; i++) if ((view.getUint8(at + i) & 0xc0) !== 0x80) return 0;
  return length;
}

/** ASCII without a NUL: one byte a character. */
function isPlain(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code === 0 || code >= 0x80) return false;
  }
  return true;
}

const encoder = new TextEncoder();

function encode(value: string): Uint8Array {
  if (!/[\udc80-\udcff]/.test(value)) return encoder.encode(value);
  const bytes: number[] = [];
  // Iterating a string keeps surrogate pairs together: what matches here is alone.
  for (const char of value) {
    const code = char.charCodeAt(0);
    if (char.length === 1 && code >= 0xdc80 && code <= 0xdcff) bytes.push(code - 0xdc00);
    else bytes.push(...encoder.encode(char));
  }
  return Uint8Array.from(bytes);
}
