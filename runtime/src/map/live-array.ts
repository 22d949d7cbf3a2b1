import { alignUp } from '../bytes.js';
import type { Codec } from '../codec/codec.js';
import { writeWithin } from '../codec/struct.js';
import { BpfError } from '../errors.js';
import { BPF_F_MMAPABLE } from '../uapi.js';
import type { MapHandle } from './map.js';
import { hasCode, indexError, mapText, operationError } from './map-error.js';
import { type DataMemory, openMemory } from './memory.js';

/**
 * The elements of an array map in memory that this process shares with the kernel: reading and writing one is no system
 * call, and what programs write shows at once. There is no locking: an element larger than 8 bytes may be seen half
 * written, by either side.
 */
export class LiveArray<V> implements Iterable<V> {
  readonly #handle: MapHandle;
  readonly #value: Codec<V>;
  readonly #memory: DataMemory;
  readonly #stride: number;

  /** `memory` is that of all elements, each at a multiple of 8 bytes. */
  constructor(handle: MapHandle, value: Codec<V>, memory: DataMemory) {
    this.#handle = handle;
    this.#value = value;
    this.#memory = memory;
    this.#stride = alignUp(handle.valueSize, 8);
  }

  get length(): number {
    return this.#handle.maxEntries;
  }

  /** False when the map is frozen: the memory can only be read. */
  get writable(): boolean {
    return this.#memory.writable;
  }

  /** Bytes from one element to the next in {@link memory}. */
  get stride(): number {
    return this.#stride;
  }

  /** @throws BpfError ERR_BPF_RANGE when there is no such index. */
  get(index: number): V {
    const at = this.#at('get', index);
    return this.#value.read(this.#view(), at, at + this.#handle.valueSize);
  }

  /** The bytes of an element, a copy. */
  getBytes(index: number): Uint8Array {
    const { buffer, byteOffset } = this.#view();
    return new Uint8Array(buffer, byteOffset + this.#at('get', index), this.#handle.valueSize).slice();
  }

  /**
   * Writes an element in place; padding keeps what it has.
   * @throws BpfError ERR_BPF_RANGE when there is no such index, ERR_BPF_STATE when the map is frozen
   */
  set(index: number, value: V): this {
    const at = this.#at('set', index);
    writeWithin(this.#value, this.memory, at, this.#handle.valueSize, value);
    return this;
  }

  /**
   * The memory itself: element `index` begins at byte `index * stride`. It reads as zeros once the map's object is
   * destroyed.
   * @throws BpfError ERR_BPF_STATE when the map is frozen: a write to memory that can only be read ends the process
   */
  get memory(): DataView {
    if (!this.#memory.writable) {
      throw new BpfError(
        'ERR_BPF_STATE',
        `write to the memory of ${mapText(this.#handle)}: it is frozen; read elements with get() and getBytes()`,
      );
    }
    return this.#view();
  }

  /** Every element in order. */
  *[Symbol.iterator](): Generator<V, undefined> {
    for (let index = 0; index < this.length; index++) yield this.get(index);
  }

  #view(): DataView {
    if (!this.#memory.closed) return this.#memory.view();
    // Throws when the object is destroyed.
    this.#handle.fd();
    throw new BpfError(
      'ERR_BPF_STATE',
      `use the memory of ${mapText(this.#handle)}: it was frozen since; ask for live() again`,
    );
  }

  #at(operation: string, index: number): number {
    if (!(Number.isInteger(index) && index >= 0 && index < this.length)) {
      throw indexError(this.#handle, operation, index);
    }
    return index * this.#stride;
  }
}

/** The memory of an array map; read-only when it is frozen. */
export function openElements(handle: MapHandle, frozen: boolean): DataMemory {
  if ((handle.flags & BPF_F_MMAPABLE) === 0) {
    throw new BpfError(
      'ERR_BPF_STATE',
      `share the memory of ${mapText(handle)}: it is not declared for that; add __uint(map_flags, BPF_F_MMAPABLE) (Linux 5.5)`,
    );
  }
  try {
    return openMemory(handle, !frozen);
  } catch (error) {
    // Somebody else may have frozen it.
    if (!frozen && hasCode(error, 'EPERM')) return openElements(handle, true);
    throw operationError(handle, error, 'share the memory of');
  }
}
