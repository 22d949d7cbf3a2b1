import type { Codec } from '../codec/codec.js';
import { BPF_ANY, BPF_EXIST, BPF_NOEXIST } from '../uapi.js';
import { BpfMap, type MapHandle } from './map.js';
import { isUnsupported, mapText, operationError, type SetOptions, updateError } from './map-error.js';
import { raw } from './raw.js';
import { removeAll, walk } from './walk.js';

const noOptions: SetOptions = {};

/**
 * A map of keys to values in the manner of a JavaScript Map. There is no `size`: the kernel does not count entries.
 * Every method is one system call, except those that walk the map.
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
  get(key: K): V | undefined {
    return this.#lookup(key) ? this.#read() : undefined;
  }

  /** The bytes of the value of `key`, a copy: what a type does not show (padding, text after its NUL) included. */
  getBytes(key: K): Uint8Array | undefined {
    return this.#lookup(key) ? this.#valueBytes.slice() : undefined;
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
    raw(this.#valueBytes.length, `value of ${mapText(this.handle)}`).write(this.#valueView, 0, bytes);
    this.#update(key, options);
    return this;
  }

  /** Removes `key`. False when it was not there. */
  delete(key: K): boolean {
    this.#writeKey(key);
    try {
      return this.handle.kernel.mapDelete(this.handle.fd(), this.#keyBytes);
    } catch (error) {
      throw operationError(this.handle, error, 'delete from');
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

  #writeKey(key: K): void {
    this.#keyBytes.fill(0);
    this.#key.write(this.#keyView, 0, key);
  }

  #lookup(key: K): boolean {
    this.#writeKey(key);
    return this.handle.kernel.mapLookup(this.handle.fd(), this.#keyBytes, this.#valueBytes);
  }

  #read(): V {
    return this.#value.read(this.#valueView, 0, this.#valueBytes.length);
  }

  #update(key: K, options: SetOptions): void {
    this.#writeKey(key);
    const { flag } = options;
    const flags = flag === undefined ? BPF_ANY : flag === 'create' ? BPF_NOEXIST : BPF_EXIST;
    try {
      this.handle.kernel.mapUpdate(this.handle.fd(), this.#keyBytes, this.#valueBytes, flags);
    } catch (error) {
      throw updateError(this.handle, error, key);
    }
  }

  #takeBytes(): boolean {
    const { kernel } = this.handle;
    const fd = this.handle.fd();
    if (this.#takes) {
      try {
        return kernel.mapLookupAndDelete(fd, this.#keyBytes, this.#valueBytes);
      } catch (error) {
        if (!isUnsupported(error)) throw operationError(this.handle, error, 'take from');
        this.#takes = false;
      }
    }
    // Only who deletes an entry took it.
    return kernel.mapLookup(fd, this.#keyBytes, this.#valueBytes) && kernel.mapDelete(fd, this.#keyBytes);
  }
}
