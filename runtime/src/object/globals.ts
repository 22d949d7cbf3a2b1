import type { Btf } from '../btf/btf.js';
import type { ElfSection } from '../elf.js';
import { BpfError, printable } from '../errors.js';
import { BPF_F_MMAPABLE, BPF_F_RDONLY_PROG, BPF_MAP_TYPE } from '../uapi.js';
import { kconfigSize } from './externs.js';
import type { DataSection, ExternSpec, MapSpec, VariableSpec } from './spec.js';

/** The array map with one element that holds a section of global data (libbpf: bpf_object__init_internal_map). */
export function dataMap(btf: Btf | undefined, kind: 'data' | 'rodata' | 'bss', section: ElfSection): MapSpec {
  return internalMap(dataSection(btf, kind, section), section.size, 'data');
}

/** The map that holds the kernel's configuration; undefined when the object asks for none. */
export function kconfigMap(btf: Btf | undefined, externs: readonly ExternSpec[]): MapSpec | undefined {
  const total = kconfigSize(externs);
  if (total === 0) return undefined;
  const variables = externs
    .filter(({ kind }) => kind === 'kconfig')
    .map(({ name, typeId, dataOffset: offset, size }) => ({
      name,
      typeId,
      offset,
      size,
      linkage: 'extern' as const,
    }));
  const typeId = btf?.findOwn('.kconfig', 'datasec') ?? 0;
  const facts = { name: '.kconfig', kind: 'kconfig' as const, typeId, variables, mmapable: typeId !== 0 };
  return internalMap(withZeros(facts, total), total, 'kconfig');
}

/** A section of variables as BTF describes it. One without a DATASEC (string literals, constant pools) has none. */
export function dataSection(
  btf: Btf | undefined,
  kind: DataSection['kind'],
  section: ElfSection,
): DataSection {
  const typeId = btf?.findOwn(section.name, 'datasec') ?? 0;
  const variables = btf === undefined ? [] : variablesOf(btf, typeId, section.size);
  const mmapable = variables.some(({ linkage }) => linkage !== 'static');
  const facts = { name: section.name, kind, typeId, variables, mmapable };
  return kind === 'bss' ? withZeros(facts, section.size) : { ...facts, bytes: section.data };
}

function internalMap(section: DataSection, valueSize: number, origin: 'data' | 'kconfig'): MapSpec {
  const readOnly = section.kind === 'rodata' || section.kind === 'kconfig';
  return {
    name: section.name,
    type: BPF_MAP_TYPE.ARRAY,
    keySize: 4,
    valueSize,
    maxEntries: 1,
    flags: (readOnly ? BPF_F_RDONLY_PROG : 0) | (section.mmapable ? BPF_F_MMAPABLE : 0),
    mapExtra: 0n,
    numaNode: 0,
    pinByName: false,
    keyTypeId: 0,
    valueTypeId: section.typeId,
    slots: [],
    section,
    origin,
    autocreate: true,
  };
}

function variablesOf(btf: Btf, typeId: number, sectionSize: number): VariableSpec[] {
  const section = btf.type(typeId);
  if (section.kind !== 'datasec') return [];
  return section.vars.map(({ type, offset, size }) => {
    const variable = btf.type(type);
    if (variable.kind !== 'var')
      throw btf.malformed(typeId, `it holds a ${variable.kind} among its variables`);
    const name = printable(variable.name);
    if (offset + size > sectionSize) {
      throw btf.malformed(typeId, `variable "${name}" ends at byte ${offset + size} of ${sectionSize}`);
    }
    if (btf.sizeOf(variable.type) > size) {
      throw btf.malformed(typeId, `variable "${name}" has ${size} bytes, its type needs more`);
    }
    return { name: variable.name, typeId: variable.type, offset, size, linkage: variable.linkage };
  });
}

/** Zeros are made when asked for: a small file can declare gigabytes of them. */
function withZeros(facts: Omit<DataSection, 'bytes'>, size: number): DataSection {
  let zeros: Uint8Array | undefined;
  return {
    ...facts,
    get bytes() {
      try {
        zeros ??= new Uint8Array(size);
      } catch (cause) {
        throw new BpfError(
          'ERR_BPF_TOO_BIG',
          `no memory for the ${size} bytes of "${printable(facts.name)}"`,
          { cause },
        );
      }
      return zeros;
    },
  };
}

/** The name of a data section in a skeleton, as bpftool makes it: `.data.foo` is `data_foo`, globals of an arena `arena`. */
export function sectionIdentifier({ name, section }: Pick<MapSpec, 'name' | 'section'>): string {
  if (section?.kind === 'arena') return 'arena';
  return name.replace(/^\./, '').replace(/[^A-Za-z0-9_]/g, '_');
}
