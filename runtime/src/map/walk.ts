import type { MapHandle } from './map.js';
import { hasCode, isUnsupported, operationError } from './map-error.js';

/** Receives one entry: views over all keys and all values that were read together, and where this entry lies in them. */
export type MakeEntry<T> = (keys: DataView, keyOffset: number, values: DataView, valueOffset: number) => T;

// A batch is as many entries as fit here: enough to make the system calls vanish, little enough not to be felt.
const BATCH_ENTRIES = 4096;
const BATCH_BYTES = 1 << 20;

/**
 * Walks a map that programs and other processes may change meanwhile. In batches where the kernel has them (Linux 5.6
 * for hashes and arrays), which never repeat a key; else key by key, where a key deleted under the walk starts the
 * kernel's order anew: keys seen before are passed over and the number of steps is bounded, so it always ends.
 * `valueBytes` is what a lookup fills: for per-CPU maps, all CPUs.
 */
export function* walk<T>(handle: MapHandle, valueBytes: number, make: MakeEntry<T>): Generator<T, undefined> {
  const batches = new BatchReader(handle, valueBytes, false);
  for (;;) {
    const count = batches.next();
    if (count === 'unsupported') return yield* walkByKey(handle, valueBytes, make);
    if (count === undefined) return;
    for (let i = 0; i < count; i++) {
      yield make(batches.keys, i * handle.keySize, batches.values, i * valueBytes);
    }
  }
}

/** Walks the keys alone: cheaper for large values, and for maps whose values cannot be read. */
export function* walkKeys<T>(
  handle: MapHandle,
  make: (keys: DataView, offset: number) => T,
): Generator<T, undefined> {
  for (const key of rawKeys(handle)) {
    yield make(new DataView(key.buffer), 0);
  }
}

/** Deletes what a walk finds. Entries that are added meanwhile may stay. */
export function removeAll(handle: MapHandle, valueBytes: number): void {
  const batches = new BatchReader(handle, valueBytes, true);
  for (;;) {
    const count = batches.next();
    if (count === undefined) return;
    if (count === 'unsupported') break;
  }
  for (const key of rawKeys(handle)) handle.kernel.mapDelete(handle.fd(), key);
}

/** Reads (and removes) entries many at a time. `keys` and `values` hold the latest batch. */
class BatchReader {
  keys: DataView;
  values: DataView;
  readonly #handle: MapHandle;
  readonly #valueBytes: number;
  readonly #remove: boolean;
  #count: number;
  #cursor: Uint8Array | null | undefined = null;

  constructor(handle: MapHandle, valueBytes: number, remove: boolean) {
    this.#handle = handle;
    this.#valueBytes = valueBytes;
    this.#remove = remove;
    const fitting = Math.floor(BATCH_BYTES / (handle.keySize + valueBytes));
    this.#count = Math.max(1, Math.min(handle.maxEntries, BATCH_ENTRIES, fitting));
    this.keys = new DataView(new ArrayBuffer(this.#count * handle.keySize));
    this.values = new DataView(new ArrayBuffer(this.#count * valueBytes));
  }

  /** Number of entries read; undefined at the end. */
  next(): number | undefined | 'unsupported' {
    while (this.#cursor !== undefined) {
      try {
        const { count, cursor } = this.#handle.kernel.mapLookupBatch(this.#handle.fd(), {
          keys: bytesOf(this.keys),
          values: bytesOf(this.values),
          count: this.#count,
          cursor: this.#cursor,
          keySize: this.#handle.keySize,
          remove: this.#remove,
        });
        this.#cursor = cursor;
        if (count > 0) return count;
      } catch (error) {
        if (this.#cursor === null && isUnsupported(error)) return 'unsupported';
        if (!hasCode(error, 'ENOSPC') || this.#count >= this.#handle.maxEntries) {
          throw operationError(this.#handle, error, 'read');
        }
        this.#grow();
      }
    }
    return undefined;
  }

  /** One hash bucket holds more than a batch: the kernel gives whole buckets only. */
  #grow(): void {
    this.#count = Math.min(this.#count * 4, this.#handle.maxEntries);
    this.keys = new DataView(new ArrayBuffer(this.#count * this.#handle.keySize));
    this.values = new DataView(new ArrayBuffer(this.#count * this.#valueBytes));
  }
}

function* walkByKey<T>(handle: MapHandle, valueBytes: number, make: MakeEntry<T>): Generator<T, undefined> {
  const values = new DataView(new ArrayBuffer(valueBytes));
  for (const key of rawKeys(handle)) {
    const found = handle.kernel.mapLookup(handle.fd(), key, bytesOf(values));
    if (found) yield make(new DataView(key.buffer), 0, values, 0);
  }
}

/** Every key, as a fresh array. The next key is fetched before one is given out, so deleting that one does no harm. */
function* rawKeys(handle: MapHandle): Generator<Uint8Array<ArrayBuffer>, undefined> {
  const seen = new Set<string>();
  let key = nextKey(handle, null);
  // A walk that starts anew meets keys again; twice the map is enough to finish one disturbed walk.
  for (let steps = handle.maxEntries * 2; key !== undefined && steps > 0; steps--) {
    const next = nextKey(handle, key);
    const text = String.fromCharCode(...key);
    if (!seen.has(text)) {
      seen.add(text);
      yield key;
    }
    key = next;
  }
}

function nextKey(handle: MapHandle, key: Uint8Array | null): Uint8Array<ArrayBuffer> | undefined {
  const next = new Uint8Array(handle.keySize);
  return handle.kernel.mapNextKey(handle.fd(), key, next) ? next : undefined;
}

function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
