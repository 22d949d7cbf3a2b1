import { Reader } from '../bytes.js';
import { MalformedError } from '../errors.js';

/** A file that is read in pieces: programs and libraries can be larger than anybody wants in memory. */
export interface FileBytes {
  /** Bytes. */
  readonly size: number;
  /** `length` bytes from `offset` on, both inside the file. */
  read(offset: number, length: number): Uint8Array;
}

/** Types of sections (elf.h, SHT_*). */
export const FileSectionType = {
  SYMTAB: 2,
  STRTAB: 3,
  DYNAMIC: 6,
  NOTE: 7,
  NOBITS: 8,
  DYNSYM: 11,
  GNU_VERDEF: 0x6ffffffd,
  GNU_VERNEED: 0x6ffffffe,
  GNU_VERSYM: 0x6fffffff,
} as const;

/** Types of files (elf.h, ET_*). */
export const FileType = { REL: 1, EXEC: 2, DYN: 3 } as const;

export interface FileSection {
  readonly index: number;
  readonly nameOffset: number;
  readonly type: number;
  readonly address: number;
  /** Place in the file, bytes. */
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly entrySize: number;
}

/** A part of the file that is mapped when it runs (PT_LOAD). */
export interface Segment {
  readonly address: number;
  readonly offset: number;
  readonly fileSize: number;
  readonly memorySize: number;
  readonly executable: boolean;
}

/** Where fields lie in files of 32 and of 64 bits (elf.h). */
const layouts = {
  narrow: {
    header: { size: 52, programs: 28, sections: 32, programSize: 42, sectionSize: 46 },
    section: { size: 40, address: 12, offset: 16, length: 20, link: 24, info: 28, entry: 36 },
    program: { size: 32, flags: 24, offset: 4, address: 8, fileSize: 16, memorySize: 20 },
  },
  wide: {
    header: { size: 64, programs: 32, sections: 40, programSize: 54, sectionSize: 58 },
    section: { size: 64, address: 16, offset: 24, length: 32, link: 40, info: 44, entry: 56 },
    program: { size: 56, flags: 4, offset: 8, address: 16, fileSize: 32, memorySize: 40 },
  },
} as const;

const HEADER = 'ELF header';
const SECTIONS = 'section header table';
const SEGMENTS = 'program header table';
const PT_LOAD = 1;
const PF_X = 1;
/** Programs have a few dozen; a sparse file could claim as many as it likes. */
const MOST_HEADERS = 1 << 20;
/** Bytes of the largest section that is read whole. */
const MOST_BYTES = 2 ** 30;

/** True when the bytes begin an ELF file. */
export function isElf(file: FileBytes): boolean {
  const magic = file.size < 4 ? new Uint8Array(0) : file.read(0, 4);
  return magic[0] === 0x7f && magic[1] === 0x45 && magic[2] === 0x4c && magic[3] === 0x46;
}

/**
 * A program or library of this or of another machine: headers, and sections when they are asked for. Whatever the file
 * claims is checked against its size first. Throws MalformedError.
 */
export class ElfFile {
  readonly file: FileBytes;
  /** 64-bit. */
  readonly wide: boolean;
  readonly littleEndian: boolean;
  /** {@link FileType}. */
  readonly type: number;
  readonly machine: number;
  readonly sections: readonly FileSection[];
  readonly #header: Reader;
  readonly #names: number;

  constructor(file: FileBytes) {
    this.file = file;
    const identity = file.read(0, Math.min(16, file.size));
    if (!isElf(file) || identity.length < 16) throw new MalformedError(HEADER, 0, 'this is no ELF file');
    const [, , , , bits = 0, order = 0] = identity;
    if (bits !== 1 && bits !== 2)
      throw new MalformedError(HEADER, 4, `class ${bits} is neither 32 nor 64 bit`);
    if (order !== 1 && order !== 2) throw new MalformedError(HEADER, 5, `there is no byte order ${order}`);
    this.wide = bits === 2;
    this.littleEndian = order === 1;
    this.#header = this.#reader(0, this.#layout.header.size, HEADER);
    this.type = this.#header.u16(16);
    this.machine = this.#header.u16(18);
    const { sections, names } = this.#readSections();
    this.sections = sections;
    this.#names = names;
  }

  get #layout() {
    return this.wide ? layouts.wide : layouts.narrow;
  }

  /** The first section of `type`. */
  sectionOf(type: number): FileSection | undefined {
    return this.sections.find((section) => section.type === type);
  }

  /** The first section called `name`. */
  sectionNamed(name: string): FileSection | undefined {
    const table = this.sections[this.#names];
    if (table === undefined || table.type !== FileSectionType.STRTAB) return undefined;
    const wanted = new TextEncoder().encode(`${name}\0`);
    const names = this.bytes(table);
    return this.sections.find(({ nameOffset }) =>
      wanted.every((byte, index) => names[nameOffset + index] === byte),
    );
  }

  /** What the file holds of a section; nothing for NOBITS. */
  bytes({ index, type, offset, size }: FileSection): Uint8Array {
    if (type === FileSectionType.NOBITS) return new Uint8Array(0);
    return this.#read(offset, size, `section ${index}`);
  }

  reader(section: FileSection, label: string): Reader {
    return new Reader(this.bytes(section), this.littleEndian, label);
  }

  /** What is mapped, by address. */
  segments(): readonly Segment[] {
    const { header, program } = this.#layout;
    const table = this.#number(this.#header, header.programs);
    let count = this.#header.u16(header.programSize + 2);
    // Too many for 16 bits: the number stands in the first section header.
    if (count === 0xffff) count = this.#firstSection()?.u32(this.#layout.section.info) ?? 0;
    if (table === 0 || count === 0) return [];
    const size = this.#header.u16(header.programSize);
    if (size !== program.size)
      throw new MalformedError(HEADER, header.programSize, `segments of ${size} bytes`);
    const reader = this.#table(table, count, size, SEGMENTS);
    const found: Segment[] = [];
    for (let at = 0; at < count * size; at += size) {
      if (reader.u32(at) !== PT_LOAD) continue;
      found.push({
        address: this.#number(reader, at + program.address),
        offset: this.#number(reader, at + program.offset),
        fileSize: this.#number(reader, at + program.fileSize),
        memorySize: this.#number(reader, at + program.memorySize),
        executable: (reader.u32(at + program.flags) & PF_X) !== 0,
      });
    }
    return found.sort((a, b) => a.address - b.address);
  }

  #readSections(): { sections: FileSection[]; names: number } {
    const { header, section } = this.#layout;
    const table = this.#number(this.#header, header.sections);
    if (table === 0) return { sections: [], names: 0 };
    const size = this.#header.u16(header.sectionSize);
    let count = this.#header.u16(header.sectionSize + 2);
    let names = this.#header.u16(header.sectionSize + 4);
    if (count === 0 && names === 0 && size === 0) return { sections: [], names: 0 };
    if (size !== section.size)
      throw new MalformedError(HEADER, header.sectionSize, `sections of ${size} bytes`);
    const first = this.#firstSection();
    if (count === 0 && first !== undefined) count = this.#number(first, section.length);
    if (names === 0xffff && first !== undefined) names = first.u32(section.link);
    const reader = this.#table(table, count, size, SECTIONS);
    const sections = Array.from({ length: count }, (_, index): FileSection => {
      const at = index * size;
      return {
        index,
        nameOffset: reader.u32(at),
        type: reader.u32(at + 4),
        address: this.#number(reader, at + section.address),
        offset: this.#number(reader, at + section.offset),
        size: this.#number(reader, at + section.length),
        link: reader.u32(at + section.link),
        entrySize: this.#number(reader, at + section.entry),
      };
    });
    return { sections, names };
  }

  #firstSection(): Reader | undefined {
    const { header, section } = this.#layout;
    const table = this.#number(this.#header, header.sections);
    return table === 0 ? undefined : this.#reader(table, section.size, SECTIONS);
  }

  #table(offset: number, count: number, size: number, label: string): Reader {
    if (count > MOST_HEADERS) throw new MalformedError(label, 0, `it claims ${count} entries`);
    return this.#reader(offset, count * size, label);
  }

  #reader(offset: number, length: number, label: string): Reader {
    return new Reader(this.#read(offset, length, label), this.littleEndian, label);
  }

  #read(offset: number, length: number, label: string): Uint8Array {
    const { size } = this.file;
    if (offset + length > size) {
      throw new MalformedError(
        label,
        0,
        `its ${length} bytes at ${offset} lie beyond the file's ${size} bytes`,
      );
    }
    if (length > MOST_BYTES) throw new MalformedError(label, 0, `its ${length} bytes are more than are read`);
    return this.file.read(offset, length);
  }

  /** An address, offset or size of the file's width. Beyond 2^53 it is none, and fails every bound. */
  #number(reader: Reader, at: number): number {
    return this.wide ? Number(reader.u64(at)) : reader.u32(at);
  }
}
