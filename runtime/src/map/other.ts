import { count } from './count.js';
import { BpfMap, type MapHandle, type MapShape, mapKind } from './map.js';
import { mapText, operationError, updateError } from './map-error.js';
import { type GetOptions, getFlags, type SetOptions, setFlags } from './options.js';
import { bytesAt, raw } from './raw.js';
import { lookupSize } from './sizes.js';
import { walkKeys } from './walk.js';

/**
 * A map of a type that has no class of its own: its bytes, through whatever system calls the kernel allows for the
 * type; the others throw its refusal. `null` is the key of maps that have none, such as queues and stacks.
 */
export class OtherMap extends BpfMap {
  readonly #lookupSize: number;

  constructor(handle: MapHandle) {
    super(handle);
    this.#lookupSize = lookupSize(handle, handle.kernel);
  }

  /** The value of `key`, undefined when there is none. Of a queue or stack (`null`): the next element, which stays. */
  get(key: Uint8Array | null, options: GetOptions = {}): Uint8Array | undefined {
    const value = new Uint8Array(this.#lookupSize);
    return this.#try('get from', () =>
      this.handle.kernel.mapLookup(this.handle.fd(), this.#checkKey(key), value, getFlags(options)),
    )
      ? value
      : undefined;
  }

  /** Writes `value`. Into a queue or stack (`null`): adds it. */
  set(key: Uint8Array | null, value: Uint8Array, options: SetOptions = {}): this {
    // The kernel reads as many bytes as a lookup fills.
    const bytes = new Uint8Array(this.#lookupSize);
    raw(this.#lookupSize, `value of ${mapText(this.handle)}`).write(new DataView(bytes.buffer), 0, value);
    const checkedKey = this.#checkKey(key);
    try {
      this.handle.kernel.mapUpdate(this.handle.fd(), checkedKey, bytes, setFlags(options));
    } catch (error) {
      throw updateError(this.handle, error, key);
    }
    return this;
  }

  /** Removes `key`. False when it was not there. */
  delete(key: Uint8Array): boolean {
    const checkedKey = this.#checkKey(key) ?? key;
    return this.#try('delete from', () => this.handle.kernel.mapDelete(this.handle.fd(), checkedKey));
  }

  /** Removes a key and returns its value. Of a queue or stack (`null`): the next element. Linux 4.20. */
  take(key: Uint8Array | null): Uint8Array | undefined {
    const value = new Uint8Array(this.#lookupSize);
    return this.#try('take from', () =>
      this.handle.kernel.mapLookupAndDelete(this.handle.fd(), this.#checkKey(key), value),
    )
      ? value
      : undefined;
  }

  /** Whether a lookup finds something. */
  has(key: Uint8Array): boolean {
    return this.get(key) !== undefined;
  }

  /** Removes every key that a walk finds. */
  clear(): void {
    for (const key of this.keys()) this.delete(key);
  }

  /** Number of keys, counted by walking the map; of arrays, that of their slots. */
  get size(): number {
    return count(this.keys());
  }

  /** Every key. */
  keys(): Generator<Uint8Array, undefined> {
    return walkKeys(this.handle, (keys, offset) => bytesAt(keys, offset, this.handle.keySize));
  }

  /** Every key with its value. */
  *entries(): Generator<[Uint8Array, Uint8Array], undefined> {
    for (const key of this.keys()) {
      const value = this.get(key);
      if (value !== undefined) yield [key, value];
    }
  }

  /** The values of all keys. */
  *values(): Generator<Uint8Array, undefined> {
    for (const [, value] of this.entries()) yield value;
  }

  [Symbol.iterator](): Generator<[Uint8Array, Uint8Array], undefined> {
    return this.entries();
  }

  #checkKey(key: Uint8Array | null): Uint8Array | null {
    if (key === null && this.handle.keySize === 0) return null;
    const bytes = new Uint8Array(this.handle.keySize);
    raw(bytes.length, `key of ${mapText(this.handle)}`).write(
      new DataView(bytes.buffer),
      0,
      key ?? new Uint8Array(0),
    );
    return bytes;
  }

  #try<T>(operation: string, call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw operationError(this.handle, error, operation);
    }
  }
}

/** `otherMap()`: a map of any type without a kind of its own, in a skeleton. */
export const otherMap = mapKind(
  {
    kindName: 'otherMap',
    // What no other kind claims: see mapKindOf.
    types: [],
    codecs: [],
    open: (handle: MapHandle) => new OtherMap(handle),
  },
  (kind) => (): MapShape<OtherMap> => ({ kind }),
);
