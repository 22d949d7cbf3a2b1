import type { Codec } from '../codec/codec.js';
import { writeWithin } from '../codec/struct.js';
import type { MapWriteResult } from '../kernel/kernel.js';
import { BPF_F_LOCK } from '../uapi.js';
import type { MapHandle } from './map.js';
import { hasCode, isUnsupported, lockError, updateError, writeError } from './map-error.js';

// A batch is as many entries as fit here: enough to make the system calls vanish, little enough not to be felt.
const BATCH_ENTRIES = 4096;
const BATCH_BYTES = 1 << 20;

/** Entries of `bytes` bytes that one system call reads or writes at once. */
export function batchSize(bytes: number): number {
  return Math.max(1, Math.min(BATCH_ENTRIES, Math.floor(BATCH_BYTES / bytes)));
}

/** What writing many entries needs to know of a map. `valueBytes` is what a lookup fills: for per-CPU maps, all CPUs. */
export interface ManyTarget<K, V> {
  readonly handle: MapHandle;
  readonly key: Codec<K>;
  readonly value: Codec<V>;
  readonly valueBytes: number;
}

/**
 * Writes entries in order, many in one call: BPF_MAP_UPDATE_BATCH since Linux 5.6, before that one by one. The batch
 * command takes no flag but BPF_F_LOCK (kernel: generic_map_update_batch), so with others it is one by one too. When one
 * is refused, those before it are written.
 */
export function setMany<K, V>(
  { handle, key, value, valueBytes }: ManyTarget<K, V>,
  entries: Iterable<readonly [K, V]>,
  flags: bigint,
): void {
  const { keySize, kernel } = handle;
  let batches = (flags & ~BPF_F_LOCK) === 0n;
  for (const chunk of chunks(entries, batchSize(keySize + valueBytes))) {
    const keys = encoded(chunk, keySize, (view, offset, entry) =>
      writeWithin(key, view, offset, keySize, entry[0]),
    );
    const values = encoded(chunk, valueBytes, (view, offset, entry) =>
      writeWithin(value, view, offset, valueBytes, entry[1]),
    );
    let done = 0;
    if (batches) {
      const result = kernel.mapUpdateBatch(handle.fd(), { keys, values, count: chunk.length, flags });
      const { refusal } = result;
      done = result.count;
      batches = !isMissing(result);
      if (refusal !== undefined && batches)
        throw updateError(handle, lockError(refusal, flags), chunk[done]?.[0]);
    }
    for (; done < chunk.length; done++) {
      const keyBytes = keys.subarray(done * keySize, (done + 1) * keySize);
      const bytes = values.subarray(done * valueBytes, (done + 1) * valueBytes);
      try {
        kernel.mapUpdate(handle.fd(), keyBytes, bytes, flags);
      } catch (error) {
        throw updateError(handle, lockError(error, flags), chunk[done]?.[0]);
      }
    }
  }
}

/** Deletes keys, many in one call where the kernel can (Linux 5.6); absent ones are passed over. How many were there. */
export function deleteMany<K>(
  { handle, key }: Pick<ManyTarget<K, never>, 'handle' | 'key'>,
  wanted: Iterable<K>,
): number {
  const { keySize, kernel } = handle;
  let batches = true;
  let deleted = 0;
  for (const chunk of chunks(wanted, batchSize(keySize))) {
    const keys = encoded(chunk, keySize, (view, offset, entry) =>
      writeWithin(key, view, offset, keySize, entry),
    );
    let at = 0;
    while (batches && at < chunk.length) {
      const rest = keys.subarray(at * keySize);
      const result = kernel.mapDeleteBatch(handle.fd(), { keys: rest, count: chunk.length - at });
      if (isMissing(result)) {
        batches = false;
        break;
      }
      deleted += result.count;
      // It stopped at a key that is not there; it goes on behind it.
      at += result.count + 1;
      if (result.refusal !== undefined && !hasCode(result.refusal, 'ENOENT')) {
        throw writeError(handle, result.refusal, 'delete from');
      }
    }
    for (; at < chunk.length; at++) {
      try {
        if (kernel.mapDelete(handle.fd(), keys.subarray(at * keySize, (at + 1) * keySize))) deleted++;
      } catch (error) {
        throw writeError(handle, error, 'delete from');
      }
    }
  }
  return deleted;
}

/** True when the kernel has no such command, or not for this type of map: nothing was done. */
function isMissing({ count, refusal }: MapWriteResult): boolean {
  return count === 0 && isUnsupported(refusal);
}

/** What `items` gives, `size` at a time. */
function* chunks<T>(items: Iterable<T>, size: number): Generator<T[], undefined> {
  let chunk: T[] = [];
  for (const item of items) {
    chunk.push(item);
    if (chunk.length < size) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

function encoded<T>(
  items: readonly T[],
  size: number,
  write: (view: DataView, offset: number, item: T) => void,
): Uint8Array {
  const bytes = new Uint8Array(items.length * size);
  const view = new DataView(bytes.buffer);
  items.forEach((item, index) => {
    write(view, index * size, item);
  });
  return bytes;
}
