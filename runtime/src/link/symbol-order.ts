/** Places in a table of symbols, in the order of their addresses: what lies at an address is found in few steps. */
export class SymbolOrder {
  /** Ascending; any numbers that keep the distances between addresses. */
  readonly #starts: Float64Array;
  readonly #places: Uint32Array;

  /** `starts[i]` is where the symbol at `places[i]` begins. Of several at one address the first counts. */
  constructor(starts: Float64Array, places: Uint32Array) {
    if (isAscending(starts)) {
      this.#starts = starts;
      this.#places = places;
      return;
    }
    const order = new Uint32Array(starts.length).map((_, index) => index);
    order.sort((a, b) => (starts[a] ?? 0) - (starts[b] ?? 0) || a - b);
    this.#starts = Float64Array.from(order, (index) => starts[index] ?? 0);
    this.#places = Uint32Array.from(order, (index) => places[index] ?? 0);
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

function isAscending(numbers: Float64Array): boolean {
  for (let i = 1; i < numbers.length; i++) {
    if ((numbers[i] ?? 0) < (numbers[i - 1] ?? 0)) return false;
  }
  return true;
}
