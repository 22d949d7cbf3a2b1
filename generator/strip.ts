// Drops from an object file what no loader reads: DWARF, and the symbols and relocations that go with it.

const SYMTAB = 2;
const STRTAB = 3;
const RELA = 4;
const NOBITS = 8;
const REL = 9;
const HEADER = 64;
const SECTION = 64;
const SYMBOL = 24;
const SHN_LORESERVE = 0xff00;
/** Bytes of a section's name that are looked at. */
const LONGEST = 64;

interface Section {
  readonly index: number;
  /** A character a byte, the first {@link LONGEST}: enough to know it by. */
  readonly name: string;
  /** The name as it stands: it need not be UTF-8. */
  readonly nameBytes: Uint8Array;
  readonly type: number;
  readonly link: number;
  readonly info: number;
  readonly size: number;
  readonly align: number;
  readonly bytes: Uint8Array;
  readonly header: Uint8Array;
}

/**
 * The same object without debugging sections. `bytes` must have been parsed without complaint; programs, maps, globals,
 * BTF and relocations stay what they are.
 */
export function stripDebug(bytes: Uint8Array): Uint8Array {
  // The slice() of a Buffer does not copy.
  const elf = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = elf[5] !== 2;
  const sections = readSections(elf, little);
  const kept = sections.filter((section) => !isDispensable(section, sections));
  if (kept.length === sections.length) return elf;
  const newIndex = new Map(kept.map((section, index) => [section.index, index] as const));
  const strings = new StringTable();
  const symbols = new Map<number, number>();
  const contents = kept.map((section) => {
    if (section.type === SYMTAB)
      return keepSymbols(section, { sections, newIndex, strings, symbols, little });
    return isRelocations(section) ? section.bytes.slice() : section.bytes;
  });
  for (const [at, section] of kept.entries()) {
    const bytes = contents[at];
    if (bytes !== undefined && isRelocations(section)) {
      renumberRelocations(bytes, section.type, symbols, little);
    }
  }
  return writeObject(elf, { kept, contents, newIndex, strings, little });
}

function readSections(elf: Uint8Array, little: boolean): Section[] {
  const view = viewOf(elf);
  const table = Number(view.getBigUint64(40, little));
  const first = {
    size: Number(view.getBigUint64(table + 32, little)),
    link: view.getUint32(table + 40, little),
  };
  const count = view.getUint16(60, little) || first.size;
  const nameIndex = view.getUint16(62, little) === 0xffff ? first.link : view.getUint16(62, little);
  const names = table + nameIndex * SECTION;
  const namesAt = Number(view.getBigUint64(names + 24, little));
  return Array.from({ length: count }, (_, index) => {
    const at = table + index * SECTION;
    const type = view.getUint32(at + 4, little);
    const nameBytes = bytesAt(elf, namesAt + view.getUint32(at, little));
    const offset = Number(view.getBigUint64(at + 24, little));
    const size = Number(view.getBigUint64(at + 32, little));
    return {
      index,
      name: String.fromCharCode(...nameBytes.subarray(0, LONGEST)),
      nameBytes,
      type,
      link: view.getUint32(at + 40, little),
      info: view.getUint32(at + 44, little),
      size,
      align: plausibleAlignment(view.getBigUint64(at + 48, little)),
      bytes: type === NOBITS || index === 0 ? new Uint8Array(0) : elf.subarray(offset, offset + size),
      header: elf.slice(at, at + SECTION),
    };
  });
}

/** Any file may claim any alignment; BPF objects need none beyond a page. */
function plausibleAlignment(claimed: bigint): number {
  const align = claimed > 4096n ? 8 : Number(claimed);
  return (align & (align - 1)) === 0 ? Math.max(1, align) : 8;
}

function isRelocations({ type }: Section): boolean {
  return type === REL || type === RELA;
}

function isDispensable(section: Section, sections: readonly Section[]): boolean {
  if (!isRelocations(section)) return isDebug(section);
  const target = sections[section.info];
  if (target === undefined || target.index === 0) return false;
  // Loaders read BTF as it stands: its relocations only serve linkers.
  return target.name === '.BTF' || target.name === '.BTF.ext' || isDebug(target);
}

function isDebug({ name }: Section): boolean {
  return /^\.z?debug_/.test(name) || name === '.llvm_addrsig';
}

interface SymbolContext {
  readonly sections: readonly Section[];
  readonly newIndex: ReadonlyMap<number, number>;
  readonly strings: StringTable;
  /** Old symbol number to new one; filled here. */
  readonly symbols: Map<number, number>;
  readonly little: boolean;
}

function keepSymbols(
  table: Section,
  { sections, newIndex, strings, symbols, little }: SymbolContext,
): Uint8Array {
  const view = viewOf(table.bytes);
  const names = sections[table.link]?.bytes ?? new Uint8Array(0);
  const kept: Uint8Array[] = [];
  for (let number = 0; (number + 1) * SYMBOL <= table.bytes.length; number++) {
    const at = number * SYMBOL;
    const section = view.getUint16(at + 6, little);
    const home = section === 0 || section >= SHN_LORESERVE ? section : newIndex.get(section);
    if (home === undefined) continue;
    symbols.set(number, kept.length);
    const symbol = table.bytes.slice(at, at + SYMBOL);
    viewOf(symbol).setUint32(0, strings.add(bytesAt(names, view.getUint32(at, little))), little);
    viewOf(symbol).setUint16(6, home, little);
    kept.push(symbol);
  }
  return concat(kept);
}

function renumberRelocations(
  bytes: Uint8Array,
  type: number,
  symbols: ReadonlyMap<number, number>,
  little: boolean,
): void {
  const view = viewOf(bytes);
  const step = type === RELA ? 24 : 16;
  // The symbol is the upper half of r_info.
  const half = little ? 12 : 8;
  for (let at = 0; at + step <= bytes.length; at += step) {
    view.setUint32(at + half, symbols.get(view.getUint32(at + half, little)) ?? 0, little);
  }
}

interface Output {
  readonly kept: readonly Section[];
  readonly contents: Uint8Array[];
  readonly newIndex: ReadonlyMap<number, number>;
  readonly strings: StringTable;
  readonly little: boolean;
}

function writeObject(elf: Uint8Array, { kept, contents, newIndex, strings, little }: Output): Uint8Array {
  const names = kept.map((section) => strings.add(section.nameBytes));
  const stringTables = new Set(kept.filter(({ type }) => type === STRTAB).map(({ index }) => index));
  const parts: Uint8Array[] = [elf.slice(0, HEADER)];
  const headers: Uint8Array[] = [];
  let end = HEADER;
  for (const [at, section] of kept.entries()) {
    const bytes = stringTables.has(section.index) ? strings.bytes() : (contents[at] ?? new Uint8Array(0));
    const padding = section.type === NOBITS ? 0 : -end & (section.align - 1);
    const header = section.header;
    const view = viewOf(header);
    if (section.index !== 0) {
      view.setUint32(0, names[at] ?? 0, little);
      view.setBigUint64(24, BigInt(end + padding), little);
      view.setBigUint64(32, BigInt(section.type === NOBITS ? section.size : bytes.length), little);
      view.setUint32(40, newIndex.get(section.link) ?? 0, little);
      if (isRelocations(section)) {
        view.setUint32(44, newIndex.get(section.info) ?? 0, little);
      } else if (section.type === SYMTAB) {
        view.setUint32(44, localSymbols(bytes), little);
      }
      parts.push(new Uint8Array(padding), bytes);
      end += padding + bytes.length;
    }
    headers.push(header);
  }
  const padding = -end & 7;
  const result = concat([...parts, new Uint8Array(padding), ...headers]);
  const view = viewOf(result);
  view.setBigUint64(40, BigInt(end + padding), little);
  view.setUint16(60, kept.length, little);
  view.setUint16(62, newIndex.get(viewOf(elf).getUint16(62, little)) ?? 0, little);
  return result;
}

/** `sh_info` of a symbol table: the number of local symbols, which come first. */
function localSymbols(symbols: Uint8Array): number {
  let count = 0;
  while ((count + 1) * SYMBOL <= symbols.length && (symbols[count * SYMBOL + 4] ?? 0) >> 4 === 0) count++;
  return count;
}

/** One table for the names of sections and symbols. */
class StringTable {
  readonly #parts: Uint8Array[] = [new Uint8Array(1)];
  readonly #offsets = new Map<string, number>([['', 0]]);
  #size = 1;

  add(name: Uint8Array): number {
    // Names need not be UTF-8: one character a byte keeps them apart.
    const key = String.fromCharCode(...name.subarray(0, 4096)) + (name.length > 4096 ? `…${this.#size}` : '');
    const known = this.#offsets.get(key);
    if (known !== undefined) return known;
    const offset = this.#size;
    this.#offsets.set(key, offset);
    this.#parts.push(name, new Uint8Array(1));
    this.#size += name.length + 1;
    return offset;
  }

  bytes(): Uint8Array {
    return concat(this.#parts);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function bytesAt(bytes: Uint8Array, offset: number): Uint8Array {
  const end = bytes.indexOf(0, offset);
  return bytes.subarray(offset, end < 0 ? bytes.length : end);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}
