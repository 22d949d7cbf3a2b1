import { hostWords } from '../bytes.js';
import { MalformedError } from '../errors.js';
import { kindNumber, recordSize } from './decode.js';
import type { BtfTables } from './header.js';

/** What passes over all types look at: the types in the order of their ids. Not to be written to. */
export interface TypeTable {
  /** The records, as numbers of this host. Signed: V8 keeps those of 32 bits without a box. */
  readonly words: Int32Array;
  /** Where each record starts, as an index into {@link words}: its name, then its kind with its number of elements. */
  readonly starts: Int32Array;
  /** The types that may have a name and are no functions, as indices into {@link starts}: one of six in a kernel. */
  readonly named: Int32Array;
}

/** Bytes of the smallest record. */
const RECORD = 12;

/**
 * Types that one call looks at. A kernel has 130,000 and a process passes over them once or twice: V8 compiles a
 * function that is called often much sooner than a loop that runs once (measured: twice as fast).
 */
export const STEP = 64;

/** Kinds that have no name (PTR, ARRAY, the qualifiers, FUNC_PROTO), and FUNC. */
const NO_TYPE_NAME: ReadonlySet<number> = new Set([2, 3, 9, 10, 11, 12, 13]);

/**
 * By kind, in one number for one read: words of a record, words more for each element from bit 8, and a one in bit 16
 * for kinds that {@link TypeTable.named} has. Zero for unknown kinds.
 */
const SHAPES = Int32Array.from({ length: 128 }, (_, kind) => {
  const size = recordSize(kind << 24) / 4;
  const each = recordSize((kind << 24) | 1) / 4 - size;
  return size === 0 ? 0 : size | (each << 8) | (NO_TYPE_NAME.has(kind) ? 0 : 1 << 16);
});

/** Finds every type. Throws MalformedError for records that cannot be. */
export function scanTypes(bytes: Uint8Array, tables: BtfTables, firstId: number, label: string): TypeTable {
  const { typesStart, typesSize, littleEndian } = tables;
  const words = hostWords(bytes, typesStart, Math.floor(typesSize / 4), littleEndian);
  // No record is smaller, so these are enough. What is not written to takes no memory.
  const capacity = Math.floor(typesSize / RECORD);
  const scan: Scan = {
    words,
    starts: new Int32Array(capacity),
    named: new Int32Array(capacity),
    next: 0,
    count: 0,
    names: 0,
  };
  while (scan.next < words.length && scan.count < capacity) {
    takeTypes(scan, Math.min(scan.count + STEP, capacity));
  }
  const { starts, named, next, names } = scan;
  if (next * 4 !== typesSize) throw brokenRecord(words, tables, firstId, label);
  let { count } = scan;
  while (count > 0 && starts[count - 1] === next) count--;
  return { words, starts: starts.subarray(0, count), named: named.subarray(0, names) };
}

/** A scan under way: the tables, and how much of each is filled. */
interface Scan extends TypeTable {
  next: number;
  count: number;
  names: number;
}

/**
 * Takes the next types. As short as it can be: most of the time goes by until V8 has compiled it. So nothing is called,
 * and nothing checked: what is no record, or behind the last one, has no size and is met again and again.
 */
function takeTypes(scan: Scan, stop: number): void {
  const { words, starts, named } = scan;
  let { next, names } = scan;
  for (let index = scan.count; index < stop; index++) {
    starts[index] = next;
    const info = words[next + 1] ?? 0;
    const shape = SHAPES[(info >>> 24) & 0x7f] ?? 0;
    named[names] = index;
    names += shape >> 16;
    next += (shape & 0xff) + ((shape >> 8) & 0xff) * (info & 0xffffff);
  }
  scan.next = next;
  scan.count = stop;
  scan.names = names;
}

/** The error for the first record that cannot be, which is there. */
function brokenRecord(
  words: Int32Array,
  { typesStart, typesSize }: BtfTables,
  firstId: number,
  label: string,
): MalformedError {
  for (let at = 0, id = firstId; ; id++) {
    const left = typesSize - at;
    const info = words[at / 4 + 1] ?? 0;
    const size = recordSize(info);
    const broken = (what: string) => new MalformedError(label, typesStart + at, `type [${id}] ${what}`);
    if (left < RECORD) return broken('is cut off');
    if (size === 0) return broken(`has the unknown kind ${kindNumber(info)}`);
    if (size > left) return broken(`needs ${size} bytes, ${left} are left`);
    at += size;
  }
}
