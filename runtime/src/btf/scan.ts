import { words } from '../bytes.js';
import { MalformedError } from '../errors.js';
import { kindNumber, recordSize } from './decode.js';
import type { BtfTables } from './header.js';

/** What passes over all types look at: the types in the order of their ids. Not to be written to. */
export interface TypeTable {
  /** Where each record starts, in bytes from the start of the blob. */
  readonly offsets: Uint32Array;
  /** Number of the kind. */
  readonly kinds: Uint8Array;
  /** Offset of the name as the record gives it. */
  readonly names: Uint32Array;
}

/** Bytes of the smallest record. */
const RECORD = 12;

/**
 * Types that one call looks at. A kernel has 130,000 and a process passes over them once or twice: V8 compiles a
 * function that is called often much sooner than a loop that runs once (measured: twice as fast).
 */
const STEP = 64;

/** By kind, in 32-bit words: what a record takes, 0 for unknown kinds, and what each of its elements adds. */
const WORDS = Uint8Array.from({ length: 128 }, (_, kind) => recordSize(kind << 24) / 4);
const WORDS_EACH = WORDS.map((size, kind) => recordSize((kind << 24) | 1) / 4 - size);

/** Calls `part` for short ranges that together are 0 to `end`, for passes over all types. False ends the pass. */
export function inSteps(end: number, part: (from: number, to: number) => boolean): void {
  for (let from = 0; from < end; from += STEP) if (!part(from, Math.min(end, from + STEP))) return;
}

/** Finds every type. Throws MalformedError for records that cannot be. */
export function scanTypes(bytes: Uint8Array, tables: BtfTables, firstId: number, label: string): TypeTable {
  const { typesStart, typesSize, littleEndian } = tables;
  const types = words(bytes, typesStart, Math.floor(typesSize / 4), littleEndian);
  // No record is smaller, so these are enough.
  const capacity = Math.floor(typesSize / RECORD);
  const offsets = new Uint32Array(capacity);
  const kinds = new Uint8Array(capacity);
  const names = new Uint32Array(capacity);
  let count = 0;
  let at = 0;
  /** Takes the next records, up to the first one that is not whole. */
  const step = (stop: number): boolean => {
    let next = at;
    let index = count;
    for (; index < stop; index++) {
      const info = types[next + 1] ?? 0;
      // As kindNumber() and elementCount(): calls double the time of code that is not compiled yet.
      const kind = (info >>> 24) & 0x7f;
      const after = next + (WORDS[kind] ?? 0) + (WORDS_EACH[kind] ?? 0) * (info & 0xffffff);
      if (after === next || after > types.length) break;
      offsets[index] = typesStart + next * 4;
      kinds[index] = kind;
      names[index] = types[next] ?? 0;
      next = after;
    }
    at = next;
    count = index;
    return index === stop;
  };
  inSteps(capacity, (_from, to) => step(to));
  const left = typesSize - at * 4;
  if (left > 0) {
    const broken = (what: string) =>
      new MalformedError(label, typesStart + at * 4, `type [${firstId + count}] ${what}`);
    if (left < RECORD) throw broken('is cut off');
    const info = types[at + 1] ?? 0;
    const size = recordSize(info);
    if (size === 0) throw broken(`has the unknown kind ${kindNumber(info)}`);
    throw broken(`needs ${size} bytes, ${left} are left`);
  }
  return {
    offsets: offsets.slice(0, count),
    kinds: kinds.slice(0, count),
    names: names.slice(0, count),
  };
}
