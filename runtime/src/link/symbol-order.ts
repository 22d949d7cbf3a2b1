/** Places in a table of symbols, in the order of their addresses: what lies at an address is found in few steps. */
export class SymbolOrder {
  /** Ascending; any numbers that keep the distances between addresses. */
  readonly #starts: Float64Array;
  readonly #places: Uint32Array;

  /** `starts[i]` is where the symbol at `places[i]` begins. Of several at one address the first counts. */
  constructor(starts: Float64Array, places: Uint32Array) {
    const sorted = inOrder({ starts, places });
    this.#starts = sorted.starts;
    this.#places = sorted.places;
  }

  get count(): number {
    return this.#starts.length;
  }

  /** The symbol that begins at `at` or before it, and how far before; undefined when all begin later. */
  find(at: number): { readonly place: number; readonly offset: number } | undefined {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] ?? 0) <= at) low = middle + 1;
      else high = middle;
    }
    let index = low - 1;
    const start = this.#starts[index];
    if (start === undefined) return undefined;
    while (index > 0 && this.#starts[index - 1] === start) index -= 1;
    return { place: this.#places[index] ?? 0, offset: at - start };
  }
}

interface Columns {
  readonly starts: Float64Array;
  readonly places: Uint32Array;
}

/**
 * Both columns by ascending start; what is equal keeps its order. Tables come in long pieces that are in order already (the
 * kernel's own symbols, those of each module), so pieces are merged: several times faster than sort() with a function.
 */
function inOrder(columns: Columns): Columns {
  const { starts } = columns;
  // Where the pieces begin, and the end.
  let pieces: number[] = [0];
  for (let i = 1; i < starts.length; i++) if ((starts[i] ?? 0) < (starts[i - 1] ?? 0)) pieces.push(i);
  pieces.push(starts.length);
  let from = columns;
  let to: Columns | undefined;
  while (pieces.length > 2) {
    to ??= { starts: new Float64Array(starts.length), places: new Uint32Array(starts.length) };
    const next: number[] = [];
    for (let piece = 0; piece < pieces.length - 1; piece += 2) {
      const [first = 0, middle = starts.length, last = middle] = pieces.slice(piece, piece + 3);
      merge(from, to, first, middle, last);
      next.push(first);
    }
    next.push(starts.length);
    pieces = next;
    // The columns that were given are not ours to write to.
    const merged = to;
    to = from === columns ? undefined : from;
    from = merged;
  }
  return from;
}

/** Two neighbouring pieces, each in order, into one. */
function merge(from: Columns, to: Columns, first: number, middle: number, last: number): void {
  let left = first;
  let right = middle;
  for (let at = first; at < last; at++) {
    const isLeft = left < middle && (right >= last || (from.starts[left] ?? 0) <= (from.starts[right] ?? 0));
    const source = isLeft ? left++ : right++;
    to.starts[at] = from.starts[source] ?? 0;
    to.places[at] = from.places[source] ?? 0;
  }
}
