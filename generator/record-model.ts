import type { Btf, MapSpec } from '@bpfskel/runtime/inspect';
import type { Imports } from './imports.js';
import { pascalCase, type Scope } from './names.js';
import { comment, propertyAccess, propertyKey, quote } from './quote.js';
import type { Field, ReachedTypes } from './reach.js';
import type { RecordArm, RecordTypes, TagValue } from './record-types.js';
import type { TypeTable } from './types.js';

/** The type of a map's records when they are of several types. Lines are ready to print. */
export interface RecordDefinition {
  readonly name: string;
  readonly doc: string;
  /** TypeScript types, one of which a record is. */
  readonly arms: readonly string[];
  readonly codecType: string;
  /** What begins the call that makes the codec, up to the bracket of the list. */
  readonly make: string;
  readonly entries: readonly string[];
}

interface Parts {
  readonly btf: Btf;
  readonly reached: ReachedTypes;
  readonly table: TypeTable;
  readonly imports: Imports;
  readonly scope: Scope;
}

/** A union of the records' types, and the codec that tells which of them a record is. */
export function recordDefinition(map: MapSpec, { tag, arms }: RecordTypes, parts: Parts): RecordDefinition {
  const { btf, table, imports } = parts;
  const types = arms.map(({ typeId }) => table.of(typeId).ts);
  const names = types.map((type) => comment(type)).join(', ');
  const told = tag === undefined ? 'their sizes tell' : `${comment(tag.name)} tells`;
  const definition = {
    name: parts.scope.claim(pascalCase(`${map.name}_record`)),
    doc: `Records of ${comment(map.name)}: ${told} ${names} apart`,
    codecType: imports.type('Codec'),
  };
  if (tag === undefined) {
    return { ...definition, arms: types, make: `${imports.value('oneOfSize')}(`, entries: types };
  }
  const read = table.of(tag.typeId).read(offset(tag));
  const enumName = parts.reached.get(btf.resolve(tag.typeId))?.name;
  return {
    ...definition,
    arms: arms.map(
      (arm, i) => `${types[i]} & { ${propertyKey(tag.name)}: ${tagTypes(arm, enumName, read)} }`,
    ),
    make: `${imports.value('oneOf')}(${quote(tag.name)}, (v, o) => ${read}, `,
    entries: arms.flatMap((arm, i) =>
      arm.values.map((value) => `[${valueText(value, enumName, read)}, ${types[i]}]`),
    ),
  };
}

function offset({ bitOffset }: Field): string {
  return bitOffset === 0 ? 'o' : `o + ${bitOffset >> 3}`;
}

function tagTypes({ values }: RecordArm, enumName: string | undefined, read: string): string {
  return values
    .map((value) => {
      const text = valueText(value, enumName, read);
      return value.name === undefined || enumName === undefined ? text : `typeof ${text}`;
    })
    .join(' | ');
}

function valueText({ name, value }: TagValue, enumName: string | undefined, read: string): string {
  if (name !== undefined && enumName !== undefined) return propertyAccess(enumName, name);
  // What reads a 64-bit integer gives a bigint, unless it is made a number.
  return /^v\.getBig/.test(read) ? `${value}n` : `${value}`;
}
