// Arrays of a known length. What V8 keeps of an array depends on its elements: one that begins as `new Array(length)` is
// made for small integers, and with the first element of another kind all of its memory is left behind for other memory.
// Copies of an array that has such elements begin with the right one.

/** Copies of up to this many elements come from an array that is kept. */
const KEPT = 4096;

let blanks: unknown[] = new Array(16).fill(undefined);
let fractions: number[] = new Array(16).fill(0.5);

/** An array for `length` elements that are no numbers. */
export function roomFor<T>(length: number): T[] {
  if (length > blanks.length) {
    if (length > KEPT) return lengthened<T>([undefined], length);
    blanks = new Array(KEPT).fill(undefined);
  }
  return blanks.slice(0, length) as T[]; // filled by who asked for it
}

/** An array for `length` numbers of which some may be fractions, or beyond 31 bits. */
export function roomForNumbers(length: number): number[] {
  if (length > fractions.length) {
    if (length > KEPT) return lengthened<number>([0.5], length);
    fractions = new Array(KEPT).fill(0.5);
  }
  return fractions.slice(0, length);
}

function lengthened<T>(first: unknown[], length: number): T[] {
  first.length = length;
  return first as T[]; // as above
}
