import type { Codec } from '../codec/codec.js';
import { BPF_ANY } from '../uapi.js';
import { deleteMany, setMany } from './batch.js';
import { BpfMap, type MapHandle } from './map.js';
import { isUnsupported, lockError, operationError, updateError, writeError } from './map-error.js';
import { type GetOptions, getFlags, type SetOptions, setFlags } from './options.js';
import { rawValue } from './sizes.js';
import { countEntries, removeAll, walk } from './walk.js';

const noOptions: SetOptions = {};

/**
 * A map of keys to values in the manner of a JavaScript Map. Every method is one system call, except those that walk
 * the map: `size`, which the kernel does not count, among them.
 */
export abstract class KeyedMap<K, V> extends BpfMap implements Iterable<[K, V]> {
  readonly #key: Codec<K>;
  readonly #value: Codec<V>;
  // Encoded anew by every call: an allocation would cost as much as the system call.
  readonly #keyBytes: Uint8Array;
  readonly #keyView: DataView;
  readonly #valueBytes: Uint8Array;
  readonly #valueView: DataView;
  #takes = true;

  /** `valueBytes` is what a lookup fills: for per-CPU maps, all CPUs. */
  constructor(handle: MapHandle, key: Codec<K>, value: Codec<V>, valueBytes = handle.valueSize) {
    super(handle);
    this.#key = key;
    this.#value = value;
    this.#keyBytes = new Uint8Array(handle.keySize);
    this.#keyView = new DataView(this.#keyBytes.buffer);
    this.#valueBytes = new Uint8Array(valueBytes);
    this.#valueView = new DataView(this.#valueBytes.buffer);
  }

  /** The value of `key`, undefined when the map does not have it. */
  get(key: K, options?: GetOptions): V | undefined {
    return this.#lookup(key, options) ? this.#read() : undefined;
  }

  /** The bytes of the value of `key`, a copy: what a type does not show (padding, text after its NUL) included. */
  getBytes(key: K, options?: GetOptions): Uint8Array | undefined {
    return this.#lookup(key, options) ? this.#valueBytes.slice() : undefined;
  }

  has(key: K): boolean {
    return this.#lookup(key);
  }

  /**
   * Writes `value` under `key`; padding is written as zero.
   * @throws BpfError E2BIG when the map is full, EEXIST or ENOENT when `flag` forbids it.
   */
  set(key: K, value: V, options: SetOptions = noOptions): this {
    this.#valueBytes.fill(0);
    this.#value.write(this.#valueView, 0, value);
    this.#update(key, options);
    return this;
  }

  /** Writes the bytes of a value as they are. They must be exactly as many as a lookup gives. */
  setBytes(key: K, bytes: Uint8Array, options: SetOptions = noOptions): this {
    rawValue(this.handle, this.#valueBytes.length).write(this.#valueView, 0, bytes);
    this.#update(key, options);
    return this;
  }

  /** The values of `keys`, undefined for those that the map does not have: a lookup each, as the kernel has no other way. */
  getMany(keys: Iterable<K>, options?: GetOptions): (V | undefined)[] {
    return Array.from(keys, (key) => this.get(key, options));
  }

  /**
   * Writes entries, thousands in one system call on Linux 5.6, else one by one; so too with a `flag`, which the kernel's
   * batch does not know. Other maps, or `[key, value]` arrays, will do.
   * @throws BpfError as set() does, with the key that was refused; the entries before it are written.
   */
  setMany(entries: Iterable<readonly [K, V]>, options: SetOptions = noOptions): this {
    setMany(this.#many(), entries, setFlags(options));
    return this;
  }

  /** Removes `keys`, thousands in one system call on Linux 5.6, else one by one. How many of them were there. */
  deleteMany(keys: Iterable<K>): number {
    return deleteMany(this.#many(), keys);
  }

  /** Removes `key`. False when it was not there. */
  delete(key: K): boolean {
    this.#writeKey(key);
    try {
      return this.handle.kernel.mapDelete(this.handle.fd(), this.#keyBytes);
    } catch (error) {
      throw writeError(this.handle, error, 'delete from');
    }
  }

  /**
   * Removes `key` and returns its value. In one step on Linux 5.14; on older kernels a change between the lookup and the
   * delete is lost.
   */
  take(key: K): V | undefined {
    this.#writeKey(key);
    return this.#takeBytes() ? this.#read() : undefined;
  }

  /** Removes everything. What is added meanwhile may stay. */
  clear(): void {
    removeAll(this.handle, this.#valueBytes.length);
  }

  /** Number of entries, counted by walking the map: the kernel does not keep it. What changes meanwhile may count or not. */
  get size(): number {
    return countEntries(this.handle, this.#valueBytes.length);
  }

  /**
   * All entries, in no order, read many at a time. The map may change meanwhile: an entry that is there throughout comes
   * once, and the walk always ends.
   */
  entries(): Generator<[K, V], undefined> {
    const valueSize = this.#valueBytes.length;
    return walk(this.handle, valueSize, (keys, keyOffset, values, offset) => [
      this.#key.read(keys, keyOffset, keyOffset + this.handle.keySize),
      this.#value.read(values, offset, offset + valueSize),
    ]);
  }

  keys(): Generator<K, undefined> {
    return walk(this.handle, this.#valueBytes.length, (keys, offset) =>
      this.#key.read(keys, offset, offset + this.handle.keySize),
    );
  }

  values(): Generator<V, undefined> {
    const valueSize = this.#valueBytes.length;
    return walk(this.handle, valueSize, (_keys, _keyOffset, values, offset) =>
      this.#value.read(values, offset, offset + valueSize),
    );
  }

  [Symbol.iterator](): Generator<[K, V], undefined> {
    return this.entries();
  }

  #many() {
    const { handle } = this;
    return { handle, key: this.#key, value: this.#value, valueBytes: this.#valueBytes.length };
  }

  #writeKey(key: K): void {
    this.#keyBytes.fill(0);
    this.#key.write(this.#keyView, 0, key);
  }

  #lookup(key: K, options?: GetOptions): boolean {
    this.#writeKey(key);
    const flags = options === undefined ? BPF_ANY : getFlags(options);
    const fd = this.handle.fd();
    try {
      return this.handle.kernel.mapLookup(fd, this.#keyBytes, this.#valueBytes, flags);
    } catch (error) {
      throw operationError(this.handle, lockError(error, flags), 'get from');
    }
  }

  #read(): V {
    try {
      return this.#value.read(this.#valueView, 0, this.#valueBytes.length);
    } catch (error) {
      throw operationError(this.handle, error, 'read');
    }
  }

  #update(key: K, options: SetOptions): void {
    this.#writeKey(key);
    const flags = setFlags(options);
    try {
      this.handle.kernel.mapUpdate(this.handle.fd(), this.#keyBytes, this.#valueBytes, flags);
    } catch (error) {
      throw updateError(this.handle, lockError(error, flags), key);
    }
  }

  #takeBytes(): boolean {
    const { kernel } = this.handle;
    const fd = this.handle.fd();
    if (this.#takes) {
      try {
        return kernel.mapLookupAndDelete(fd, this.#keyBytes, this.#valueBytes);
      } catch (error) {
        if (!isUnsupported(error)) throw writeError(this.handle, error, 'take from');
        this.#takes = false;
      }
    }
    // Only who deletes an entry took it.
    return kernel.mapLookup(fd, this.#keyBytes, this.#valueBytes) && kernel.mapDelete(fd, this.#keyBytes);
  }
}
