import { type Elf, type ElfSection, SectionType, SHF_EXECINSTR } from '../elf.js';
import { BpfError, MalformedError, printable } from '../errors.js';

/** What the sections of an object are for, by libbpf's rules (bpf_object__elf_collect). */
export interface ObjectSections {
  readonly license: string;
  readonly kernelVersion: number;
  /** `SEC("maps")`, from before BTF. */
  readonly legacyMaps?: ElfSection;
  /** `SEC(".maps")`. */
  readonly maps?: ElfSection;
  readonly btf?: ElfSection;
  readonly btfExt?: ElfSection;
  /** Sections of instructions, `.text` among them. */
  readonly code: readonly ElfSection[];
  readonly data: readonly { readonly kind: 'data' | 'rodata' | 'bss'; readonly section: ElfSection }[];
  readonly structOps: readonly ElfSection[];
  /** Globals of the arena, `.addr_space.1`. */
  readonly arena?: ElfSection;
  /** SHT_REL sections by the index of the section they relocate. */
  readonly relocations: ReadonlyMap<number, readonly ElfSection[]>;
  readonly warnings: readonly string[];
}

/** Where subprograms live. */
export const TEXT = '.text';
/** A map's value size is an int in the kernel. */
const MAX_VALUE = 0x7fffffff;

const STRUCT_OPS = /^\??\.struct_ops(\.link)?$/;

/** {@link ObjectSections} while it is filled. */
interface Draft {
  license: string;
  kernelVersion: number;
  legacyMaps?: ElfSection;
  maps?: ElfSection;
  btf?: ElfSection;
  btfExt?: ElfSection;
  readonly code: ElfSection[];
  readonly data: { kind: 'data' | 'rodata' | 'bss'; section: ElfSection }[];
  readonly structOps: ElfSection[];
  arena?: ElfSection;
  readonly relocations: Map<number, ElfSection[]>;
  readonly warnings: string[];
}

/** Sorts the sections of an object by what they hold. What is not known is left out, as libbpf does. */
export function collectSections(elf: Elf): ObjectSections {
  const found: Draft = {
    license: '',
    kernelVersion: 0,
    code: [],
    data: [],
    structOps: [],
    relocations: new Map(),
    warnings: [],
  };
  for (const section of elf.sections) {
    if (section.name.startsWith('.debug_') || section.name.startsWith('.rel.debug_')) continue;
    if (section.type === SectionType.NULL || section.type === SectionType.STRTAB) continue;
    if (!collectNamed(found, section, elf.littleEndian)) collectTyped(found, section, elf);
  }
  return found;
}

/** Sections that are known by their name alone. */
function collectNamed(found: Draft, section: ElfSection, littleEndian: boolean): boolean {
  switch (section.name) {
    case 'license':
      found.license = readLicense(section.data);
      return true;
    case 'version':
      found.kernelVersion = readVersion(section, littleEndian);
      return true;
    case 'maps':
      found.legacyMaps = section;
      return true;
    case '.maps':
      found.maps = section;
      return true;
    case '.BTF':
    case '.BTF.ext':
      if (section.type !== SectionType.PROGBITS) {
        throw new MalformedError(section.name, 0, `its section type is ${section.type}, not PROGBITS`);
      }
      found[section.name === '.BTF' ? 'btf' : 'btfExt'] = section;
      return true;
    default:
      return false;
  }
}

function collectTyped(found: Draft, section: ElfSection, elf: Elf): void {
  const { name, type } = section;
  if (type === SectionType.PROGBITS && section.size > 0) {
    if ((section.flags & SHF_EXECINSTR) !== 0) found.code.push(section);
    else if (isSection(name, '.data')) found.data.push({ kind: 'data', section: sized(section) });
    else if (isSection(name, '.rodata')) found.data.push({ kind: 'rodata', section: sized(section) });
    else if (STRUCT_OPS.test(name)) found.structOps.push(section);
    else if (name === '.addr_space.1') found.arena = section;
  } else if (type === SectionType.NOBITS && isSection(name, '.bss')) {
    if (section.size > 0) found.data.push({ kind: 'bss', section: sized(section) });
  } else if (type === SectionType.REL) {
    if (elf.sections[section.info] === undefined) {
      throw new MalformedError(name, 0, `it relocates section ${section.info}, which does not exist`);
    }
    const others = found.relocations.get(section.info);
    if (others === undefined) found.relocations.set(section.info, [section]);
    else others.push(section);
  } else if (type === SectionType.RELA && elf.sections[section.info]?.flags === SHF_EXECINSTR) {
    found.warnings.push(
      `section "${printable(name)}" is ignored: BPF objects have relocations without addends`,
    );
  }
}

function isSection(name: string, family: string): boolean {
  return name === family || name.startsWith(`${family}.`);
}

function sized(section: ElfSection): ElfSection {
  if (section.size > MAX_VALUE) {
    throw new BpfError(
      'ERR_BPF_TOO_BIG',
      `section "${printable(section.name)}" has ${section.size} bytes, more than a map's value can hold`,
    );
  }
  return section;
}

/** At most 63 bytes count, as in libbpf. */
function readLicense(data: Uint8Array): string {
  const end = data.indexOf(0);
  return new TextDecoder().decode(data.subarray(0, Math.min(end < 0 ? data.length : end, 63)));
}

function readVersion({ data, name }: ElfSection, littleEndian: boolean): number {
  if (data.length !== 4) throw new MalformedError(name, 0, `it has ${data.length} bytes instead of 4`);
  return new DataView(data.buffer, data.byteOffset, 4).getUint32(0, littleEndian);
}
