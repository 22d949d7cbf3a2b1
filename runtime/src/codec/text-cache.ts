/** The length of task names (TASK_COMM_LEN), by far the most common `char[N]` in records. */
export const CACHED_LENGTH = 16;

const SLOTS = 256;
const WORDS = CACHED_LENGTH / 4;
const keys = new Uint32Array(SLOTS * WORDS);
const texts = new Array<string | undefined>(SLOTS).fill(undefined);

/**
 * The text that `decode` makes of the 16 bytes at `offset`, or the same string again when such bytes were decoded
 * before: names of tasks repeat, and making a string a character at a time takes as long as all the rest of a record.
 */
export function cachedText(
  view: DataView,
  offset: number,
  decode: (view: DataView, offset: number, length: number) => string,
): string {
  const a = view.getUint32(offset, true);
  const b = view.getUint32(offset + 4, true);
  const c = view.getUint32(offset + 8, true);
  const d = view.getUint32(offset + 12, true);
  const mixed = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b) ^ Math.imul(c, 0xc2b2ae35) ^ d;
  const slot = (mixed ^ (mixed >>> 15)) & (SLOTS - 1);
  const at = slot * WORDS;
  if (keys[at] === a && keys[at + 1] === b && keys[at + 2] === c && keys[at + 3] === d) {
    const known = texts[slot];
    if (known !== undefined) return known;
  }
  const text = decode(view, offset, CACHED_LENGTH);
  keys[at] = a;
  keys[at + 1] = b;
  keys[at + 2] = c;
  keys[at + 3] = d;
  texts[slot] = text;
  return text;
}
