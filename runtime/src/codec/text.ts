import { BpfError } from '../errors.js';
import type { Codec } from './codec.js';
import { CACHED_LENGTH, cachedText } from './text-cache.js';
import { decode, putUtf8, utf8Length } from './utf8.js';

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

/** Set while the rest of a text's bytes is for other arms of a union to say. */
let keepsRest = false;

/**
 * From now on texts end with a NUL, and what stands behind that stays as it is; or no longer. Gives what was so before, to
 * be set again. A function that runs another like this would take memory for each call.
 */
export function keepRest(keeps: boolean): boolean {
  const before = keepsRest;
  keepsRest = keeps;
  return before;
}

/**
 * Writes text and fills the rest of the `length` bytes with zeros.
 * @throws BpfError `ERR_BPF_RANGE` when it does not fit, or has a NUL inside
 */
export function putCstring(view: DataView, offset: number, length: number, value: string): void {
  if (value.length <= length && isPlain(value)) {
    const { length: count } = value;
    for (let i = 0; i < count; i++) view.setUint8(offset + i, value.charCodeAt(i));
    putZeros(view, offset, count, length);
    return;
  }
  const size = utf8Length(value);
  if (size > length) {
    throw new BpfError('ERR_BPF_RANGE', `text of ${size} bytes does not fit char[${length}]`);
  }
  if (value.includes('\0')) throw new BpfError('ERR_BPF_RANGE', 'text for a char array has a NUL inside');
  putUtf8(view, offset, value);
  putZeros(view, offset, size, length);
}

/** Zeros behind the `count` bytes of a text. */
function putZeros(view: DataView, offset: number, count: number, length: number): void {
  const end = keepsRest ? Math.min(count + 1, length) : length;
  for (let i = count; i < end; i++) view.setUint8(offset + i, 0);
}

/** Bytes that text takes in a `char x[]`, with a NUL. */
export function textSize(value: string): number {
  return utf8Length(value) + 1;
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
  const room = Math.max(0, view.byteLength - offset);
  const before = keepRest(shared || keepsRest);
  try {
    putCstring(view, offset, room, value);
  } finally {
    keepRest(before);
  }
}

/** ASCII without a NUL: one byte a character. */
function isPlain(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code === 0 || code >= 0x80) return false;
  }
  return true;
}
