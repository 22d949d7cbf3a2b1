import { BpfError } from '../errors.js';
import type { Codec } from './codec.js';

/** `size` bytes without a C type. Reading copies them. */
export function bytes(size: number): Codec<Uint8Array> {
  return {
    size,
    read: (view, offset) => readBytes(view, offset, size),
    write: (view, offset, value) => putBytes(view, offset, size, value),
  };
}

/** A copy of the `size` bytes at `offset`. */
export function readBytes(view: DataView, offset: number, size: number): Uint8Array {
  if (size <= FEW) {
    const copy = new Uint8Array(size);
    for (let i = 0; i < size; i++) copy[i] = view.getUint8(offset + i);
    return copy;
  }
  const start = view.byteOffset + offset;
  return bytesOf(view.buffer).slice(start, start + size);
}

/** So few bytes go one by one in no more time than all together. */
const FEW = 16;

/** All bytes of a buffer, which is made once: it takes more than many a copy. */
const known = new WeakMap<ArrayBufferLike, Uint8Array>();

function bytesOf(buffer: ArrayBufferLike): Uint8Array {
  const all = known.get(buffer);
  // A buffer that was given away or resized has other bytes.
  if (all !== undefined && all.length === buffer.byteLength) return all;
  const bytes = new Uint8Array(buffer);
  known.set(buffer, bytes);
  return bytes;
}

/** Stores all of `value` at `offset`. */
export function storeBytes(view: DataView, offset: number, value: Uint8Array): void {
  const { length } = value;
  if (length > FEW) {
    bytesOf(view.buffer).set(value, view.byteOffset + offset);
    return;
  }
  for (let i = 0; i < length; i++) view.setUint8(offset + i, value[i] ?? 0);
}

/**
 * Writes bytes as they are.
 * @throws BpfError `ERR_BPF_RANGE` unless they are `size` many
 */
export function putBytes(view: DataView, offset: number, size: number, value: Uint8Array): void {
  // Of text, which JavaScript callers may give, zeros would be written.
  if (typeof value === 'string' || value.length !== size) {
    const given = typeof value === 'string' ? 'text was' : `${value.length}`;
    throw new BpfError('ERR_BPF_RANGE', `${size} bytes were expected, ${given} given`);
  }
  storeBytes(view, offset, value);
}

/** A copy of the bytes that end a record: those before `end`. Without `end` there are none. */
export function readRestBytes(view: DataView, offset: number, end: number | undefined): Uint8Array {
  return readBytes(view, offset, Math.max(0, (end ?? offset) - offset));
}

/** A record of whatever length it has, as bytes: what a ring buffer holds when nothing names its type. */
export const raw: Codec<Uint8Array> = {
  size: 0,
  read: (view, offset, end = view.byteLength) => readBytes(view, offset, Math.max(0, end - offset)),
  write: writeRestBytes,
};

/**
 * Writes the bytes that end a record.
 * @throws BpfError `ERR_BPF_RANGE` when the view has no room for all of them
 */
export function writeRestBytes(view: DataView, offset: number, value: Uint8Array): void {
  if (value.length > view.byteLength - offset) {
    throw new BpfError(
      'ERR_BPF_RANGE',
      `${value.length} bytes do not fit the ${view.byteLength - offset} bytes of the record`,
    );
  }
  storeBytes(view, offset, value);
}

/** Bytes that end a record, as a field that is reached alone. */
export const restBytes: Codec<Uint8Array> = {
  rest: true,
  size: 0,
  read: readRestBytes,
  write: writeRestBytes,
};

/** The bytes of base64 text: how a skeleton carries its object. */
export function decodeBase64(text: string): Uint8Array {
  if (typeof Buffer === 'function') {
    // Not the Buffer itself: its slice() shares memory, which no user of a Uint8Array expects.
    const { buffer, byteOffset, byteLength } = Buffer.from(text, 'base64');
    return new Uint8Array(buffer, byteOffset, byteLength);
  }
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}
