// What decoding and encoding take of the heap, to the byte. Wants node --expose-gc and a young generation larger than
// what a round makes: nothing is collected then unless it is asked for here, and the difference of two readings is all
// that was made in between.

/** Calls after which V8 has compiled a codec, fewer of large ones, and rounds that are measured then. */
const WARM = 20_000;
const WARM_BYTES = 1 << 21;
const MEASURED = 3;
/** Calls a round at most, and bytes of all results of a round: on one page of the heap, whose end is wasted. */
const CALLS = 2000;
const ROUND = 1 << 17;
/** Full collections take ten times as long as those of young objects: one for every so many measurements. */
const FULL = 32;

let measurements = 0;

/** Heap, and buffers outside of it. */
function used() {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** What is still reachable leaves the young generation, the rest is gone. */
function collect() {
  globalThis.gc({ type: 'minor' });
  globalThis.gc({ type: 'minor' });
}

/** A string whose parts were joined is one piece after this: what is left of it is the text. */
function flatten(value) {
  if (typeof value === 'string') Number(value);
  else if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) {
    for (const item of Object.values(value)) flatten(item);
  }
}

/**
 * Bytes that one call of `make(i)` takes, and how many of them its result is.
 * @param {(i: number) => unknown} make
 * @param {number} length bytes that it reads or writes
 */
function space(make, length) {
  if (++measurements % FULL === 0) globalThis.gc();
  const warm = Math.max(500, Math.min(WARM, WARM_BYTES / length));
  for (let i = 0; i < warm; i++) make(i);
  const kept = new Array(CALLS).fill(null);
  const round = (count) => {
    collect();
    const before = used();
    for (let i = 0; i < count; i++) kept[i] = make(i);
    const taken = (used() - before) / count;
    return { before, taken };
  };
  const count = Math.max(16, Math.min(CALLS, Math.ceil(ROUND / Math.max(64, round(16).taken))));
  // The least of some: what V8 makes while it compiles is in others.
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < MEASURED; i++) least = Math.min(least, round(count).taken);
  kept.fill(null);
  const { before } = round(count);
  for (let i = 0; i < count; i++) flatten(kept[i]);
  collect();
  return { taken: least, remains: (used() - before) / count };
}

/**
 * What decoding and encoding these records take, over and over, by call.
 * @param {{ read(view: DataView, offset: number, end?: number): unknown, write(view: DataView, offset: number, value: unknown): void }} codec
 * @param {readonly Uint8Array[]} records of one length
 * @param {boolean} readOnly encode nothing
 */
export function spaceOf(codec, records, readOnly = false) {
  const [{ length }] = records;
  const all = new Uint8Array(length * records.length);
  for (const [i, bytes] of records.entries()) all.set(bytes, i * length);
  const view = new DataView(all.buffer);
  const read = (i) => {
    const at = (i % records.length) * length;
    return codec.read(view, at, at + length);
  };
  const { taken, remains } = space(read, length);
  // Not of numbers alone: such an array would make an object of each that is asked for.
  const values = new Array(records.length).fill(null);
  for (const i of values.keys()) values[i] = read(i);
  const target = new DataView(new ArrayBuffer(length));
  const encode = (i) => codec.write(target, 0, values[i % values.length]);
  const encoding = readOnly ? 0 : space(encode, length).taken;
  return { length, decoding: taken, value: remains, encoding };
}
