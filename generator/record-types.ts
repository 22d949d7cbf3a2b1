import { BPF_MAP_TYPE, BpfError, type Btf, type MapSpec, printable } from '@bpfskel/runtime/inspect';
import { declTags } from './decl-tags.js';
import type { Field, TagValue } from './fields.js';
import { flatten } from './reach.js';
import { findType, holdsRecords, recordText, recordType } from './records.js';
import { valueLike, valueNames, valueWritten } from './tag-values.js';

/** One of the types that a map's records may have. */
export interface RecordArm {
  readonly typeId: number;
  /** Values of the tag that mean this type; none where records are told apart by their size. */
  readonly values: readonly TagValue[];
}

/** What the records of a map are, when they are of several types. */
export interface RecordTypes {
  readonly arms: readonly RecordArm[];
  /** The field that all types share; undefined where records are told apart by their size. */
  readonly tag: Field | undefined;
}

/** An arm as it is written: `exec_event`, `exec_event:EVENT_EXEC,EVENT_EXECVEAT`, `exec_event:1`. */
interface WrittenArm {
  readonly name: string;
  readonly typeId: number;
  readonly fields: readonly Field[];
  readonly values: readonly string[];
}

/** What is known of the records of maps: the id of their type, or the several that they may have. */
export type MapRecords = ReadonlyMap<MapSpec, number | RecordTypes>;

/** Finds out the records of maps, and of the maps in them. `asked` is what `--record` said, by map. */
export function mapRecords(
  btf: Btf,
  maps: readonly MapSpec[],
  asked: ReadonlyMap<string, string>,
): MapRecords {
  const known = new Map<MapSpec, number | RecordTypes>();
  const visit = (map: MapSpec): void => {
    const text = recordText(btf, map, asked);
    const record = text?.includes('|') ? recordTypes(btf, map, text) : recordType(btf, map, text);
    if (record !== undefined) known.set(map, record);
    if (map.inner !== undefined) visit(map.inner);
  };
  // What the kernel puts into a struct_ops map is its own struct, not the object's.
  for (const map of maps) if (map.origin !== 'struct_ops') visit(map);
  return known;
}

/**
 * The types in `exec_event|exit_event`, and what tells them apart: a field of the same name, type and place in all of them.
 * Which of its values means which type is written behind a colon (`exec_event:EVENT_EXEC|exit_event:EVENT_EXIT`), or on
 * the struct by the tag `bpfskel:tag=EVENT_EXEC`, or else follows from the names: EVENT_EXEC is exec_event's. Types of
 * different sizes that have no such field are told apart by their size.
 */
function recordTypes(btf: Btf, map: MapSpec, text: string): RecordTypes {
  if (!holdsRecords(map)) throw refuse(map, 'only those of ring and perf buffers may be of several types');
  const written = text.split('|').map((arm) => parseArm(btf, arm));
  const tag = tagField(btf, written);
  if (tag === undefined) return bySize(btf, map, written);
  const names = written.map(({ name }) => name);
  const arms = written.map((arm) => ({
    typeId: arm.typeId,
    values: valuesOf(btf, arm).map((value) => tagValue(btf, map, tag, value, names)),
  }));
  const seen = new Set<bigint>();
  for (const { value } of arms.flatMap(({ values }) => values)) {
    if (seen.has(value)) throw refuse(map, `${printable(tag.name)} ${value} means two of the types`);
    seen.add(value);
  }
  return { tag, arms };
}

function parseArm(btf: Btf, text: string): WrittenArm {
  const [name = '', values = ''] = text.trim().split(':');
  const typeId = findType(btf, name.trim());
  const type = btf.resolve(typeId);
  if (type.kind !== 'struct' && type.kind !== 'union') {
    throw new BpfError(
      'ERR_BPF_NAME',
      `one of several record types is a struct; "${printable(name)}" is none`,
    );
  }
  const given = values.split(',').map((value) => value.trim());
  return { name: name.trim(), typeId, fields: flatten(btf, type).fields, values: given.filter(Boolean) };
}

/** The first field that all have: an enum, or where values are written an integer. */
function tagField(btf: Btf, arms: readonly WrittenArm[]): Field | undefined {
  const [first, ...others] = arms;
  const integers = arms.some(({ typeId, values }) => values.length > 0 || tagsOf(btf, typeId).length > 0);
  return first?.fields.find((field) => {
    const { kind } = btf.resolve(field.typeId);
    if (field.arm || field.bitSize > 0) return false;
    if (kind !== 'enum' && kind !== 'enum64' && !(integers && kind === 'int')) return false;
    return others.every(({ fields }) => fields.some((other) => sameField(btf, field, other)));
  });
}

function sameField(btf: Btf, a: Field, b: Field): boolean {
  const same = a.cName === b.cName && a.bitOffset === b.bitOffset && !b.arm && b.bitSize === 0;
  return same && btf.resolve(a.typeId).id === btf.resolve(b.typeId).id;
}

function bySize(btf: Btf, map: MapSpec, written: readonly WrittenArm[]): RecordTypes {
  const sizes = written.map(({ typeId }) => btf.sizeOf(typeId));
  const names = written.map(({ name }) => printable(name)).join(' and ');
  if (written.some(({ values }) => values.length > 0)) {
    throw refuse(map, `${names} have no integer in common by name, type and place`);
  }
  if (new Set(sizes).size < sizes.length) {
    throw refuse(map, `${names} have neither an enum in common by name, type and place, nor different sizes`);
  }
  if (map.type === BPF_MAP_TYPE.PERF_EVENT_ARRAY && new Set(sizes.map(inPerfBuffer)).size < sizes.length) {
    throw refuse(
      map,
      `${names} have no enum in common by name, type and place, and the kernel pads their ${sizes.join(' and ')} bytes alike`,
    );
  }
  return { tag: undefined, arms: written.map(({ typeId }) => ({ typeId, values: [] })) };
}

/** Bytes that a perf buffer gives for a record of `size`: with those before them that count them, whole words of 8. */
function inPerfBuffer(size: number): number {
  return ((size + 4 + 7) & ~7) - 4;
}

/** What is written of an arm's values: on the command line, else on the struct, else its own name stands for it. */
function valuesOf(btf: Btf, { name, typeId, values }: WrittenArm): readonly string[] {
  if (values.length > 0) return values;
  const tags = tagsOf(btf, typeId);
  return tags.length > 0 ? tags : [`${BY_NAME}${name}`];
}

/** Marks the name of a struct among names of values. */
const BY_NAME = 'struct ';

function tagValue(btf: Btf, map: MapSpec, tag: Field, text: string, structs: readonly string[]): TagValue {
  const struct = text.startsWith(BY_NAME) ? text.slice(BY_NAME.length) : undefined;
  const found = struct === undefined ? valueWritten(btf, tag, text) : valueLike(btf, tag, struct, structs);
  if (found !== undefined) return found;
  const names = valueNames(btf, tag);
  throw refuse(
    map,
    struct === undefined
      ? `${printable(tag.name)} has no value ${printable(text)}${names.length > 0 ? `; it has ${names.join(', ')}` : ''}`
      : `no value of ${printable(tag.name)} is named like ${printable(struct)}: write it behind a colon, as in ${printable(struct)}:${names[0] ?? 1}`,
  );
}

/** Values in tags `bpfskel:tag=VALUE` on a struct. */
function tagsOf(btf: Btf, typeId: number): string[] {
  return declTags(btf, btf.resolve(typeId).id, 'tag').flatMap((text) =>
    text.split(',').map((value) => value.trim()),
  );
}

function refuse(map: MapSpec, why: string): BpfError {
  return new BpfError('ERR_BPF_NAME', `records of map "${printable(map.name)}": ${why}`);
}
