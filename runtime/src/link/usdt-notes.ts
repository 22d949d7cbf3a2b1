import type { Reader } from '../bytes.js';
import { MalformedError } from '../errors.js';
import { type ElfFile, FileSectionType } from './elf-file.js';

const SECTION = '.note.stapsdt';
const BASE_SECTION = '.stapsdt.base';
const OWNER = new TextEncoder().encode('stapsdt\0');
const NT_STAPSDT = 3;

/** One place of a USDT probe, as its note describes it. Addresses are those of the file's sections. */
export interface UsdtNote {
  readonly provider: string;
  readonly name: string;
  /** Where the arguments are: `-4@%eax 8@16(%rsp)`. */
  readonly args: string;
  readonly location: number;
  /** The counter of those who probe; 0 for none. */
  readonly semaphore: number;
}

/**
 * The USDT probes of a 64-bit program or library, one note for each place; undefined when it has no section of them. As
 * libbpf's collect_usdt_targets: addresses are corrected by how far the base section was moved after linking (prelink),
 * which here goes for the semaphore as well, as the format has it. Notes of other owners are passed over. Throws
 * MalformedError.
 */
export function readUsdtNotes(elf: ElfFile): readonly UsdtNote[] | undefined {
  const section = elf.sectionNamed(SECTION);
  if (section === undefined || section.type !== FileSectionType.NOTE) return undefined;
  const base = elf.sectionNamed(BASE_SECTION)?.address ?? 0;
  const reader = elf.reader(section, SECTION);
  const notes: UsdtNote[] = [];
  for (let at = 0; at + 12 <= reader.size; ) {
    const nameSize = reader.u32(at);
    const size = reader.u32(at + 4);
    const name = at + 12;
    const description = name + roundUp(nameSize);
    // Only what lies in the section is read.
    reader.slice(description, size);
    if (reader.u32(at + 8) === NT_STAPSDT && isOwner(reader, name, nameSize)) {
      notes.push(readNote(reader, description, size, base));
    }
    at = description + roundUp(size);
  }
  return notes;
}

function roundUp(size: number): number {
  return Math.ceil(size / 4) * 4;
}

function isOwner(reader: Reader, at: number, size: number): boolean {
  return size === OWNER.length && OWNER.every((byte, index) => reader.u8(at + index) === byte);
}

function readNote(reader: Reader, start: number, size: number, base: number): UsdtNote {
  const end = start + size;
  const location = reader.length64(start);
  const noteBase = reader.length64(start + 8);
  const semaphore = reader.length64(start + 16);
  const moved = base !== 0 && noteBase !== 0 ? base - noteBase : 0;
  let at = start + 24;
  const text = (what: string): string => {
    const terminator = reader.bytes.indexOf(0, at);
    if (at >= end || terminator < 0 || terminator >= end) {
      throw new MalformedError(SECTION, start, `a note has no ${what}`);
    }
    const value = new TextDecoder().decode(reader.bytes.subarray(at, terminator));
    at = terminator + 1;
    return value;
  };
  const provider = text('provider');
  const name = text('name');
  const args = text('arguments');
  if (name === '') throw new MalformedError(SECTION, start, 'a note has no name');
  return {
    provider,
    name,
    // Some writers end a note without arguments by a colon.
    args: args.startsWith(':') ? '' : args,
    location: location + moved,
    semaphore: semaphore === 0 ? 0 : semaphore + moved,
  };
}
