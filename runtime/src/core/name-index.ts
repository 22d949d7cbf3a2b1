import type { Btf } from '../btf/btf.js';
import { essentialName } from './names.js';

/** Bytes of a name that the filter looks at: enough to let few other names pass, and most type names have them. */
const PREFIX = 4;
const NONE: readonly number[] = [];

/**
 * Ids by essential name, for the names asked for only: a map of all names of a kernel costs ten times a load. One
 * pass compares the first bytes of every type's name in the raw string table, and decodes the few names that pass.
 */
export class NameIndex {
  static readonly #known = new WeakMap<Btf, NameIndex>();

  readonly #btf: Btf;
  readonly #ids = new Map<string, number[]>();

  private constructor(btf: Btf) {
    this.#btf = btf;
  }

  /** The index of a BTF; one for as long as the BTF is in use. */
  static of(btf: Btf): NameIndex {
    let index = NameIndex.#known.get(btf);
    if (index === undefined) {
      index = new NameIndex(btf);
      NameIndex.#known.set(btf, index);
    }
    return index;
  }

  /** Ids (the base's excluded) with the essential name `name`. When it is new, `others` are looked up in the same pass. */
  ids(name: string, others: Iterable<string> = []): readonly number[] {
    if (!this.#ids.has(name)) this.#scan([name, ...others]);
    return this.#ids.get(name) ?? NONE;
  }

  #scan(names: readonly string[]): void {
    const filter = new PrefixFilter();
    for (const name of names) {
      if (this.#ids.has(name)) continue;
      this.#ids.set(name, []);
      filter.add(name);
    }
    const btf = this.#btf;
    const strings = btf.base === undefined ? [btf] : [btf, btf.base];
    const view = new DataView(btf.bytes.buffer, btf.bytes.byteOffset, btf.bytes.byteLength);
    for (let id = btf.firstId; id < btf.endId; id++) {
      const nameOffset = view.getUint32(btf.recordOffset(id), btf.littleEndian);
      if (nameOffset === 0) continue;
      const { bytes, tables, firstString } = (nameOffset < btf.firstString ? strings[1] : btf) ?? btf;
      if (!filter.passes(bytes, tables.stringsStart + nameOffset - firstString)) continue;
      this.#ids.get(essentialName(btf.name(id)))?.push(id);
    }
  }
}

/** May a name in a string table begin like one of the names? Never wrongly no. */
class PrefixFilter {
  readonly #prefixes = new Uint8Array(1 << 16);
  /** First bytes of names shorter than a prefix. */
  readonly #shorts = new Uint8Array(256);

  add(name: string): void {
    const bytes = new TextEncoder().encode(name);
    if (bytes.length < PREFIX) this.#shorts[bytes[0] ?? 0] = 1;
    else this.#prefixes[this.#hash(bytes, 0)] = 1;
  }

  passes(bytes: Uint8Array, at: number): boolean {
    return this.#prefixes[this.#hash(bytes, at)] === 1 || this.#shorts[bytes[at] ?? 0] === 1;
  }

  #hash(bytes: Uint8Array, at: number): number {
    const prefix =
      (bytes[at] ?? 0) |
      ((bytes[at + 1] ?? 0) << 8) |
      ((bytes[at + 2] ?? 0) << 16) |
      ((bytes[at + 3] ?? 0) << 24);
    return Math.imul(prefix, 0x9e3779b1) >>> 16;
  }
}
