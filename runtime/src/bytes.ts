import { MalformedError } from './errors.js';

const decoder = new TextDecoder('utf-8');

/** Bounds-checked reads of one named region of untrusted bytes. Every miss is a {@link MalformedError}. */
export class Reader {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly littleEndian: boolean;
  /** What the region is called in errors: a section name. */
  readonly label: string;

  constructor(bytes: Uint8Array, littleEndian: boolean, label: string) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.littleEndian = littleEndian;
    this.label = label;
  }

  get size(): number {
    return this.bytes.length;
  }

  u8(offset: number): number {
    this.#need(offset, 1);
    return this.view.getUint8(offset);
  }

  u16(offset: number): number {
    this.#need(offset, 2);
    return this.view.getUint16(offset, this.littleEndian);
  }

  u32(offset: number): number {
    this.#need(offset, 4);
    return this.view.getUint32(offset, this.littleEndian);
  }

  i32(offset: number): number {
    this.#need(offset, 4);
    return this.view.getInt32(offset, this.littleEndian);
  }

  u64(offset: number): bigint {
    this.#need(offset, 8);
    return this.view.getBigUint64(offset, this.littleEndian);
  }

  /** A 64-bit size or offset; beyond 2^53 it cannot be one. */
  length64(offset: number): number {
    const value = this.u64(offset);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new MalformedError(this.label, offset, `${value} is not a plausible size or offset`);
    }
    return Number(value);
  }

  /** `length` bytes at `offset`, sharing memory with the region. */
  slice(offset: number, length: number): Uint8Array {
    this.#need(offset, length);
    return this.bytes.subarray(offset, offset + length);
  }

  /** The NUL-terminated UTF-8 string at `offset`; invalid sequences become U+FFFD. */
  cstring(offset: number): string {
    this.#need(offset, 1);
    const end = this.bytes.indexOf(0, offset);
    if (end < 0) throw new MalformedError(this.label, offset, 'string has no end');
    return decoder.decode(this.bytes.subarray(offset, end));
  }

  #need(offset: number, length: number): void {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.bytes.length)) {
      throw new MalformedError(
        this.label,
        offset,
        `needs ${length} bytes, but ${this.label} ends at ${this.bytes.length}`,
      );
    }
  }
}

/** The same memory as a plain Uint8Array: the slice() of a Node Buffer does not copy, which is a trap for whoever patches. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Byte order of this host. */
export const hostLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** `count` 32-bit numbers from `offset` on: the same memory where alignment and byte order allow, else a copy. */
export function hostWords(
  bytes: Uint8Array,
  offset: number,
  count: number,
  littleEndian: boolean,
): Int32Array {
  const start = bytes.byteOffset + offset;
  if (start % 4 === 0 && littleEndian === hostLittleEndian) return new Int32Array(bytes.buffer, start, count);
  const view = new DataView(bytes.buffer, start, count * 4);
  return Int32Array.from({ length: count }, (_, i) => view.getInt32(i * 4, littleEndian));
}

/** `value` rounded up to a multiple of `step`. */
export function alignUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}
