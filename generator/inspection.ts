import {
  architectureOf,
  BPF_PROG_TYPE,
  type Btf,
  coreQuestion,
  kindOf,
  type MapSpec,
  type ObjectSpec,
  type ProgramSpec,
  relocationText,
  sectionIdentifier,
} from '@bpfskel/runtime/inspect';
import { declaration } from './ctype.js';
import { mapTypeName } from './map-types.js';
import { Scope } from './names.js';
import { ReachedTypes } from './reach.js';

/** What `bpfskel inspect` knows of an object: plain data, printed as it is by `--json`. Sizes and offsets are bytes. */
export interface Inspection {
  readonly byteOrder: 'little' | 'big';
  /** Node's name of the architecture whose registers the object knows; absent when it runs everywhere, or does not tell. */
  readonly architecture?: string;
  readonly license: string;
  readonly btf: boolean;
  readonly maps: readonly MapInspection[];
  readonly programs: readonly ProgramInspection[];
  readonly sections: readonly SectionInspection[];
  readonly types: readonly TypeInspection[];
  readonly relocations: readonly RelocationInspection[];
  readonly externs: readonly {
    readonly name: string;
    readonly kind: string;
    readonly type: string;
    readonly weak: boolean;
  }[];
  readonly warnings: readonly string[];
}
export interface MapInspection {
  readonly name: string;
  readonly type: string;
  readonly key: { readonly size: number; readonly type?: string };
  readonly value: { readonly size: number; readonly type?: string };
  readonly maxEntries: number;
  readonly flags: number;
  readonly pinByName: boolean;
  readonly inner?: MapInspection;
}
export interface ProgramInspection {
  readonly name: string;
  readonly section: string;
  /** `enum bpf_prog_type` without its prefix; absent when no rule knows the section. */
  readonly type?: string;
  /** What SEC() attaches it to. */
  readonly target: string;
  readonly autoload: boolean;
  readonly instructions: number;
}
export interface SectionInspection {
  readonly name: string;
  /** Its name in a skeleton. */
  readonly property: string;
  readonly size: number;
  readonly variables: readonly {
    readonly name: string;
    readonly declaration: string;
    readonly offset: number;
    readonly size: number;
    readonly static: boolean;
  }[];
}
export interface TypeInspection {
  readonly name: string;
  readonly kind: string;
  readonly size: number;
  readonly fields?: readonly {
    readonly name: string;
    readonly declaration: string;
    readonly bitOffset: number;
    readonly bitSize: number;
    /** True for bitfields. */
    readonly bitfield: boolean;
    /** True when other members use the same bytes. */
    readonly overlaps: boolean;
  }[];
  readonly values?: readonly { readonly name: string; readonly value: number | string }[];
}
export interface RelocationInspection {
  readonly program: string;
  readonly instruction: number;
  /** What is asked of the target: `offset of`. */
  readonly kind: string;
  readonly target: string;
}

function architecture({ btf }: ObjectSpec): Pick<Inspection, 'architecture'> {
  const compiled = btf && architectureOf(btf);
  return compiled === undefined ? {} : { architecture: compiled.arch };
}

/** Reads an object's declarations off its spec. Needs no kernel. */
export function inspectObject(spec: ObjectSpec): Inspection {
  const { btf } = spec;
  return {
    byteOrder: spec.byteOrder,
    ...architecture(spec),
    license: spec.license,
    btf: btf !== undefined,
    maps: spec.maps.filter((map) => !isGlobalData(map)).map((map) => inspectMap(map, btf)),
    programs: spec.programs.map(inspectProgram),
    sections: spec.maps.flatMap((map) => inspectSection(map, btf)),
    types: btf === undefined ? [] : inspectTypes(spec, btf),
    relocations: btf === undefined ? [] : inspectRelocations(spec, btf),
    externs: spec.externs.map(({ name, kind, typeId, weak }) => ({
      name,
      kind,
      type: btf === undefined ? '' : declaration(btf, typeId),
      weak,
    })),
    warnings: spec.warnings,
  };
}

/** A struct_ops variable also has a section, but it is a map like others. */
function isGlobalData(map: MapSpec): boolean {
  return map.section !== undefined && map.origin !== 'struct_ops';
}

function inspectMap(map: MapSpec, btf: Btf | undefined): MapInspection {
  const typed = (size: number, id: number) =>
    btf === undefined || id === 0 ? { size } : { size, type: declaration(btf, id) };
  return {
    name: map.name,
    type: mapTypeName(map.type),
    key: typed(map.keySize, map.keyTypeId),
    value: typed(map.valueSize, map.valueTypeId),
    maxEntries: map.maxEntries,
    flags: map.flags,
    pinByName: map.pinByName,
    ...(map.inner && { inner: inspectMap(map.inner, btf) }),
  };
}

const programTypes = new Map<number, string>(
  Object.entries(BPF_PROG_TYPE).map(([name, type]) => [type, name]),
);

function inspectProgram(program: ProgramSpec): ProgramInspection {
  const meaning = kindOf(program.sec);
  const type = meaning && programTypes.get(meaning.rule.type);
  return {
    name: program.name,
    section: program.sec,
    ...(type !== undefined && { type }),
    target: meaning?.target ?? '',
    autoload: program.autoload,
    instructions: program.insns.length / 8,
  };
}

function inspectSection(map: MapSpec, btf: Btf | undefined): SectionInspection[] {
  const { section } = map;
  if (section === undefined || !isGlobalData(map)) return [];
  return [
    {
      name: section.name,
      property: sectionIdentifier(map),
      size: section.bytes.length,
      variables: section.variables.map(({ name, typeId, offset, size, linkage }) => ({
        name,
        declaration: btf === undefined ? name : declaration(btf, typeId, name),
        offset,
        size,
        static: linkage === 'static',
      })),
    },
  ];
}

/** The structs, unions and enums that maps and globals hold: those a skeleton has types for. */
function inspectTypes(spec: ObjectSpec, btf: Btf): TypeInspection[] {
  const reached = new ReachedTypes(btf, new Scope());
  const add = (map: MapSpec): void => {
    for (const id of [map.keyTypeId, map.valueTypeId]) if (id !== 0) reached.add(id, map.name);
    if (map.inner !== undefined) add(map.inner);
  };
  for (const map of spec.maps) {
    if (map.origin === 'struct_ops') continue;
    if (map.section === undefined) add(map);
    else for (const variable of map.section.variables) reached.add(variable.typeId, variable.name);
  }
  return reached.all().map((one) => {
    const { kind, size } = one.type;
    if (one.kind === 'enum') {
      const values = one.type.values.map(({ name, value }) => ({
        name,
        value: typeof value === 'bigint' ? String(value) : value,
      }));
      return { name: one.cName, kind, size, values };
    }
    const fields = one.fields.map(({ cName, typeId, bitOffset, bitSize, arm }) => ({
      name: cName,
      declaration: declaration(btf, typeId, cName),
      bitOffset,
      bitSize: bitSize || btf.sizeOf(typeId) * 8,
      bitfield: bitSize > 0,
      overlaps: arm,
    }));
    return { name: one.cName, kind, size, fields };
  });
}

function inspectRelocations(spec: ObjectSpec, btf: Btf): RelocationInspection[] {
  return [...spec.programs, ...spec.functions].flatMap((program) =>
    program.coreRelocations.map((relocation) => ({
      program: program.name,
      instruction: relocation.insn,
      kind: coreQuestion(relocation.kind) ?? `kind ${relocation.kind} of`,
      target: relocationText(relocation, btf),
    })),
  );
}
