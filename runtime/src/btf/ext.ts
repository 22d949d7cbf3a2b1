import { Reader } from '../bytes.js';
import { MalformedError } from '../errors.js';
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
  readonly lines: LineRecord[];
  readonly core: CoreRelocation[];
}

/** The records of the instructions from `first` up to, not including, `end`, counted from `first`. */
export function infoBetween(info: SectionInfo, first: number, end: number): SectionInfo {
  const within = <T extends { readonly insn: number }>(records: readonly T[]) =>
    records.slice(lowerBound(records, first), lowerBound(records, end));
  return {
    funcs: within(info.funcs).map((record) => ({ ...record, insn: record.insn - first })),
    lines: within(info.lines).map((record) => record.from(first)),
    core: within(info.core).map((record) => ({ ...record, insn: record.insn - first })),
  };
}

/** How many of the records, which are in order, stand before instruction `insn`. */
function lowerBound(records: readonly { readonly insn: number }[], insn: number): number {
  let [low, high] = [0, records.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((records[middle]?.insn ?? insn) < insn) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Reads `.BTF.ext`: by ELF section name, the records that tie instructions to functions, source lines and CO-RE
 * relocations. Records may be longer than known. Throws MalformedError where libbpf's btf_ext__new refuses.
 */
export function parseBtfExt(bytes: Uint8Array, btf: Btf): Map<string, SectionInfo> {
  const reader = new Reader(bytes, byteOrder(bytes, LABEL), LABEL);
  if (reader.littleEndian !== btf.littleEndian) {
    throw new MalformedError(LABEL, 0, 'its byte order is not that of .BTF');
  }
  if (reader.u8(2) !== 1) throw new MalformedError(LABEL, 2, `version ${reader.u8(2)} is not known`);
  if (reader.u8(3) !== 0) throw new MalformedError(LABEL, 3, `flags ${reader.u8(3)} are not known`);
  const header = reader.u32(4);
  if (header < 24 || header > bytes.length) {
    throw new MalformedError(LABEL, 4, `header length ${header} is not between 24 and ${bytes.length}`);
  }
  const sections = new Map<string, SectionInfo>();
  const visit = (field: number, smallest: number, add: (to: SectionInfo, at: number, size: number) => void) =>
    eachRecord(reader, header, field, smallest, (nameOffset, at, size) => {
      const name = btf.string(nameOffset);
      const info = sections.get(name) ?? { funcs: [], lines: [], core: [] };
      sections.set(name, info);
      add(info, at, size);
    });
  visit(8, 8, ({ funcs }, at, size) =>
    funcs.push({ insn: insnAt(reader, at), typeId: reader.u32(at + 4), raw: reader.slice(at, size) }),
  );
  let source = { btf, reader, size: 0 };
  visit(16, 16, ({ lines }, at, size) => {
    if (source.size !== size) source = { btf, reader, size };
    lines.push(new LineRecord(source, at, insnAt(reader, at)));
  });
  if (header >= 32) {
    visit(24, 16, ({ core }, at) =>
      core.push({
        insn: insnAt(reader, at),
        typeId: reader.u32(at + 4),
        access: btf.string(reader.u32(at + 8)),
        kind: reader.u32(at + 12),
      }),
    );
  }
  for (const info of sections.values()) for (const table of Object.values(info)) sortByInsn(table);
  return sections;
}

function sortByInsn(records: { readonly insn: number }[]): void {
  if (records.some((record, i) => i > 0 && record.insn < (records[i - 1]?.insn ?? 0))) {
    records.sort((a, b) => a.insn - b.insn);
  }
}

/** Walks one of the three tables: u32 record size, then per ELF section u32 name, u32 count, records. */
function eachRecord(
  reader: Reader,
  header: number,
  field: number,
  smallest: number,
  visit: (sectionName: number, at: number, size: number) => void,
): void {
  const length = reader.u32(field + 4);
  if (length === 0) return;
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
  for (let at = start + 4; at < end; ) {
    if (end - at < 8) throw new MalformedError(LABEL, at, 'a table ends inside a section header');
    const [name, count] = [reader.u32(at), reader.u32(at + 4)];
    at += 8;
    if (count === 0 || count * size > end - at) {
      throw new MalformedError(LABEL, at - 4, `${count} records of ${size} bytes do not fit the table`);
    }
    for (let i = 0; i < count; i++, at += size) visit(name, at, size);
  }
}

function insnAt(reader: Reader, at: number): number {
  const offset = reader.u32(at);
  if (offset % 8 !== 0) throw new MalformedError(LABEL, at, `byte ${offset} is inside an instruction`);
  return offset / 8;
}

/** Source positions are many and rarely looked at, so only numbers are kept, and the rest is read when asked for. */
class LineRecord implements LineInfo {
  readonly insn: number;
  readonly line: number;
  readonly column: number;
  readonly fileNameOffset: number;
  readonly textOffset: number;
  readonly #source: { readonly btf: Btf; readonly reader: Reader; readonly size: number };
  readonly #at: number;

  constructor(source: { btf: Btf; reader: Reader; size: number }, at: number, insn: number) {
    const { btf, reader } = source;
    this.#source = source;
    this.#at = at;
    this.insn = insn;
    this.fileNameOffset = reader.u32(at + 4);
    this.textOffset = reader.u32(at + 8);
    const position = reader.u32(at + 12);
    this.line = position >>> 10;
    this.column = position & 0x3ff;
    if (!btf.hasString(this.fileNameOffset) || !btf.hasString(this.textOffset)) {
      throw new MalformedError(LABEL, at, 'a line names a string outside the string table of .BTF');
    }
  }

  get fileName(): string {
    return this.#source.btf.string(this.fileNameOffset);
  }

  get text(): string {
    return this.#source.btf.string(this.textOffset, Number.POSITIVE_INFINITY);
  }

  get raw(): Uint8Array {
    return this.#source.reader.slice(this.#at, this.#source.size);
  }

  from(first: number): LineRecord {
    return new LineRecord(this.#source, this.#at, this.insn - first);
  }
}
