import { hostLittleEndian } from '../bytes.js';

/** Gives the address of bytes; 0 for none. */
export type AddressOf = (bytes: Uint8Array) => bigint;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * A zeroed C structure being filled for one system call. It remembers how far it was written, because old kernels
 * accept a structure only up to the fields they know, and holds the buffers it points at until `release`.
 */
export class Fields {
  readonly bytes: Uint8Array;
  /** Where the last field that is not zero ends: the size to tell the kernel. */
  end = 0;
  readonly #view: DataView;
  readonly #addressOf: AddressOf;
  readonly #held: Uint8Array[] = [];

  constructor(size: number, addressOf: AddressOf = noAddresses) {
    this.bytes = new Uint8Array(size);
    this.#view = new DataView(this.bytes.buffer);
    this.#addressOf = addressOf;
  }

  u8(offset: number, value: number): this {
    this.#view.setUint8(offset, value);
    return this.#wrote(offset + 1, value !== 0);
  }

  u16(offset: number, value: number): this {
    this.#view.setUint16(offset, value, hostLittleEndian);
    return this.#wrote(offset + 2, value !== 0);
  }

  /** Also for signed values. */
  u32(offset: number, value: number | undefined): this {
    if (value === undefined) return this;
    this.#view.setUint32(offset, value, hostLittleEndian);
    return this.#wrote(offset + 4, value !== 0);
  }

  u64(offset: number, value: bigint | undefined): this {
    if (value === undefined) return this;
    this.#view.setBigUint64(offset, value, hostLittleEndian);
    return this.#wrote(offset + 8, value !== 0n);
  }

  /** The address of `bytes`, which stay alive until `release`. */
  pointer(offset: number, bytes: Uint8Array | null | undefined): this {
    if (bytes === undefined || bytes === null || bytes.length === 0) return this;
    this.#held.push(bytes);
    return this.u64(offset, this.#addressOf(bytes));
  }

  /** The address of `text` as a C string. */
  string(offset: number, text: string | undefined): this {
    return text === undefined ? this : this.pointer(offset, cString(text));
  }

  /** The address of an array of numbers. */
  u64s(offset: number, numbers: BigUint64Array | undefined): this {
    if (numbers === undefined) return this;
    return this.pointer(offset, new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength));
  }

  /** The address of an array of addresses of C strings. */
  strings(offset: number, texts: readonly string[]): this {
    if (texts.length === 0) return this;
    const bytes = encoder.encode(`${texts.join('\0')}\0`);
    this.#held.push(bytes);
    const first = this.#addressOf(bytes);
    const starts = new BigUint64Array(texts.length);
    let at = 0;
    for (let i = 0; i < texts.length; i++) {
      starts[i] = first + BigInt(at);
      at = bytes.indexOf(0, at) + 1;
    }
    return this.u64s(offset, starts);
  }

  /** `text` in place, cut to `size` bytes of which the last is NUL. */
  name(offset: number, size: number, text: string | undefined): this {
    if (text === undefined || text === '') return this;
    encoder.encodeInto(text, this.bytes.subarray(offset, offset + size - 1));
    return this.#wrote(offset + size, true);
  }

  /** Tells the kernel of the structure up to `end`, where it is to write an answer. Older kernels accept what is zero. */
  upTo(end: number): this {
    return this.#wrote(end, true);
  }

  readU32(offset: number): number {
    return this.#view.getUint32(offset, hostLittleEndian);
  }

  readU64(offset: number): bigint {
    return this.#view.getBigUint64(offset, hostLittleEndian);
  }

  /** The NUL-terminated text in the `size` bytes at `offset`. */
  readName(offset: number, size: number): string {
    const field = this.bytes.subarray(offset, offset + size);
    const end = field.indexOf(0);
    return decoder.decode(end < 0 ? field : field.subarray(0, end));
  }

  /** To be called after the system call: what is pointed at must be in use until then. */
  release(): void {
    this.#held.length = 0;
  }

  #wrote(end: number, counts: boolean): this {
    if (counts && end > this.end) this.end = end;
    return this;
  }
}

/** `text` in UTF-8 with its NUL. */
export function cString(text: string): Uint8Array {
  return encoder.encode(`${text}\0`);
}

function noAddresses(): bigint {
  throw new TypeError('a structure without pointers was given one');
}
