import type { Reader } from '../bytes.js';
import { MalformedError } from '../errors.js';
import { type ElfFile, type FileSection, FileSectionType } from './elf-file.js';
import { readVersions, type SymbolVersion } from './elf-versions.js';

/** Types and bindings of symbols, and the section of those that lie in another file (elf.h). */
export const FileSymbolType = { FUNC: 2, IFUNC: 10 } as const;
export const FileSymbolBinding = { LOCAL: 0, GLOBAL: 1, WEAK: 2 } as const;
const SHN_UNDEF = 0;

const layouts = {
  narrow: { size: 16, value: 4, length: 8, info: 12, section: 14 },
  wide: { size: 24, value: 8, length: 16, info: 4, section: 6 },
} as const;

const NUL = 0;
const decoder = new TextDecoder();

/** One symbol table of a program or library, read in place: there can be a million symbols, and one is wanted. */
export class SymbolTable {
  /** The table that other files link with (`.dynsym`), which stripping leaves. */
  readonly dynamic: boolean;
  readonly count: number;
  readonly #elf: ElfFile;
  readonly #reader: Reader;
  readonly #names: Uint8Array;
  readonly #label: string;
  #versions: { readonly numbers: Reader; readonly names: ReadonlyMap<number, SymbolVersion> } | undefined;
  #budget: number;

  constructor(elf: ElfFile, section: FileSection) {
    this.dynamic = section.type === FileSectionType.DYNSYM;
    this.#label = this.dynamic ? '.dynsym' : '.symtab';
    this.#elf = elf;
    this.#reader = elf.reader(section, this.#label);
    const { size } = this.#layout;
    if (section.entrySize !== size) {
      throw new MalformedError(this.#label, 0, `its symbols have ${section.entrySize} bytes`);
    }
    this.count = Math.floor(this.#reader.size / size);
    const names = elf.sections[section.link];
    if (names === undefined || names.type !== FileSectionType.STRTAB) {
      throw new MalformedError(this.#label, 0, `section ${section.link} does not hold its names`);
    }
    this.#names = elf.bytes(names);
    this.#budget = 16 * this.#names.length + 4096;
  }

  get #layout() {
    return this.#elf.wide ? layouts.wide : layouts.narrow;
  }

  /** {@link FileSymbolType}. */
  type(index: number): number {
    return this.#reader.u8(index * this.#layout.size + this.#layout.info) & 0xf;
  }

  /** {@link FileSymbolBinding}. */
  binding(index: number): number {
    return this.#reader.u8(index * this.#layout.size + this.#layout.info) >> 4;
  }

  address(index: number): number {
    const at = index * this.#layout.size + this.#layout.value;
    return this.#elf.wide ? Number(this.#reader.u64(at)) : this.#reader.u32(at);
  }

  /** Bytes that belong to it; 0 when the compiler did not say. */
  size(index: number): number {
    const at = index * this.#layout.size + this.#layout.length;
    return this.#elf.wide ? Number(this.#reader.u64(at)) : this.#reader.u32(at);
  }

  /** The section it lies in; undefined for a symbol of another file, and for values that lie nowhere. */
  section(index: number): FileSection | undefined {
    const number = this.#sectionNumber(index);
    return number === SHN_UNDEF ? undefined : this.#elf.sections[number];
  }

  /** The symbol is wanted of another file. */
  imported(index: number): boolean {
    return this.#sectionNumber(index) === SHN_UNDEF;
  }

  /** Place of a symbol in the file, bytes: what the kernel counts uprobes by. */
  fileOffset(index: number): number | undefined {
    const section = this.section(index);
    return section === undefined ? undefined : this.address(index) - section.address + section.offset;
  }

  /** The bytes that hold the names, and where that of a symbol begins. */
  get names(): Uint8Array {
    return this.#names;
  }

  nameOffset(index: number): number {
    return this.#reader.u32(index * this.#layout.size);
  }

  name(index: number): string {
    const start = this.nameOffset(index);
    const end = this.#names.indexOf(NUL, start);
    if (end < 0) throw new MalformedError(this.#label, index * this.#layout.size, 'its name has no end');
    // Names that overlap could make a small file say gigabytes.
    this.#budget -= end - start + 1;
    if (this.#budget < 0) throw new MalformedError(this.#label, start, 'its names overlap');
    return decoder.decode(this.#names.subarray(start, end));
  }

  /** The version of a dynamic symbol, if it has one; versions 0 and 1 are none. */
  version(index: number): SymbolVersion | undefined {
    if (!this.dynamic) return undefined;
    this.#versions ??= this.#readVersions();
    const { numbers, names } = this.#versions;
    return 2 * index + 2 > numbers.size ? undefined : names.get(numbers.u16(2 * index) & 0x7fff);
  }

  #readVersions() {
    const section = this.#elf.sectionOf(FileSectionType.GNU_VERSYM);
    const empty = { index: 0, nameOffset: 0, type: FileSectionType.NOBITS, address: 0, offset: 0 };
    const numbers = section ?? { ...empty, size: 0, link: 0, entrySize: 0 };
    return { numbers: this.#elf.reader(numbers, '.gnu.version'), names: readVersions(this.#elf) };
  }

  #sectionNumber(index: number): number {
    return this.#reader.u16(index * this.#layout.size + this.#layout.section);
  }
}

/** The symbols that a stripped file keeps, or all, which it does not. */
export type SymbolTableKind = 'exported' | 'all';

const types = { exported: FileSectionType.DYNSYM, all: FileSectionType.SYMTAB } as const;

/** The tables of a file, in the order that is asked for; each is read when its turn comes. */
export function* symbolTablesOf(elf: ElfFile, kinds: readonly SymbolTableKind[]): Generator<SymbolTable> {
  for (const kind of kinds) {
    const section = elf.sectionOf(types[kind]);
    if (section !== undefined) yield new SymbolTable(elf, section);
  }
}

/** Both tables: a stripped file has no other than the exported one, a static one has none of that. */
export function symbolTables(elf: ElfFile): readonly SymbolTable[] {
  return [...symbolTablesOf(elf, ['exported', 'all'])];
}
