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
  /** Lines that are functions whose address the kernel keeps to itself. */
  readonly hidden: number;

  /** `bytes` are lines `ADDRESS TYPE NAME[\t[MODULE]]`; others are passed over. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    const starts: number[] = [];
    const places: number[] = [];
    let base: { readonly high: number; readonly low: number } | undefined;
    let hidden = 0;
    for (let line = 0; line < bytes.length; ) {
      const newline = bytes.indexOf(NEWLINE, line);
      const end = newline < 0 ? bytes.length : newline;
      const width = bytes.indexOf(BLANK, line) - line;
      if (isFunction(bytes[line + width + 1]) && bytes[line + width + 2] === BLANK) {
        const high = width === 16 ? hex(bytes, line, line + 8) : 0;
        const low = width === 16 ? hex(bytes, line + 8, line + 16) : hex(bytes, line, line + width);
        if (high === 0 && low === 0) hidden += 1;
        // On 64-bit machines everything of the kernel lies in the upper half.
        else if (width !== 16 || high >= 0x80000000) {
          base ??= { high, low };
          starts.push((high - base.high) * 2 ** 32 + (low - base.low));
          places.push(line + width + 3);
        }
      }
      line = end + 1;
    }
    this.hidden = hidden;
    this.#base = (BigInt(base?.high ?? 0) << 32n) + BigInt(base?.low ?? 0);
    this.#order = new SymbolOrder(Float64Array.from(starts), Uint32Array.from(places));
  }

  get count(): number {
    return this.#order.count;
  }

  find(address: bigint): KernelFunction | undefined {
    const found = this.#order.find(Number(address - this.#base));
    if (found === undefined || found.offset >= LONGEST) return undefined;
    return { ...this.#nameAt(found.place), offset: found.offset };
  }

  #nameAt(start: number): { name: string; module: string | undefined } {
    const newline = this.#bytes.indexOf(NEWLINE, start);
    const end = newline < 0 ? this.#bytes.length : newline;
    const tab = this.#bytes.subarray(start, end).indexOf(TAB);
    const line = decoder.decode(this.#bytes.subarray(start, end));
    if (tab < 0) return { name: line, module: undefined };
    return { name: line.slice(0, tab), module: line.slice(tab + 1).replace(/^\[|\]$/g, '') };
  }
}

/** Types t, T, w and W. */
function isFunction(type: number | undefined): boolean {
  return type === 0x74 || type === 0x54 || type === 0x77 || type === 0x57;
}

/** The number that lower-case hexadecimal digits make. */
function hex(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = bytes[i] ?? 0;
    value = value * 16 + (digit >= 0x61 ? digit - 0x57 : digit - 0x30);
  }
  return value;
}
