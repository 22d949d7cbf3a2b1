import { BPF_MAP_TYPE } from '../uapi.js';
import { batchSize } from './batch.js';
import type { MapHandle } from './map.js';
import { hasCode, isUnsupported, operationError, writeError } from './map-error.js';

/** Receives one entry: views over all keys and all values that were read together, and where this entry lies in them. */
export type MakeEntry<T> = (keys: DataView, keyOffset: number, values: DataView, valueOffset: number) => T;

/**
 * Walks a map that programs and other processes may change meanwhile. In batches where the kernel has them (Linux 5.6
 * for hashes and arrays, 5.14 for tries), else key by key. A key deleted under a walk by keys, as a trie's batches are too, starts
 * the kernel's order anew: keys seen before are passed over and the number of steps is bounded, so it always ends.
 * `valueBytes` is what a lookup fills: for per-CPU maps, all CPUs.
 */
export function* walk<T>(handle: MapHandle, valueBytes: number, make: MakeEntry<T>): Generator<T, undefined> {
  const batches = new BatchReader(handle, valueBytes, false);
  const seen = mayRepeat(handle) ? new SeenKeys(handle) : undefined;
  for (;;) {
    const count = batches.next();
    if (count === 'unsupported') return yield* walkByKey(handle, valueBytes, make);
    if (count === undefined) return;
    for (let i = 0; i < count; i++) {
      const keyOffset = i * handle.keySize;
      if (seen !== undefined) {
        if (seen.full) return;
        if (!seen.add(bytesOf(batches.keys).subarray(keyOffset, keyOffset + handle.keySize))) continue;
      }
      yield entryOf(handle, make, batches.keys, keyOffset, batches.values, i * valueBytes);
    }
  }
}

function entryOf<T>(
  handle: MapHandle,
  make: MakeEntry<T>,
  keys: DataView,
  keyOffset: number,
  values: DataView,
  valueOffset: number,
): T {
  try {
    return make(keys, keyOffset, values, valueOffset);
  } catch (error) {
    throw operationError(handle, error, 'read');
  }
}

/** How many entries a walk finds, without looking at them. */
export function countEntries(handle: MapHandle, valueBytes: number): number {
  let total = 0;
  if (!mayRepeat(handle)) {
    const batches = new BatchReader(handle, valueBytes, false);
    for (;;) {
      const count = batches.next();
      if (count === undefined) return total;
      if (count === 'unsupported') break;
      total += count;
    }
  }
  for (const _ of rawKeys(handle)) total++;
  return total;
}

/** Maps whose batches go from key to key instead of from bucket to bucket (generic_map_lookup_batch, rhtab_map_lookup_batch). */
function mayRepeat({ type }: MapHandle): boolean {
  return type === BPF_MAP_TYPE.LPM_TRIE || type === BPF_MAP_TYPE.RHASH;
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
  // What starts anew could go on for ever while others add.
  for (let removed = 0; removed <= handle.maxEntries * 2; ) {
    const count = batches.next();
    if (count === undefined) return;
    if (count === 'unsupported') break;
    removed += count;
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
    this.#count = Math.min(handle.maxEntries, batchSize(handle.keySize + valueBytes));
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
        if (this.#cursor !== null && hasCode(error, 'EAGAIN')) {
          // The entry to go on with is gone from a resizable hash map.
          this.#cursor = null;
          continue;
        }
        if (!hasCode(error, 'ENOSPC') || this.#count >= this.#handle.maxEntries) {
          throw this.#remove
            ? writeError(this.#handle, error, 'clear')
            : operationError(this.#handle, error, 'read');
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
    if (found) yield entryOf(handle, make, new DataView(key.buffer), 0, values, 0);
  }
}

/** Every key, as a fresh array. The next key is fetched before one is given out, so deleting that one does no harm. */
function* rawKeys(handle: MapHandle): Generator<Uint8Array<ArrayBuffer>, undefined> {
  const seen = new SeenKeys(handle);
  let key = nextKey(handle, null);
  while (key !== undefined && !seen.full) {
    const next = nextKey(handle, key);
    if (seen.add(key)) yield key;
    key = next;
  }
}

/** Steps of a walk over a map without max_entries, such as the storages of attachments. */
const UNLIMITED_ENTRIES = 1 << 20;

/** The keys a walk met. */
class SeenKeys {
  readonly #texts = new Set<string>();
  // A walk that starts anew meets keys again; twice the map is enough to finish one disturbed walk.
  #left: number;

  constructor({ maxEntries }: MapHandle) {
    this.#left = maxEntries === 0 ? UNLIMITED_ENTRIES : maxEntries * 2;
  }

  /** True once the walk met more keys than it should. */
  get full(): boolean {
    return this.#left <= 0;
  }

  /** False when the walk met this one before. */
  add(key: Uint8Array): boolean {
    this.#left--;
    const text = String.fromCharCode(...key);
    if (this.#texts.has(text)) return false;
    this.#texts.add(text);
    return true;
  }
}

function nextKey(handle: MapHandle, key: Uint8Array | null): Uint8Array<ArrayBuffer> | undefined {
  const next = new Uint8Array(handle.keySize);
  return handle.kernel.mapNextKey(handle.fd(), key, next) ? next : undefined;
}

function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
