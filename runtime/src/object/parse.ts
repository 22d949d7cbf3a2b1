import { Btf } from '../btf/btf.js';
import { parseBtfExt, type SectionInfo } from '../btf/ext.js';
import { validateBtf } from '../btf/validate.js';
import { type Elf, parseElf } from '../elf.js';
import { BpfError, isBpfError } from '../errors.js';
import { completeDatasecs } from './datasec.js';
import { collectExterns } from './externs.js';
import { readMaps } from './maps.js';
import { readFunctions } from './programs.js';
import { relocateFunctions } from './relocs.js';
import { collectSections, type ObjectSections } from './sections.js';
import { fillSlots } from './slots.js';
import type { FunctionSpec, ObjectSpec, ProgramSpec } from './spec.js';

/**
 * Reads a BPF object file. Pure: no kernel, no file system; `bytes` are not changed, and are shared by the result.
 * Corresponds to libbpf's bpf_object__open, and refuses what that refuses, except that it takes objects of either byte
 * order, `SEC("maps")`, and static functions beside programs.
 *
 * Throws BpfError: `ERR_BPF_NOT_ELF`, `ERR_BPF_NOT_BPF` (another machine's), `ERR_BPF_STRIPPED`, `ERR_BPF_NO_BTF`,
 * `ERR_BPF_EXTERN`, `ERR_BPF_MAP_DEFINITION`, `ERR_BPF_RELOCATION`, `ERR_BPF_NOT_SUPPORTED`, `ERR_BPF_TOO_BIG`, and
 * MalformedError, which names section and byte.
 */
export function parseObject(bytes: Uint8Array): ObjectSpec {
  const elf = parseElf(bytes);
  const sections = collectSections(elf);
  const warnings = [...sections.warnings];
  const raw = readBtf(elf, sections, warnings);
  const externs = collectExterns(elf, raw);
  const btf = raw && completeDatasecs(elf, raw, externs.specs);
  const ext = btf === undefined ? new Map<string, SectionInfo>() : readBtfExt(sections, btf, warnings);
  const maps = readMaps(elf, sections, btf, externs.specs);
  const units = readFunctions(elf, sections, btf, ext);
  const context = { elf, sections, btf, units, maps, externs };
  const functions: FunctionSpec[] = relocateFunctions(context);
  return {
    byteOrder: elf.littleEndian ? 'little' : 'big',
    license: sections.license,
    kernelVersion: sections.kernelVersion,
    ...(btf !== undefined && { btf }),
    maps: fillSlots(context),
    programs: units.all.flatMap(({ spec }) => (isProgram(spec) ? [spec] : [])),
    functions,
    externs: externs.specs,
    warnings,
  };
}

function isProgram(spec: FunctionSpec | ProgramSpec): spec is ProgramSpec {
  return 'sec' in spec;
}

/** Damaged BTF is fatal only where something is declared in it, as for libbpf. */
function readBtf(elf: Elf, sections: ObjectSections, warnings: string[]): Btf | undefined {
  const needed = whatNeedsBtf(elf, sections);
  if (sections.btf === undefined) {
    if (needed === undefined) return undefined;
    throw new BpfError(
      'ERR_BPF_NO_BTF',
      `the object has no BTF, and ${needed} needs it; compile with clang -g`,
      {
        errno: 2,
      },
    );
  }
  try {
    const btf = Btf.parse(sections.btf.data);
    if (btf.littleEndian !== elf.littleEndian) {
      throw new BpfError(
        'ERR_BPF_MALFORMED',
        'malformed .BTF at byte 0: its byte order is not that of the object',
      );
    }
    validateBtf(btf);
    return btf;
  } catch (error) {
    if (needed !== undefined || !isBpfError(error)) throw error;
    warnings.push(`BTF is ignored: ${error.message}`);
    return undefined;
  }
}

function whatNeedsBtf(elf: Elf, sections: ObjectSections): string | undefined {
  if (sections.maps !== undefined) return 'SEC(".maps")';
  if (sections.structOps.length > 0) return 'SEC(".struct_ops")';
  return elf.symbols.some((symbol) => symbol.undefinedExtern && symbol.name !== '') ? 'an extern' : undefined;
}

function readBtfExt(sections: ObjectSections, btf: Btf, warnings: string[]): Map<string, SectionInfo> {
  if (sections.btfExt === undefined) return new Map();
  try {
    return parseBtfExt(sections.btfExt.data, btf);
  } catch (error) {
    if (!isBpfError(error)) throw error;
    warnings.push(
      `.BTF.ext is ignored, so there are no source lines and CO-RE relocations: ${error.message}`,
    );
    return new Map();
  }
}
