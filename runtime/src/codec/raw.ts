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
  const copy = new Uint8Array(size);
  copy.set(new Uint8Array(view.buffer, view.byteOffset + offset, size));
  return copy;
}

/**
 * Writes bytes as they are.
 * @throws BpfError `ERR_BPF_RANGE` unless they are `size` many
 */
export function putBytes(view: DataView, offset: number, size: number, value: Uint8Array): void {
  if (value.length !== size) {
    throw new BpfError('ERR_BPF_RANGE', `${size} bytes were expected, ${value.length} given`);
  }
  new Uint8Array(view.buffer, view.byteOffset + offset, size).set(value);
}

/** A copy of the bytes that end a record: those before `end`. Without `end` there are none. */
export function readRestBytes(view: DataView, offset: number, end: number | undefined): Uint8Array {
  return readBytes(view, offset, Math.max(0, (end ?? offset) - offset));
}

/** A record of whatever length it has, as bytes: what a ring buffer holds when nothing names its type. */
export const raw: Codec<Uint8Array> = {
  size: 0,
  read: (view, offset, end = view.byteLength) =>
    new Uint8Array(view.buffer, view.byteOffset + offset, Math.max(0, end - offset)).slice(),
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
  new Uint8Array(view.buffer, view.byteOffset + offset, value.length).set(value);
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
