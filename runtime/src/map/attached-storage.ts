import type { Codec } from '../codec/codec.js';
import { count } from './count.js';
import { Elements } from './elements.js';
import { BpfMap, type MapHandle } from './map.js';
import type { GetOptions } from './options.js';

/**
 * The storages of attachments to cgroups: the kernel makes one when a program that uses the map is attached, and removes
 * it with the attachment. What is there can be read and written; nothing can be added or removed.
 */
export abstract class AttachedStorage<K, V> extends BpfMap implements Iterable<[K, V]> {
  readonly #elements: Elements<K, V>;

  constructor(handle: MapHandle, key: Codec<K>, value: Codec<V>, valueBytes: number) {
    super(handle);
    this.#elements = new Elements(handle, key, value, valueBytes);
  }

  /** The value of an attachment, undefined when there is no such attachment. */
  get(key: K, options?: GetOptions): V | undefined {
    return this.#elements.get(key, options);
  }

  /** The bytes of a value, a copy. */
  getBytes(key: K, options?: GetOptions): Uint8Array | undefined {
    return this.#elements.getBytes(key, options);
  }

  has(key: K): boolean {
    return this.#elements.has(key);
  }

  /**
   * Writes the value of an attachment; padding is written as zero.
   * @throws BpfError ENOENT when there is no such attachment
   */
  set(key: K, value: V, options?: GetOptions): this {
    this.#elements.set(key, value, { flag: 'exist', ...options });
    return this;
  }

  /** The keys of all attachments. */
  keys(): Generator<K, undefined> {
    return this.#elements.keys();
  }

  /** `[key, value]` of all attachments. */
  *entries(): Generator<[K, V], undefined> {
    for (const key of this.keys()) {
      const value = this.get(key);
      if (value !== undefined) yield [key, value];
    }
  }

  /** The values of all attachments. */
  *values(): Generator<V, undefined> {
    for (const [, value] of this.entries()) yield value;
  }

  /** Number of attachments with a value, counted by walking the map. */
  get size(): number {
    return count(this.keys());
  }

  [Symbol.iterator](): Generator<[K, V], undefined> {
    return this.entries();
  }
}
