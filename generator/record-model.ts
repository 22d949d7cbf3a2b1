import type { Btf, MapSpec } from '@bpfskel/runtime/inspect';
import type { Field } from './fields.js';
import type { Imports } from './imports.js';
import { pascalCase, type Scope } from './names.js';
import { comment, propertyKey, quote } from './quote.js';
import type { ReachedTypes } from './reach.js';
import type { RecordTypes } from './record-types.js';
import { valueText, valueType } from './tag-values.js';
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
  const { ts, read: readAt } = table.of(tag.typeId);
  const read = readAt(offset(tag));
  const { reached } = parts;
  return {
    ...definition,
    arms: arms.map(({ values }, i) => {
      const tagTypes = values.map((value) => valueType(btf, reached, tag, value, ts));
      return `${types[i]} & { ${propertyKey(tag.name)}: ${tagTypes.join(' | ')} }`;
    }),
    make: `${imports.value('oneOf')}(${quote(tag.name)}, (v, o) => ${read}, `,
    entries: arms.flatMap((arm, i) =>
      arm.values.map((value) => `[${valueText(btf, reached, tag, value, ts)}, ${types[i]}]`),
    ),
  };
}

function offset({ bitOffset }: Field): string {
  return bitOffset === 0 ? 'o' : `o + ${bitOffset >> 3}`;
}
