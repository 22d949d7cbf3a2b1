import type { Btf } from '../btf/btf.js';
import { STEP, type TypeTable } from '../btf/scan.js';
import { essentialName } from './names.js';

/** Bytes of a name that the filter looks at: enough to let few other names pass, and most type names have them. */
const PREFIX = 4;
const UNDERSCORE = 95;
const HASH_BITS = 12;
const HASH_MASK = (1 << HASH_BITS) - 1;
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

/** Which strings may be one of the names, or a flavour of it? The tables are open to the loop below, which runs cold. */
class NameFilter {
  /** By hash of the first bytes. */
  readonly prefixes = new Uint8Array(1 << HASH_BITS);
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
  return (word ^ (word >>> 15)) & HASH_MASK;
}

/** Ids of the types of `btf`, its base's excluded, that may have one of the names. */
function idsThatPass(btf: Btf, filter: NameFilter): number[] {
  const { table, firstId } = btf;
  const indices: number[] = [];
  // A type of a module may have a name of the kernel's.
  for (let strings: Btf | undefined = btf; strings !== undefined; strings = strings.base) {
    const { bytes, firstString } = strings;
    const { stringsStart, stringsSize } = strings.tables;
    const own = bytes.subarray(stringsStart, stringsStart + stringsSize);
    const pass: Pass = { table, filter, firstString, bytes: own, view: viewOf(own), indices };
    for (let from = 0; from < table.named.length; from += STEP) addPassing(pass, from);
  }
  return indices.sort((a, b) => a - b).map((index) => firstId + index);
}

/** One pass over the named types, with the strings of one BTF. */
interface Pass {
  readonly table: TypeTable;
  readonly filter: NameFilter;
  /** Offset of the first of these strings. */
  readonly firstString: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** What passed, as indices into the table. */
  readonly indices: number[];
}

/** Looks at the next types, {@link STEP} of them. As takeTypes(), this is slow until it is compiled, so it is short. */
function addPassing({ table, filter, firstString, bytes, view, indices }: Pass, from: number): void {
  const { words, starts, named } = table;
  const { prefixes, shorts } = filter;
  const last = bytes.length - PREFIX;
  const end = Math.min(from + STEP, named.length);
  for (let i = from; i < end; i++) {
    const index = named[i] ?? 0;
    const at = (words[starts[index] ?? 0] ?? 0) - firstString;
    if (at >= 0 && at <= last) {
      const word = view.getInt32(at, true);
      // hash(word), without a call.
      if (prefixes[(word ^ (word >>> 15)) & HASH_MASK] !== 1 && shorts[word & 0xff] !== 1) continue;
    }
    if (at >= 0 && at < bytes.length && filter.begins(bytes, at)) indices.push(index);
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
