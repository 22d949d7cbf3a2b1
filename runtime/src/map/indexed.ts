import type { Codec } from '../codec/codec.js';
import { BPF_ANY } from '../uapi.js';
import { setMany } from './batch.js';
import { BpfMap, type MapHandle } from './map.js';
import { indexError, lockError, operationError, updateError } from './map-error.js';
import { type GetOptions, getFlags } from './options.js';
import { rawValue } from './sizes.js';
import { walk } from './walk.js';

/** A map whose keys are the integers from 0 to `length - 1`. Every element is there from the start, as zeros. */
export abstract class IndexedMap<V> extends BpfMap implements Iterable<V> {
  readonly #value: Codec<V>;
  readonly #littleEndian: boolean;
  // Encoded anew by every call: an allocation would cost as much as the system call.
  readonly #keyBytes = new Uint8Array(4);
  readonly #keyView = new DataView(this.#keyBytes.buffer);
  readonly #valueBytes: Uint8Array;
  readonly #valueView: DataView;

  /** `valueBytes` is what a lookup fills: for per-CPU maps, all CPUs. */
  constructor(handle: MapHandle, value: Codec<V>, valueBytes = handle.valueSize) {
    super(handle);
    this.#value = value;
    this.#littleEndian = handle.kernel.littleEndian;
    this.#valueBytes = new Uint8Array(valueBytes);
    this.#valueView = new DataView(this.#valueBytes.buffer);
  }

  get length(): number {
    return this.handle.maxEntries;
  }

  /** The same as {@link length}: every element is there. */
  get size(): number {
    return this.handle.maxEntries;
  }

  /** @throws BpfError ERR_BPF_RANGE when there is no such index. */
  get(index: number, options?: GetOptions): V {
    this.#lookup(index, options);
    try {
      return this.#value.read(this.#valueView, 0, this.#valueBytes.length);
    } catch (error) {
      throw operationError(this.handle, error, 'read');
    }
  }

  /** The bytes of an element, a copy: what a type does not show (padding, text after its NUL) included. */
  getBytes(index: number, options?: GetOptions): Uint8Array {
    this.#lookup(index, options);
    return this.#valueBytes.slice();
  }

  /**
   * Writes an element; padding is written as zero.
   * @throws BpfError ERR_BPF_RANGE when there is no such index.
   */
  set(index: number, value: V, options?: GetOptions): this {
    this.#writeKey('set', index);
    this.#valueBytes.fill(0);
    this.#value.write(this.#valueView, 0, value);
    this.#update(index, options);
    return this;
  }

  /** The elements of `indexes`: a lookup each. For all of them, {@link values} is faster. */
  getMany(indexes: Iterable<number>, options?: GetOptions): V[] {
    return Array.from(indexes, (index) => this.get(index, options));
  }

  /**
   * Writes elements, thousands in one system call on Linux 5.6, else one by one.
   * @throws BpfError as set() does; what comes before the element that was refused is written.
   */
  setMany(entries: Iterable<readonly [number, V]>, options?: GetOptions): this {
    const { handle } = this;
    const key: Codec<number> = {
      size: 4,
      read: (view, offset) => view.getUint32(offset, this.#littleEndian),
      write: (view, offset, index) => {
        this.#writeKey('set', index);
        view.setUint32(offset, index, this.#littleEndian);
      },
    };
    const target = { handle, key, value: this.#value, valueBytes: this.#valueBytes.length };
    setMany(target, entries, options === undefined ? BPF_ANY : getFlags(options));
    return this;
  }

  /** Writes the bytes of an element as they are. They must be exactly as many as a lookup gives. */
  setBytes(index: number, bytes: Uint8Array, options?: GetOptions): this {
    this.#writeKey('set', index);
    rawValue(this.handle, this.#valueBytes.length).write(this.#valueView, 0, bytes);
    this.#update(index, options);
    return this;
  }

  /** Writes the same value to every element. */
  fill(value: V): this {
    const indexes = Array.from({ length: this.length }, (_, index) => index);
    return this.setMany(indexes.map((index) => [index, value] as const));
  }

  /** `[index, value]` of every element in order, read many at a time. */
  entries(): Generator<[number, V], undefined> {
    const size = this.#valueBytes.length;
    return walk(this.handle, size, (keys, keyOffset, values, offset) => [
      keys.getUint32(keyOffset, this.#littleEndian),
      this.#value.read(values, offset, offset + size),
    ]);
  }

  /** Whether there is such an element: it is one of the integers below {@link length}. */
  has(index: number): boolean {
    return Number.isInteger(index) && index >= 0 && index < this.length;
  }

  /** The integers below {@link length}. */
  *keys(): Generator<number, undefined> {
    for (let index = 0; index < this.length; index++) yield index;
  }

  /** Every element in order. */
  values(): Generator<V, undefined> {
    const size = this.#valueBytes.length;
    return walk(this.handle, size, (_keys, _keyOffset, values, offset) =>
      this.#value.read(values, offset, offset + size),
    );
  }

  /** As a JavaScript array, an array map iterates over its values. */
  [Symbol.iterator](): Generator<V, undefined> {
    return this.values();
  }

  #writeKey(operation: string, index: number): void {
    if (!(Number.isInteger(index) && index >= 0 && index < this.handle.maxEntries)) {
      throw indexError(this.handle, operation, index);
    }
    this.#keyView.setUint32(0, index, this.#littleEndian);
  }

  #lookup(index: number, options?: GetOptions): void {
    this.#writeKey('get', index);
    const { kernel } = this.handle;
    const flags = options === undefined ? BPF_ANY : getFlags(options);
    const fd = this.handle.fd();
    let found: boolean;
    try {
      found = kernel.mapLookup(fd, this.#keyBytes, this.#valueBytes, flags);
    } catch (error) {
      throw operationError(this.handle, lockError(error, flags), 'get from');
    }
    if (!found) throw indexError(this.handle, 'get', index);
  }

  #update(index: number, options?: GetOptions): void {
    const flags = options === undefined ? BPF_ANY : getFlags(options);
    try {
      this.handle.kernel.mapUpdate(this.handle.fd(), this.#keyBytes, this.#valueBytes, flags);
    } catch (error) {
      throw updateError(this.handle, lockError(error, flags), index);
    }
  }
}
