import { hostWords, Reader } from '../bytes.js';
import { MalformedError } from '../errors.js';
import { INSN_SIZE } from '../insn.js';
import type { Btf } from './btf.js';
import { byteOrder } from './header.js';

const LABEL = '.BTF.ext';

/** Which BTF function starts at an instruction. */
export interface FuncInfo {
  /** Instruction number, counted from the start of the section, or of the function once assigned to one. */
  readonly insn: number;
  /** BTF id of the FUNC. */
  readonly typeId: number;
  /** The record as it stands in the file: u32 byte offset in the section, u32 type, then what newer compilers add. */
  readonly raw: Uint8Array;
}

/** Which source line an instruction was compiled from. */
export interface LineInfo {
  /** Instruction number, counted from the start of the section, or of the function once assigned to one. */
  readonly insn: number;
  readonly fileName: string;
  /** The source line itself, as far as the compiler kept it. */
  readonly text: string;
  /** From 1; 0 when unknown. */
  readonly line: number;
  /** From 1; 0 when unknown. */
  readonly column: number;
  /** Offsets of the two strings in BTF's string table. */
  readonly fileNameOffset: number;
  readonly textOffset: number;
  /** The record as it stands in the file: u32 byte offset in the section, u32 file, u32 text, u32 line << 10 | column, then what newer compilers add. */
  readonly raw: Uint8Array;
}

/** An instruction whose immediate or offset depends on the kernel's types. */
export interface CoreRelocation {
  /** Instruction number, counted from the start of the section, or of the function once assigned to one. */
  readonly insn: number;
  /** BTF id of the root type in the object's BTF. */
  readonly typeId: number;
  /** Member indices such as `0:1:2`, or an enumerator's index. */
  readonly access: string;
  /** `enum bpf_core_relo_kind`, 0-12 so far. */
  readonly kind: number;
}

/** What `.BTF.ext` says of one ELF section, in the order of its instructions. */
export interface SectionInfo {
  readonly funcs: FuncInfo[];
  readonly lines: LineTable;
  readonly core: CoreRelocation[];
}

/** The records of the instructions from `first` up to, not including, `end`, counted from `first`. */
export function infoBetween(info: SectionInfo, first: number, end: number) {
  const within = <T extends { readonly insn: number }>(records: readonly T[]): T[] =>
    records
      .slice(lowerBound(records, first), lowerBound(records, end))
      .map((record) => ({ ...record, insn: record.insn - first }));
  return {
    funcs: within(info.funcs),
    core: within(info.core),
    lines: () => info.lines.between(first, end),
  };
}

/** How many of the records, which are in order, stand before instruction `insn`. */
function lowerBound(records: readonly { readonly insn: number }[], insn: number): number {
  return firstIndex(records.length, (i) => (records[i]?.insn ?? insn) >= insn);
}

/** The first index below `count` at which `holds`; it must hold from there on. */
function firstIndex(count: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * Reads `.BTF.ext`: by ELF section name, the records that tie instructions to functions, source lines and CO-RE
 * relocations. Records may be longer than known. Throws MalformedError where libbpf's btf_ext__new refuses.
 */
export function parseBtfExt(bytes: Uint8Array, btf: Btf): Map<string, SectionInfo> {
  const reader = new Reader(bytes, byteOrder(bytes, LABEL), LABEL);
  const header = readHeader(reader, btf);
  const sections = new Map<string, SectionInfo>();
  const infoOf = (nameOffset: number): SectionInfo => {
    const name = btf.string(nameOffset);
    const info = sections.get(name) ?? { funcs: [], lines: new LineTable(btf, reader), core: [] };
    sections.set(name, info);
    return info;
  };
  for (const { name, at, count, size } of tables(reader, header, 8, 8)) {
    const { funcs } = infoOf(name);
    for (let i = 0, record = at; i < count; i++, record += size) {
      const insn = insnAt(reader, record);
      funcs.push({ insn, typeId: reader.u32(record + 4), raw: reader.slice(record, size) });
    }
  }
  for (const { name, at, count, size } of tables(reader, header, 16, 16))
    infoOf(name).lines.add(at, count, size);
  if (header >= 32) {
    for (const { name, at, count, size } of tables(reader, header, 24, 16)) {
      const { core } = infoOf(name);
      for (let i = 0, record = at; i < count; i++, record += size) {
        const access = btf.string(reader.u32(record + 8));
        const [insn, typeId, kind] = [
          insnAt(reader, record),
          reader.u32(record + 4),
          reader.u32(record + 12),
        ];
        core.push({ insn, typeId, access, kind });
      }
    }
  }
  for (const { funcs, core } of sections.values()) {
    sortByInsn(funcs);
    sortByInsn(core);
  }
  return sections;
}

/** Returns the header's length. */
function readHeader(reader: Reader, btf: Btf): number {
  if (reader.littleEndian !== btf.littleEndian) {
    throw new MalformedError(LABEL, 0, 'its byte order is not that of .BTF');
  }
  if (reader.u8(2) !== 1) throw new MalformedError(LABEL, 2, `version ${reader.u8(2)} is not known`);
  if (reader.u8(3) !== 0) throw new MalformedError(LABEL, 3, `flags ${reader.u8(3)} are not known`);
  const header = reader.u32(4);
  if (header < 24 || header > reader.size) {
    throw new MalformedError(LABEL, 4, `header length ${header} is not between 24 and ${reader.size}`);
  }
  return header;
}

/** Records of one ELF section in one of the three tables. */
interface Run {
  /** Offset of the section's name in BTF's strings. */
  readonly name: number;
  readonly at: number;
  readonly count: number;
  readonly size: number;
}

/** The runs of one table: u32 record size, then for each ELF section u32 name, u32 count, records. */
function tables(reader: Reader, header: number, field: number, smallest: number): Run[] {
  const length = reader.u32(field + 4);
  if (length === 0) return [];
  const start = header + reader.u32(field);
  const end = start + length;
  if (start % 4 !== 0 || end > reader.size) {
    throw new MalformedError(
      LABEL,
      field,
      `a table at ${start} of ${length} bytes is outside or not aligned`,
    );
  }
  const size = reader.u32(start);
  if (size < smallest || size % 4 !== 0) {
    throw new MalformedError(LABEL, start, `record size ${size} is not a multiple of 4 from ${smallest} up`);
  }
  if (end - start <= 4) throw new MalformedError(LABEL, start, 'a table has no records');
  const runs: Run[] = [];
  for (let at = start + 4; at < end; ) {
    if (end - at < 8) throw new MalformedError(LABEL, at, 'a table ends inside a section header');
    const name = reader.u32(at);
    const count = reader.u32(at + 4);
    at += 8;
    if (count === 0 || count * size > end - at) {
      throw new MalformedError(LABEL, at - 4, `${count} records of ${size} bytes do not fit the table`);
    }
    runs.push({ name, at, count, size });
    at += count * size;
  }
  return runs;
}

function insnAt(reader: Reader, at: number): number {
  const offset = reader.u32(at);
  if (offset % INSN_SIZE !== 0) throw insideInstruction(at, offset);
  return offset / INSN_SIZE;
}

function insideInstruction(at: number, offset: number): MalformedError {
  return new MalformedError(LABEL, at, `byte ${offset} is inside an instruction`);
}

function sortByInsn(records: { readonly insn: number }[]): void {
  if (records.some((record, i) => i > 0 && record.insn < (records[i - 1]?.insn ?? 0))) {
    records.sort((a, b) => a.insn - b.insn);
  }
}

/** Source positions of one ELF section. They are many and rarely looked at, so they stay bytes until asked for. */
export class LineTable {
  readonly #btf: Btf;
  readonly #reader: Reader;
  readonly #runs: { readonly at: number; readonly end: number; readonly size: number }[] = [];
  /** Offset of the last record's instruction; infinite when one came after a later one. */
  #last = 0;
  /** Where the records start, in the order of their instructions; from when they are first asked for. */
  #starts: number[] | undefined;

  constructor(btf: Btf, reader: Reader) {
    this.#btf = btf;
    this.#reader = reader;
  }

  /** Checks `count` records of `size` bytes at `at`, and takes them in. */
  add(at: number, count: number, size: number): void {
    const end = at + count * size;
    const { bytes, littleEndian } = this.#reader;
    const { buffer, byteOffset, length } = hostWords(bytes, at, (end - at) / 4, littleEndian);
    const words = new Uint32Array(buffer, byteOffset, length);
    this.#last = checkLines(words, size / 4, { at, last: this.#last, endString: this.#btf.endString });
    this.#runs.push({ at, end, size });
  }

  /** The positions of the instructions from `first` up to, not including, `end`, counted from `first`. */
  between(first: number, end: number): LineInfo[] {
    this.#starts ??= this.#inOrder();
    const starts = this.#starts;
    const from = firstIndex(starts.length, (i) => this.#insn(starts[i]) >= first);
    const to = firstIndex(starts.length, (i) => this.#insn(starts[i]) >= end);
    const size = this.#runs[0]?.size ?? 0;
    const lines: LineInfo[] = [];
    for (const start of starts.slice(from, to)) {
      const raw = this.#reader.slice(start, size);
      lines.push(new LineRecord(this.#btf, this.#reader, start, raw, first));
    }
    return lines;
  }

  #inOrder(): number[] {
    const starts: number[] = [];
    for (const { at, end, size } of this.#runs) {
      for (let start = at; start < end; start += size) starts.push(start);
    }
    if (this.#last === Number.POSITIVE_INFINITY) {
      starts.sort((a, b) => this.#reader.u32(a) - this.#reader.u32(b));
    }
    return starts;
  }

  #insn(start = 0): number {
    return this.#reader.u32(start) / INSN_SIZE;
  }
}

/**
 * Checks lines, whose words begin at byte `at`. Returns {@link LineTable.#last}. Line tables are the longest that
 * compilers write, so all of one is read as words, which takes V8 half as long as bounds-checked bytes.
 */
function checkLines(
  words: Uint32Array,
  size: number,
  { at, last: before, endString }: { at: number; last: number; endString: number },
): number {
  let last = before;
  for (let i = 0; i < words.length; i += size) {
    const offset = words[i] ?? 0;
    if (offset % INSN_SIZE !== 0) throw insideInstruction(at + i * 4, offset);
    if ((words[i + 1] ?? 0) >= endString || (words[i + 2] ?? 0) >= endString) {
      throw new MalformedError(LABEL, at + i * 4, 'a line names a string outside the string table of .BTF');
    }
    last = offset >= last ? offset : Number.POSITIVE_INFINITY;
  }
  return last;
}

class LineRecord implements LineInfo {
  readonly insn: number;
  readonly line: number;
  readonly column: number;
  readonly fileNameOffset: number;
  readonly textOffset: number;
  readonly raw: Uint8Array;
  readonly #btf: Btf;

  constructor(btf: Btf, reader: Reader, at: number, raw: Uint8Array, first: number) {
    this.#btf = btf;
    this.insn = reader.u32(at) / INSN_SIZE - first;
    this.fileNameOffset = reader.u32(at + 4);
    this.textOffset = reader.u32(at + 8);
    const position = reader.u32(at + 12);
    this.line = position >>> 10;
    this.column = position & 0x3ff;
    this.raw = raw;
  }

  get fileName(): string {
    return this.#btf.string(this.fileNameOffset);
  }

  get text(): string {
    return this.#btf.string(this.textOffset, Number.POSITIVE_INFINITY);
  }
}
