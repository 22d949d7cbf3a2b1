import type { Btf } from '../btf/btf.js';
import { inSteps } from '../btf/scan.js';
import { essentialName } from './names.js';

/** Bytes of a name that the filter looks at: enough to let few other names pass, and most type names have them. */
const PREFIX = 4;
const KIND_FUNC = 12;
const UNDERSCORE = 95;
const HASH = 0x9e3779b1;
const NONE: readonly number[] = [];

/**
 * Ids by essential name, for the names asked for only: a map of all names of a kernel costs ten times a load. One
 * pass compares every type's name in the raw string table, first a few bytes of it, and decodes what is left.
 * Functions are left out: most names are theirs, and no relocation fits one.
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
    if (!this.#ids.has(name)) this.#add([name, ...others]);
    return this.#ids.get(name) ?? NONE;
  }

  #add(names: readonly string[]): void {
    const fresh = names.filter((name) => !this.#ids.has(name));
    for (const name of fresh) this.#ids.set(name, []);
    for (const id of idsThatPass(this.#btf, new NameFilter(fresh))) {
      this.#ids.get(essentialName(this.#btf.name(id)))?.push(id);
    }
  }
}

/** May a type's name be one of the names, or a flavour of it? The tables are open to the loop below, which runs cold. */
class NameFilter {
  /** By hash of the first bytes. */
  readonly prefixes = new Uint8Array(1 << 16);
  /** By first byte of names shorter than a prefix. */
  readonly shorts = new Uint8Array(256);
  readonly #names: Uint8Array[] = [];

  constructor(names: readonly string[]) {
    for (const name of names) {
      const bytes = new TextEncoder().encode(name);
      const [a = 0, b = 0, c = 0, d = 0] = bytes;
      if (bytes.length < PREFIX) this.shorts[a] = 1;
      else this.prefixes[hash(a | (b << 8) | (c << 16) | (d << 24))] = 1;
      this.#names.push(bytes);
    }
  }

  /** Does one of the names begin the string at `at`, and end there or before an underscore? For what the tables let pass. */
  begins(bytes: Uint8Array, at: number): boolean {
    return this.#names.some((name) => {
      const next = bytes[at + name.length] ?? 0;
      if (next !== 0 && next !== UNDERSCORE) return false;
      for (let i = 0; i < name.length; i++) if (bytes[at + i] !== name[i]) return false;
      return true;
    });
  }
}

/** `word` is the first four bytes, little-endian. */
function hash(word: number): number {
  return Math.imul(word, HASH) >>> 16;
}

/** One pass over raw bytes: it sees 130,000 types, once, before the engine has compiled much of it. */
function idsThatPass(btf: Btf, filter: NameFilter): number[] {
  const { prefixes, shorts } = filter;
  const { firstString, firstId } = btf;
  const { kinds, names } = btf.table;
  const base = btf.base ?? btf;
  const view = viewOf(btf);
  const baseView = viewOf(base);
  const start = btf.tables.stringsStart - firstString;
  const baseStart = base.tables.stringsStart - base.firstString;
  const ids: number[] = [];
  inSteps(names.length, (first, end) => {
    for (let i = first; i < end; i++) {
      const name = names[i] ?? 0;
      if (name === 0 || kinds[i] === KIND_FUNC) continue;
      const own = name >= firstString;
      const from = own ? view : baseView;
      const at = name + (own ? start : baseStart);
      if (at + PREFIX <= from.byteLength) {
        const word = from.getUint32(at, true);
        // hash(word), without a call.
        if (prefixes[Math.imul(word, HASH) >>> 16] !== 1 && shorts[word & 0xff] !== 1) continue;
      }
      if (filter.begins(own ? btf.bytes : base.bytes, at)) ids.push(firstId + i);
    }
    return true;
  });
  return ids;
}

function viewOf({ bytes }: Btf): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
