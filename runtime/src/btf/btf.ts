import { plainBytes } from '../bytes.js';
import { MalformedError } from '../errors.js';
import { decodeType, kindNames, kindNumber, voidType } from './decode.js';
import { type BtfTables, readTables } from './header.js';
import { BtfLayout, MAX_CHAIN } from './layout.js';
import { STEP, scanTypes, type TypeTable } from './scan.js';
import type { BtfKind, BtfType } from './types.js';

/** Where BTF comes from. */
export interface BtfOptions {
  /** The BTF whose ids and strings come first: vmlinux's, for a module's. */
  base?: Btf | undefined;
  /** What errors call these bytes; `.BTF` unless said. */
  label?: string;
}

/**
 * The types of one object, kernel or module (Documentation/bpf/btf.rst). One scan finds where every type starts;
 * types are decoded when asked for. Reads either byte order. Throws MalformedError, and nothing else, for bad bytes.
 */
export class Btf {
  /** The bytes given to {@link parse}; shared, not copied. */
  readonly bytes: Uint8Array;
  readonly littleEndian: boolean;
  readonly base?: Btf;
  /** What errors call these bytes. */
  readonly label: string;
  /** First id of this BTF's own types: 1 unless there is a base. */
  readonly firstId: number;
  /** One past the last id. */
  readonly endId: number;
  /** Where types and strings lie in {@link bytes}. */
  readonly tables: BtfTables;
  /** Offset of this BTF's first string in the space that names count in; 0 unless there is a base. */
  readonly firstString: number;

  /** The types of this BTF, its base's excluded. */
  readonly table: TypeTable;

  readonly #view: DataView;
  readonly #types = new Map<number, BtfType>();
  readonly #layout: BtfLayout;

  private constructor(bytes: Uint8Array, { base, label = '.BTF' }: BtfOptions) {
    this.bytes = bytes;
    this.label = label;
    this.tables = readTables(bytes, label, base !== undefined);
    this.littleEndian = this.tables.littleEndian;
    if (base !== undefined) this.base = base;
    this.firstId = base?.endId ?? 1;
    this.firstString = base === undefined ? 0 : base.firstString + base.tables.stringsSize;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.table = scanTypes(bytes, this.tables, this.firstId, label);
    this.endId = this.firstId + this.table.starts.length;
    this.#layout = new BtfLayout(this);
  }

  /** Reads the header and finds every type. `bytes` must not change afterwards. */
  static parse(bytes: Uint8Array, options: BtfOptions = {}): Btf {
    return new Btf(plainBytes(bytes), options);
  }

  /** The type with this id; 0 is void. Throws MalformedError when there is none or it does not decode. */
  type(id: number): BtfType {
    if (id === 0) return voidType;
    if (id < this.firstId && this.base !== undefined) return this.base.type(id);
    const known = this.#types.get(id);
    if (known !== undefined) return known;
    const type = decodeType(this, this.#view, id, this.recordOffset(id));
    this.#types.set(id, type);
    return type;
  }

  /** The kind of a type, without decoding it. */
  kind(id: number): BtfKind {
    if (id === 0) return 'void';
    if (id < this.firstId && this.base !== undefined) return this.base.kind(id);
    return kindNames[kindNumber(this.#word(id, 1))] ?? 'void';
  }

  /** The name of a type, without decoding the rest; empty when it has none. */
  name(id: number): string {
    if (id === 0) return '';
    if (id < this.firstId && this.base !== undefined) return this.base.name(id);
    return this.string(this.#word(id, 0));
  }

  /**
   * The string at an offset as the records give it (a base's strings come first). Throws MalformedError when it lies
   * outside, or is longer than `longest` bytes: no name is, and many names that share one long string take for ever.
   */
  string(offset: number, longest = 4096): string {
    if (offset < this.firstString && this.base !== undefined) return this.base.string(offset, longest);
    const { stringsStart, stringsSize } = this.tables;
    const start = stringsStart + offset - this.firstString;
    const end = stringsStart + stringsSize;
    if (!(start < end) || offset < 0) {
      if (offset === 0) return '';
      throw new MalformedError(this.label, stringsStart, `string ${offset} lies outside the string table`);
    }
    const text = readString(this.bytes, start, Math.min(end, start + longest + 1));
    if (text.length > longest) {
      throw new MalformedError(this.label, start, `a name is longer than ${longest} bytes`);
    }
    return text;
  }

  /** One past the last offset of a string of this BTF; those of its base come first. */
  get endString(): number {
    return this.firstString + this.tables.stringsSize;
  }

  /** True when `offset` names a string of this BTF or its base. */
  hasString(offset: number): boolean {
    return offset < this.endString || offset === 0;
  }

  /** First id with this name and one of these kinds (any kind when none is given), base first; undefined when there is none. */
  find(name: string, ...kinds: BtfKind[]): number | undefined {
    return this.base?.find(name, ...kinds) ?? this.findOwn(name, ...kinds);
  }

  /** As {@link find}, without looking in the base. */
  findOwn(name: string, ...kinds: BtfKind[]): number | undefined {
    return this.#search(name, kinds, true, 1)[0];
  }

  /** Every id of this BTF, base excluded, with a name that begins with `prefix`: candidates for CO-RE's flavours. */
  findPrefix(prefix: string, ...kinds: BtfKind[]): number[] {
    return this.#search(prefix, kinds, false, Number.POSITIVE_INFINITY);
  }

  /** The type behind typedefs, qualifiers and type tags. */
  resolve(id: number): BtfType {
    let type = this.type(id);
    for (let hops = 0; ; hops++) {
      switch (type.kind) {
        case 'typedef':
        case 'const':
        case 'volatile':
        case 'restrict':
        case 'type_tag':
          break;
        default:
          return type;
      }
      if (hops >= MAX_CHAIN) throw this.malformed(id, 'its typedefs and qualifiers lead nowhere');
      type = this.type(type.type);
    }
  }

  /** Size of a type in bytes, as libbpf's btf__resolve_size. Throws MalformedError for types that have none (void, functions, forward declarations). */
  sizeOf(id: number): number {
    return this.#layout.sizeOf(id);
  }

  /** Alignment of a type in bytes, as libbpf's btf__align_of: 1 for packed structs. Throws MalformedError for types that have none. */
  alignOf(id: number): number {
    return this.#layout.alignOf(id);
  }

  /** Where the record of one of this BTF's own types starts in {@link bytes}. */
  recordOffset(id: number): number {
    return this.tables.typesStart + (this.table.starts[this.#own(id)] ?? 0) * 4;
  }

  /** The error for a type that cannot be. */
  malformed(id: number, what: string): MalformedError {
    const own = id >= this.firstId && id < this.endId;
    return new MalformedError(this.label, own ? this.recordOffset(id) : 0, `type [${id}]: ${what}`);
  }

  /** One of the first words of a type's record. */
  #word(id: number, index: number): number {
    const { words, starts } = this.table;
    return (words[(starts[this.#own(id)] ?? 0) + index] ?? 0) >>> 0;
  }

  #own(id: number): number {
    if (!(id >= this.firstId && id < this.endId)) {
      throw new MalformedError(
        this.label,
        this.tables.typesStart,
        `there is no type [${id}], the last is [${this.endId - 1}]`,
      );
    }
    return id - this.firstId;
  }

  #search(name: string, kinds: readonly BtfKind[], whole: boolean, limit: number): number[] {
    // Nothing is called ''; every name begins with it.
    if (name === '' && whole) return [];
    const wanted = new Uint8Array(kindNames.length).fill(kinds.length === 0 ? 1 : 0);
    for (const kind of kinds) wanted[kindNames.indexOf(kind)] = 1;
    const search: NameSearch = { wanted, text: new TextEncoder().encode(name), whole, found: [] };
    for (let from = 0; from < this.table.starts.length && search.found.length < limit; from += STEP) {
      this.#searchFrom(from, search);
    }
    return search.found.slice(0, limit);
  }

  /** Looks at the next types, {@link STEP} of them. */
  #searchFrom(from: number, { wanted, text, whole, found }: NameSearch): void {
    const { words, starts } = this.table;
    const end = Math.min(from + STEP, starts.length);
    for (let index = from; index < end; index++) {
      const start = starts[index] ?? 0;
      if (wanted[((words[start + 1] ?? 0) >>> 24) & 0x7f] === 0) continue;
      if (this.#stringIs((words[start] ?? 0) >>> 0, text, whole)) found.push(this.firstId + index);
    }
  }

  #stringIs(offset: number, text: Uint8Array, whole: boolean): boolean {
    if (offset < this.firstString && this.base !== undefined) {
      return this.base.#stringIs(offset, text, whole);
    }
    const start = this.tables.stringsStart + offset - this.firstString;
    const end = this.tables.stringsStart + this.tables.stringsSize;
    if (start + text.length >= end) return false;
    for (let i = 0; i < text.length; i++) if (this.bytes[start + i] !== text[i]) return false;
    return !whole || this.bytes[start + text.length] === 0;
  }
}

interface NameSearch {
  /** By kind number: 1 for those looked for. */
  readonly wanted: Uint8Array;
  readonly text: Uint8Array;
  /** False: names that begin with the text will do. */
  readonly whole: boolean;
  /** Ids. */
  readonly found: number[];
}

const utf8 = new TextDecoder();

/** The string at `start`, up to its NUL or `end`. Names are short and ASCII, where a loop beats TextDecoder by far. */
function readString(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === 0) return text;
    if (byte > 0x7f || at - start > 64) {
      const nul = bytes.indexOf(0, at);
      return utf8.decode(bytes.subarray(start, nul < 0 || nul > end ? end : nul));
    }
    text += String.fromCharCode(byte);
  }
  return text;
}
