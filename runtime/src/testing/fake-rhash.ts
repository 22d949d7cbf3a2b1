import type { MapBatch, MapBatchResult } from '../kernel/kernel.js';
import { FakeHash } from './fake-map.js';

/** Resizable hash maps: their batches go on with a key, and say EAGAIN when it is gone (rhtab_map_lookup_batch). */
export class FakeResizableHash extends FakeHash {
  override batch({ keys, values, count, cursor, keySize, remove }: MapBatch): MapBatchResult {
    let key = cursor === null ? this.#after(null) : cursor.slice(0, keySize);
    const value = new Uint8Array(this.lookupSize);
    const found: Uint8Array[] = [];
    while (key !== undefined && found.length < count) {
      if (!this.lookup(key, value)) throw this.refuse('MAP_LOOKUP_BATCH', 'EAGAIN');
      keys.set(key, found.length * keySize);
      values.set(value, found.length * value.length);
      found.push(key);
      key = this.#after(key);
    }
    if (remove === true) for (const one of found) this.delete(one);
    return { count: found.length, cursor: key };
  }

  #after(key: Uint8Array | null): Uint8Array | undefined {
    const next = new Uint8Array(this.attributes.keySize);
    return this.nextKey(key, next) ? next : undefined;
  }
}
