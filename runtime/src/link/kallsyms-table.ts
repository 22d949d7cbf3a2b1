import { SymbolOrder } from './symbol-order.js';

/** A function of the kernel, and where in it an address lies. */
export interface KernelFunction {
  readonly name: string;
  /** Bytes from the function's start. */
  readonly offset: number;
  /** The module it belongs to; `bpf` for BPF programs. */
  readonly module: string | undefined;
}

const NEWLINE = 10;
const TAB = 9;
const BLANK = 32;

/** No function is as large; behind the last one of a module lies nothing. */
const LONGEST = 1 << 20;

const decoder = new TextDecoder('latin1');

/** The functions of `/proc/kallsyms` by address. Keeps the file's bytes: names are read out of them when one is wanted. */
export class KallsymsTable {
  readonly #bytes: Uint8Array;
  readonly #order: SymbolOrder;
  /** Addresses are kept as distances from this one, which a double tells apart and whole addresses it does not. */
  readonly #base: bigint;
  /** Those that were asked for: stacks go through the same functions. */
  readonly #names = new Map<number, Omit<KernelFunction, 'offset'>>();
  /** Lines that are functions whose address the kernel keeps to itself. */
  readonly hidden: number;

  /** `bytes` are lines `ADDRESS TYPE NAME[\t[MODULE]]`; others are passed over. */
  constructor(bytes: Uint8Array) {
    const { high, low, starts, places, hidden } = scan(bytes);
    this.#bytes = bytes;
    this.hidden = hidden;
    this.#base = (BigInt(high) << 32n) + BigInt(low);
    this.#order = new SymbolOrder(starts, places);
  }

  get count(): number {
    return this.#order.count;
  }

  find(address: bigint): KernelFunction | undefined {
    const found = this.#order.find(Number(address - this.#base));
    if (found === undefined || found.offset >= LONGEST) return undefined;
    let owner = this.#names.get(found.place);
    if (owner === undefined) {
      owner = this.#nameAt(found.place);
      this.#names.set(found.place, owner);
    }
    return { name: owner.name, offset: found.offset, module: owner.module };
  }

  #nameAt(start: number): Omit<KernelFunction, 'offset'> {
    const newline = this.#bytes.indexOf(NEWLINE, start);
    const end = newline < 0 ? this.#bytes.length : newline;
    const tab = this.#bytes.subarray(start, end).indexOf(TAB);
    const line = decoder.decode(this.#bytes.subarray(start, end));
    if (tab < 0) return { name: line, module: undefined };
    return { name: line.slice(0, tab), module: line.slice(tab + 1).replace(/^\[|\]$/g, '') };
  }
}

/** Finds the lines that are functions: distances of their addresses from the first, and places of their names. */
function scan(bytes: Uint8Array) {
  // No line is shorter than a digit, a type, a letter and what is between them.
  const most = Math.ceil(bytes.length / 6);
  const starts = new Float64Array(most);
  const places = new Uint32Array(most);
  const { length } = bytes;
  let count = 0;
  let hidden = 0;
  let baseHigh = 0;
  let baseLow = 0;
  for (let at = 0; at < length; at++) {
    const line = at;
    let high = 0;
    let low = 0;
    let code = bytes[at] ?? 0;
    // The last eight digits and those before, as signed words: those are quick.
    while (at < length && code !== BLANK && code !== NEWLINE) {
      high = (high << 4) | (low >>> 28);
      low = (low << 4) | ((code >= 0x61 ? code - 0x57 : code - 0x30) & 0xf);
      at += 1;
      code = bytes[at] ?? 0;
    }
    if (code === BLANK && bytes[at + 2] === BLANK && isFunction(bytes[at + 1] ?? 0)) {
      if (high === 0 && low === 0) hidden += 1;
      // On 64-bit machines everything of the kernel lies in the upper half.
      else if (at - line !== 16 || high < 0) {
        if (count === 0) {
          baseHigh = high >>> 0;
          baseLow = low >>> 0;
        }
        starts[count] = ((high >>> 0) - baseHigh) * 2 ** 32 + ((low >>> 0) - baseLow);
        places[count] = at + 3;
        count += 1;
      }
    }
    while (at < length && bytes[at] !== NEWLINE) at += 1;
  }
  return {
    high: baseHigh,
    low: baseLow,
    starts: starts.slice(0, count),
    places: places.slice(0, count),
    hidden,
  };
}

/** Types t, T, w and W. */
function isFunction(type: number): boolean {
  return type === 0x74 || type === 0x54 || type === 0x77 || type === 0x57;
}
