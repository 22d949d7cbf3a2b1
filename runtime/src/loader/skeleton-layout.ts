import type { Btf } from '../btf/btf.js';
import type { Description, Global } from '../codegen/description.js';
import { BpfError, printable } from '../errors.js';
import type { MapShape } from '../map/map.js';
import { sectionIdentifier } from '../object/globals.js';
import type { MapSpec, ObjectSpec, ProgramSpec, VariableSpec } from '../object/spec.js';
import { kindOf } from '../program/kinds.js';
import type { ProgramShape } from '../program/program.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { recordType } from './record-type.js';
import { fieldMisfit, typeName } from './type-layout.js';

/**
 * Refuses a skeleton that states another layout than its object has: the object was compiled again and the skeleton not
 * generated, or somebody edited it. Where fields lie is known of types that global variables have; of others the size, and
 * `bpfskel check` tells the rest.
 * @throws BpfError ERR_BPF_LAYOUT with the C type and both sizes
 */
export function checkLayout(description: Description, spec: ObjectSpec): void {
  const misfit =
    first(description.maps, (name, shape) => mapMisfit(name, shape, spec)) ??
    first(description.progs, (name, shape) => programMisfit(name, shape, spec.programs)) ??
    first(description.globals, (section, globals) => sectionMisfit(section, globals, spec));
  if (misfit === undefined) return;
  throw new BpfError(
    'ERR_BPF_LAYOUT',
    `open ${printable(description.name)}: ${misfit}; generate the skeleton again from the object: bpfskel gen`,
  );
}

function first<T>(
  entries: Readonly<Record<string, T>>,
  misfitOf: (name: string, entry: T) => string | undefined,
): string | undefined {
  for (const [name, entry] of Object.entries(entries)) {
    const misfit = misfitOf(name, entry);
    if (misfit !== undefined) return misfit;
  }
  return undefined;
}

function mapMisfit(name: string, shape: MapShape, { maps, btf }: ObjectSpec): string | undefined {
  const map = maps.find((candidate) => candidate.name === name);
  if (map === undefined) return `the object has no map "${printable(name)}"`;
  const what = `map "${printable(name)}"`;
  return (
    sizeMisfit(what, shape, map, btf) ?? recordMisfit(what, shape, map, btf) ?? kindMisfit(what, shape, map)
  );
}

/** In which size a skeleton's codecs and the object's map differ, inner maps included. */
function sizeMisfit(what: string, shape: MapShape, map: MapSpec, btf: Btf | undefined): string | undefined {
  for (const [role, codec, size, typeId] of [
    ['keys', shape.key, map.keySize, map.keyTypeId],
    ['values', shape.value, map.valueSize, map.valueTypeId],
  ] as const) {
    // Ring and perf buffers have records; their value size is the kernel's affair.
    if (codec === undefined || size === 0 || shape.kind.codecsAreRecords) continue;
    if (codec.size === size) {
      const misfit = btf && hasSize(btf, typeId, size) && fieldMisfit(btf, typeId, codec);
      if (misfit) return `${role} of ${what}: ${misfit}`;
      continue;
    }
    return `${role} of ${what} are ${sized(btf, typeId, size)} in the object and ${bytes(codec.size)} in the skeleton`;
  }
  return shape.inner && map.inner && sizeMisfit(`the maps in ${what}`, shape.inner, map.inner, btf);
}

/** Records of another size than their struct, when the object tells which that is: by its name alone nobody knows them. */
function recordMisfit(
  what: string,
  { kind, value, asked }: MapShape,
  map: MapSpec,
  btf: Btf | undefined,
): string | undefined {
  if (kind.codecsAreRecords !== true || value === undefined || value.size === 0 || btf === undefined) {
    return undefined;
  }
  const record = recordType(btf, map, asked);
  if (record === undefined || btf.sizeOf(record) === value.size) return undefined;
  return `records of ${what} are ${sized(btf, record, btf.sizeOf(record))} in the object and ${bytes(value.size)} in the skeleton`;
}

function hasSize(btf: Btf, typeId: number, size: number): boolean {
  const { kind } = btf.resolve(typeId);
  return (kind === 'struct' || kind === 'union' || kind === 'array') && btf.sizeOf(typeId) === size;
}

function kindMisfit(what: string, { kind }: MapShape, { type }: MapSpec): string | undefined {
  // A kind of no type is that of every type.
  if (kind.types.length === 0 || kind.types.includes(type)) return undefined;
  const name = Object.entries(BPF_MAP_TYPE).find(([, value]) => value === type)?.[0] ?? type;
  return `${what} is BPF_MAP_TYPE_${name} in the object and ${kind.kindName}() in the skeleton`;
}

function programMisfit(
  name: string,
  shape: ProgramShape,
  programs: readonly ProgramSpec[],
): string | undefined {
  const program = programs.find((candidate) => candidate.name === name);
  if (program === undefined) return `the object has no program "${printable(name)}"`;
  const kind = kindOf(program.sec)?.kind;
  // A section that was unknown when the skeleton was generated may be known now.
  if (kind === undefined || shape.kind === kind || kindOf(shape.section)?.kind === kind) return undefined;
  return `program "${printable(name)}" is SEC("${printable(program.sec)}") in the object and SEC("${printable(shape.section)}") in the skeleton`;
}

function sectionMisfit(
  ident: string,
  globals: Readonly<Record<string, Global<unknown>>>,
  { maps, btf }: ObjectSpec,
): string | undefined {
  const map = maps.find((candidate) => candidate.section && sectionIdentifier(candidate) === ident);
  if (map?.section === undefined) return `the object has no global data "${printable(ident)}"`;
  const variables = byKey(map.section.variables);
  return first(globals, (name, { offset, codec }) => {
    const what = `${printable(ident)}.${printable(name)}`;
    const variable = variables.get(name);
    if (variable === undefined) return `the object has no variable ${what}`;
    const sizes = [variable.size, btf?.sizeOf(variable.typeId)];
    if (variable.offset === offset && sizes.includes(codec.size)) {
      const misfit = btf && fieldMisfit(btf, variable.typeId, codec);
      return misfit && `${what}: ${misfit}`;
    }
    const there = `${sized(btf, variable.typeId, variable.size)} at ${variable.offset}`;
    return `${what} is ${there} in the object and ${bytes(codec.size)} at ${offset} in the skeleton`;
  });
}

/** Variables by the property names that the generator gives them. */
function byKey(variables: readonly VariableSpec[]): ReadonlyMap<string, VariableSpec> {
  const keys = new Map<string, VariableSpec>();
  for (const variable of variables) {
    if (variable.linkage === 'static') continue;
    const wanted = variable.name.replaceAll('.', '_');
    let key = wanted;
    for (let count = 2; keys.has(key); count++) key = `${wanted}_${count}`;
    keys.set(key, variable);
  }
  return keys;
}

/** `struct stats, 24 bytes,`, or the bytes alone where the type has no name. */
function sized(btf: Btf | undefined, typeId: number, size: number): string {
  const name = btf === undefined ? '' : typeName(btf, typeId);
  return name === '' ? bytes(size) : `${printable(name)}, ${bytes(size)},`;
}

function bytes(size: number): string {
  return size === 1 ? '1 byte' : `${size} bytes`;
}
