import { Reader } from '../bytes.js';
import { MalformedError } from '../errors.js';
import { type ElfFile, type FileSection, FileSectionType } from './elf-file.js';

/** A version of a symbol: `GLIBC_2.34`. */
export interface SymbolVersion {
  readonly name: string;
  /** The library it is wanted of, `libc.so.6`; undefined for versions the file itself defines. */
  readonly library: string | undefined;
}

/** Versions are numbered with 15 bits. */
const MOST_VERSIONS = 0x8000;
/** Bytes of the longest version or library name. */
const MOST_NAME = 4096;

/**
 * The versions that dynamic symbols have, by the number that the versym section gives them: those the file defines
 * (SHT_GNU_verdef) and those it wants of others (SHT_GNU_verneed).
 */
export function readVersions(elf: ElfFile): ReadonlyMap<number, SymbolVersion> {
  const versions = new Map<number, SymbolVersion>();
  const defined = elf.sectionOf(FileSectionType.GNU_VERDEF);
  if (defined !== undefined) readDefined(elf, defined, versions);
  const needed = elf.sectionOf(FileSectionType.GNU_VERNEED);
  if (needed !== undefined) readNeeded(elf, needed, versions);
  return versions;
}

function readDefined(elf: ElfFile, section: FileSection, versions: Map<number, SymbolVersion>): void {
  const reader = elf.reader(section, '.gnu.version_d');
  const names = namesOf(elf, section, '.gnu.version_d');
  for (const at of chain(reader, 0, 16)) {
    if (versions.size >= MOST_VERSIONS) throw tooMany(reader, at);
    const name = nameAt(names, reader.u32(at + reader.u32(at + 12)));
    versions.set(reader.u16(at + 4), { name, library: undefined });
  }
}

function readNeeded(elf: ElfFile, section: FileSection, versions: Map<number, SymbolVersion>): void {
  const reader = elf.reader(section, '.gnu.version_r');
  const names = namesOf(elf, section, '.gnu.version_r');
  // A file that repeats numbers wants to be slow.
  let left = MOST_VERSIONS;
  for (const at of chain(reader, 0, 12)) {
    const library = nameAt(names, reader.u32(at + 4));
    for (const aux of chain(reader, at + reader.u32(at + 8), 12)) {
      left -= 1;
      if (left < 0) throw tooMany(reader, aux);
      const name = nameAt(names, reader.u32(aux + 8));
      versions.set(reader.u16(aux + 6) & 0x7fff, { name, library });
    }
  }
}

function tooMany(reader: Reader, at: number): MalformedError {
  return new MalformedError(reader.label, at, 'it names more versions than there can be');
}

/** A name of reasonable length: many of them could overlap. */
function nameAt(names: Reader, at: number): string {
  const length = Math.max(0, Math.min(MOST_NAME, names.size - at));
  return new Reader(names.slice(at, length), names.littleEndian, names.label).cstring(0);
}

/** Offsets of records that each tell, at `next`, how far on the following one is; 0 ends. They only go forward. */
function* chain(reader: Reader, start: number, next: number): Generator<number> {
  for (let at = start; ; ) {
    yield at;
    const step = reader.u32(at + next);
    if (step === 0) return;
    at += step;
  }
}

function namesOf(elf: ElfFile, section: FileSection, label: string): Reader {
  const names = elf.sections[section.link];
  if (names === undefined || names.type !== FileSectionType.STRTAB) {
    throw new MalformedError(label, 0, `section ${section.link} does not hold its names`);
  }
  return elf.reader(names, `names of ${label}`);
}

const DT_NEEDED = 1;
const DT_RPATH = 15;
const DT_RUNPATH = 29;

/** What the file says of libraries it is linked with (its dynamic section). */
export interface Linkage {
  /** `libc.so.6`. */
  readonly libraries: readonly string[];
  /** Directories to look for them first; may contain `$ORIGIN`. */
  readonly directories: readonly string[];
}

export function readLinkage(elf: ElfFile): Linkage {
  const section = elf.sectionOf(FileSectionType.DYNAMIC);
  if (section === undefined) return { libraries: [], directories: [] };
  const reader = elf.reader(section, '.dynamic');
  const names = namesOf(elf, section, '.dynamic');
  const word = elf.wide ? 8 : 4;
  const number = (at: number) => (elf.wide ? reader.length64(at) : reader.u32(at));
  const libraries = new Set<string>();
  const directories: string[] = [];
  for (let at = 0; at + 2 * word <= reader.size; at += 2 * word) {
    const tag = elf.wide ? reader.u64(at) : BigInt(reader.u32(at));
    if (tag === 0n) break;
    if (tag === BigInt(DT_NEEDED)) libraries.add(nameAt(names, number(at + word)));
    if (tag === BigInt(DT_RPATH) || tag === BigInt(DT_RUNPATH)) {
      directories.push(...nameAt(names, number(at + word)).split(':'));
    }
    if (libraries.size + directories.length > 4096) break;
  }
  return { libraries: [...libraries], directories };
}
