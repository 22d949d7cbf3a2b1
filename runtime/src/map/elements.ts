import type { Codec } from '../codec/codec.js';
import { BPF_ANY } from '../uapi.js';
import type { MapHandle } from './map.js';
import { lockError, operationError, updateError, writeError } from './map-error.js';
import { type GetOptions, getFlags, type SetOptions, setFlags } from './options.js';
import { walkKeys } from './walk.js';

/**
 * The elements of a map, by the system calls for single ones: what kinds are made of whose values are not simply data.
 * Each publishes what the kernel lets its type do.
 */
export class Elements<K, V> {
  readonly #handle: MapHandle;
  readonly #key: Codec<K>;
  readonly #value: Codec<V>;
  // Encoded anew by every call: an allocation would cost as much as the system call.
  readonly #keyBytes: Uint8Array;
  readonly #keyView: DataView;
  readonly #valueBytes: Uint8Array;
  readonly #valueView: DataView;

  /** `valueBytes` is what a lookup fills. */
  constructor(handle: MapHandle, key: Codec<K>, value: Codec<V>, valueBytes = handle.valueSize) {
    this.#handle = handle;
    this.#key = key;
    this.#value = value;
    this.#keyBytes = new Uint8Array(handle.keySize);
    this.#keyView = new DataView(this.#keyBytes.buffer);
    this.#valueBytes = new Uint8Array(valueBytes);
    this.#valueView = new DataView(this.#valueBytes.buffer);
  }

  get(key: K, options?: GetOptions): V | undefined {
    return this.#lookup(key, options)
      ? this.#value.read(this.#valueView, 0, this.#valueBytes.length)
      : undefined;
  }

  /** Undefined when the map does not have `key`; else a copy. */
  getBytes(key: K, options?: GetOptions): Uint8Array | undefined {
    return this.#lookup(key, options) ? this.#valueBytes.slice() : undefined;
  }

  has(key: K): boolean {
    return this.#lookup(key);
  }

  /** `shown` is the key as errors name it, where it is not `key` itself. */
  set(key: K, value: V, options?: SetOptions, shown: unknown = key): void {
    this.#writeKey(key);
    this.#valueBytes.fill(0);
    this.#value.write(this.#valueView, 0, value);
    const flags = options === undefined ? BPF_ANY : setFlags(options);
    try {
      this.#handle.kernel.mapUpdate(this.#handle.fd(), this.#keyBytes, this.#valueBytes, flags);
    } catch (error) {
      throw updateError(this.#handle, lockError(error, flags), shown);
    }
  }

  /** False when it was not there. */
  delete(key: K): boolean {
    this.#writeKey(key);
    try {
      return this.#handle.kernel.mapDelete(this.#handle.fd(), this.#keyBytes);
    } catch (error) {
      throw writeError(this.#handle, error, 'delete from');
    }
  }

  keys(): Generator<K, undefined> {
    const { keySize } = this.#handle;
    return walkKeys(this.#handle, (keys, offset) => this.#key.read(keys, offset, offset + keySize));
  }

  /** Removes every key that a walk finds. */
  clear(): void {
    for (const key of this.keys()) this.delete(key);
  }

  #writeKey(key: K): void {
    this.#keyBytes.fill(0);
    this.#key.write(this.#keyView, 0, key);
  }

  #lookup(key: K, options?: GetOptions): boolean {
    this.#writeKey(key);
    const flags = options === undefined ? BPF_ANY : getFlags(options);
    try {
      return this.#handle.kernel.mapLookup(this.#handle.fd(), this.#keyBytes, this.#valueBytes, flags);
    } catch (error) {
      throw operationError(this.#handle, lockError(error, flags), 'get from');
    }
  }
}
