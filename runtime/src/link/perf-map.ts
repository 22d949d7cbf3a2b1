import { SymbolOrder } from './symbol-order.js';

/**
 * The functions that a compiler inside a process made, as it writes them to `/tmp/perf-PID.map`: lines `START SIZE NAME`,
 * hexadecimal. `node --perf-basic-prof` does.
 */
export class PerfMap {
  readonly #names: string[] = [];
  readonly #sizes: number[] = [];
  readonly #order: SymbolOrder;

  constructor(text: string) {
    const starts: number[] = [];
    for (const [, start = '', size = '', name = ''] of text.matchAll(line)) {
      const address = Number.parseInt(start, 16);
      if (!Number.isSafeInteger(address)) continue;
      starts.push(address);
      this.#sizes.push(Number.parseInt(size, 16));
      this.#names.push(name);
    }
    // What comes later in the file was compiled later, perhaps in the same place.
    const last = starts.length - 1;
    this.#order = new SymbolOrder(
      Float64Array.from(starts).reverse(),
      Uint32Array.from(starts, (_, index) => last - index),
    );
  }

  find(address: bigint): { readonly name: string; readonly offset: number } | undefined {
    const found = this.#order.find(Number(address));
    if (found === undefined || found.offset >= (this.#sizes[found.place] ?? 0)) return undefined;
    return { name: this.#names[found.place] ?? '', offset: found.offset };
  }
}

const line = /^(?:0x)?([0-9a-f]{1,16}) (?:0x)?([0-9a-f]{1,12}) (.*)$/gim;
