import { hostWords, plainBytes, Reader } from './bytes.js';
import { BpfError, MalformedError, printable } from './errors.js';

export const EM_BPF = 247;

/** Section types (elf.h, SHT_*). */
export const SectionType = {
  NULL: 0,
  PROGBITS: 1,
  SYMTAB: 2,
  STRTAB: 3,
  RELA: 4,
  NOBITS: 8,
  REL: 9,
} as const;
/** The section's bytes are instructions. */
export const SHF_EXECINSTR = 4;

/** Symbol types (elf.h, STT_*). */
export const SymbolType = { NOTYPE: 0, OBJECT: 1, FUNC: 2, SECTION: 3, FILE: 4 } as const;
/** Symbol bindings (elf.h, STB_*). */
export const SymbolBinding = { LOCAL: 0, GLOBAL: 1, WEAK: 2 } as const;
/** First of the section numbers that name no section (elf.h, SHN_LORESERVE). */
export const SHN_LORESERVE = 0xff00;

export interface ElfSection {
  readonly index: number;
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  /** Bytes; what memory holds, also for NOBITS sections, which have none in the file. */
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly entrySize: number;
  /** The bytes in the file, shared with it; empty for NOBITS. */
  readonly data: Uint8Array;
}

/** A symbol; its name is read when asked for, as compilers emit one for every basic block. */
export class ElfSymbol {
  readonly value: number;
  readonly size: number;
  readonly binding: number;
  readonly type: number;
  /** Index of the section it lies in; 0 when undefined, from {@link SHN_LORESERVE} up for none. */
  readonly section: number;
  /** STV_HIDDEN or STV_INTERNAL. */
  readonly hidden: boolean;
  readonly #strings: StringTable;
  readonly #name: number;

  constructor(reader: Reader, at: number, strings: StringTable) {
    this.#strings = strings;
    this.#name = reader.u32(at);
    const info = reader.u8(at + 4);
    const visibility = reader.u8(at + 5) & 3;
    this.binding = info >> 4;
    this.type = info & 0xf;
    this.hidden = visibility === 1 || visibility === 2;
    this.section = reader.u16(at + 6);
    this.value = number64(reader, at + 8);
    this.size = number64(reader, at + 16);
  }

  get name(): string {
    return this.#strings.at(this.#name);
  }

  /** What the kernel or another object must supply. */
  get undefinedExtern(): boolean {
    return this.section === 0 && this.binding !== SymbolBinding.LOCAL && this.type === SymbolType.NOTYPE;
  }
}

/** A relocatable BPF object file, as sections and symbols. */
export interface Elf {
  readonly littleEndian: boolean;
  readonly sections: readonly ElfSection[];
  readonly symbols: readonly ElfSymbol[];
  /** Index of the symbol table's section. */
  readonly symbolTable: number;
}

/**
 * Reads an ELF object for BPF, of either byte order. Throws BpfError `ERR_BPF_NOT_ELF` for other files,
 * `ERR_BPF_NOT_BPF` for objects of other machines, MalformedError for what is damaged.
 */
export function parseElf(bytes: Uint8Array): Elf {
  const header = readHeader(plainBytes(bytes));
  const sections = readSections(header);
  const { symbols, symbolTable } = readSymbols(sections, header.littleEndian);
  return { littleEndian: header.littleEndian, sections, symbols, symbolTable };
}

/**
 * Calls `visit` for each entry of a SHT_REL section, with the byte of the section that is relocated and an index into
 * {@link Elf.symbols}. There are thousands in a large program, so none is made into an object.
 */
export function eachRelocation(
  elf: Elf,
  section: ElfSection,
  visit: (offset: number, symbol: number) => void,
): void {
  if (section.entrySize !== 16 || section.size % 16 !== 0) {
    throw new MalformedError(
      section.name,
      0,
      `its ${section.size} bytes are no table of 16-byte relocations`,
    );
  }
  const words = hostWords(section.data, 0, section.data.length / 4, elf.littleEndian);
  // Both fields are 64-bit numbers, and the upper half of r_info is the symbol.
  const [low, high] = elf.littleEndian ? [0, 1] : [1, 0];
  for (let at = 0; at < words.length; at += 4) {
    visit(joined(unsigned(words[at + high]), unsigned(words[at + low])), unsigned(words[at + 2 + high]));
  }
}

function unsigned(word = 0): number {
  return word >>> 0;
}

/** Names by offset. What overlapping names may cost together is bounded by the table's size. */
class StringTable {
  readonly #reader: Reader;
  readonly #known = new Map<number, string>();
  #budget: number;

  constructor(section: ElfSection, littleEndian: boolean) {
    this.#reader = new Reader(section.data, littleEndian, section.name || 'section name table');
    this.#budget = 16 * section.data.length + 1024;
  }

  at(offset: number): string {
    if (offset === 0) return '';
    const known = this.#known.get(offset);
    if (known !== undefined) return known;
    const name = this.#reader.cstring(offset);
    this.#budget -= name.length + 1;
    if (this.#budget < 0) throw new MalformedError(this.#reader.label, offset, 'its names overlap');
    this.#known.set(offset, name);
    return name;
  }
}

interface Header {
  readonly reader: Reader;
  readonly littleEndian: boolean;
  readonly tableOffset: number;
  readonly count: number;
  readonly names: number;
}

const HEADER = 'ELF header';
const TABLE = 'section header table';

function readHeader(bytes: Uint8Array): Header {
  checkIdentity(bytes);
  const littleEndian = bytes[5] !== 2;
  const reader = new Reader(bytes, littleEndian, HEADER);
  if (bytes[5] !== 1 && bytes[5] !== 2) {
    throw new MalformedError(HEADER, 5, `byte order ${reader.u8(5)} is neither little (1) nor big (2)`);
  }
  if (bytes.length < 64) throw new MalformedError(HEADER, 0, `the file ends after ${bytes.length} bytes`);
  const machine = reader.u16(18);
  if (bytes[4] !== 2 || (machine !== EM_BPF && machine !== 0)) {
    const what = bytes[4] === 2 || machine !== EM_BPF ? `machine ${machineName(machine)}` : '32-bit';
    throw new BpfError('ERR_BPF_NOT_BPF', `not a BPF object (${what}); compile it with clang --target=bpf`);
  }
  const type = reader.u16(16);
  if (type !== 1) {
    throw new BpfError(
      'ERR_BPF_NOT_BPF',
      `not a BPF object file: its ELF type is ${type}, not 1 (relocatable)`,
    );
  }
  const tableOffset = reader.length64(40);
  let [count, names] = [reader.u16(60), reader.u16(62)];
  if (tableOffset === 0) throw new MalformedError(HEADER, 40, 'it has no sections');
  if (reader.u16(58) !== 64)
    throw new MalformedError(HEADER, 58, `section headers have ${reader.u16(58)} bytes`);
  const table = new Reader(bytes, littleEndian, TABLE);
  // With many sections the real numbers stand in the first section header.
  if (count === 0) count = table.length64(tableOffset + 32);
  if (names === 0xffff) names = table.u32(tableOffset + 40);
  table.slice(tableOffset, count * 64);
  if (names >= count)
    throw new MalformedError(HEADER, 62, `there is no section ${names} to hold section names`);
  return { reader: table, littleEndian, tableOffset, count, names };
}

function checkIdentity(bytes: Uint8Array): void {
  if (bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46) return;
  const bitcode = bytes[0] === 0x42 && bytes[1] === 0x43 && bytes[2] === 0xc0 && bytes[3] === 0xde;
  const what =
    bytes.length === 0 ? 'it is empty' : bitcode ? 'it is LLVM bitcode' : 'it does not begin with \\x7fELF';
  throw new BpfError('ERR_BPF_NOT_ELF', `not an ELF file: ${what}`);
}

const MACHINES = new Map([
  [3, 'x86'],
  [8, 'MIPS'],
  [21, 'PowerPC64'],
  [22, 's390'],
  [40, 'ARM'],
  [62, 'x86-64'],
  [183, 'AArch64'],
  [243, 'RISC-V'],
  [258, 'LoongArch'],
]);

function machineName(machine: number): string {
  return MACHINES.get(machine) ?? String(machine);
}

function readSections({ reader, littleEndian, tableOffset, count, names }: Header): ElfSection[] {
  const unnamed: (ElfSection & { nameOffset: number; offset: number })[] = [];
  for (let index = 0; index < count; index++) {
    const at = tableOffset + index * 64;
    const type = reader.u32(at + 4);
    const offset = reader.length64(at + 24);
    const size = reader.length64(at + 32);
    const empty = type === SectionType.NULL || type === SectionType.NOBITS;
    if (!empty && offset + size > reader.size) {
      throw new MalformedError(
        TABLE,
        at + 24,
        `section ${index} at ${offset} of ${size} bytes lies beyond the file's ${reader.size} bytes`,
      );
    }
    unnamed.push({
      index,
      name: '',
      nameOffset: reader.u32(at),
      type,
      flags: reader.u32(littleEndian ? at + 8 : at + 12),
      offset,
      size,
      link: reader.u32(at + 40),
      info: reader.u32(at + 44),
      entrySize: number64(reader, at + 56),
      data: empty ? new Uint8Array() : reader.slice(offset, size),
    });
  }
  refuseOverlap(unnamed, tableOffset);
  const table = unnamed[names];
  if (table === undefined || table.type !== SectionType.STRTAB) {
    throw new MalformedError(HEADER, 62, `section ${names} does not hold section names`);
  }
  const strings = new StringTable(table, littleEndian);
  return unnamed.map(({ nameOffset, offset: _, ...section }) => ({
    ...section,
    name: strings.at(nameOffset),
  }));
}

/** No tool makes sections that share bytes; a file that has them could be small and claim to hold gigabytes. */
function refuseOverlap(
  sections: readonly { index: number; offset: number; data: Uint8Array }[],
  table: number,
): void {
  let end = 0;
  let last = 0;
  const inFile = sections.filter(({ data }) => data.length > 0).sort((a, b) => a.offset - b.offset);
  for (const { index, offset, data } of inFile) {
    if (offset < end)
      throw new MalformedError(TABLE, table + index * 64 + 24, `sections ${last} and ${index} overlap`);
    end = offset + data.length;
    last = index;
  }
}

function readSymbols(sections: readonly ElfSection[], littleEndian: boolean) {
  const [table, second] = sections.filter(({ type }) => type === SectionType.SYMTAB);
  if (table === undefined) {
    throw new BpfError(
      'ERR_BPF_STRIPPED',
      'the object has no symbol table; was it stripped? Use llvm-strip -g',
    );
  }
  if (second !== undefined) throw new MalformedError(TABLE, 0, 'there are two symbol tables');
  const names = sections[table.link];
  if (names === undefined || names.type !== SectionType.STRTAB) {
    throw new MalformedError(table.name, 0, `section ${table.link} does not hold the names of its symbols`);
  }
  if (table.entrySize !== 24 || table.size % 24 !== 0) {
    throw new MalformedError(table.name, 0, `its ${table.size} bytes are no table of 24-byte symbols`);
  }
  const strings = new StringTable(names, littleEndian);
  const reader = new Reader(table.data, littleEndian, table.name);
  const symbols: ElfSymbol[] = [];
  for (let at = 0; at < table.size; at += 24) symbols.push(new ElfSymbol(reader, at, strings));
  return { symbols, symbolTable: table.index };
}

/** A 64-bit number; see {@link joined}. */
function number64(reader: Reader, at: number): number {
  const low = reader.u32(reader.littleEndian ? at : at + 4);
  return joined(reader.u32(reader.littleEndian ? at + 4 : at), low);
}

/**
 * The two halves of a 64-bit number; one beyond 2^53 loses its low bits, and every bound that could be checked against it.
 * Small ones are not computed with 2^32: V8 would allocate them, and whatever is computed from them.
 */
function joined(high: number, low: number): number {
  return high === 0 ? low : high * 2 ** 32 + low;
}

/** A section's name for messages. */
export function sectionLabel(elf: Elf, index: number): string {
  const section = elf.sections[index];
  return section === undefined ? `section ${index}` : printable(section.name);
}
