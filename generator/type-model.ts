import type { Btf } from '@bpfskel/runtime/inspect';
import { alignDocs, byteCount, fieldDoc, keptNote } from './field-docs.js';
import type { Field } from './fields.js';
import type { Imports } from './imports.js';
import type { Parts } from './parts.js';
import { comment, propertyAccess, propertyKey, quote } from './quote.js';
import type { Reached } from './reach.js';
import { type TaggedDefinition, taggedDefinition } from './tagged-model.js';
import { likelyTag } from './tagged-unions.js';
import { isLossy, type Wide, wideOfEnum } from './types.js';

/** A TypeScript type for a C enum: an object of its values and the union of them. */
export interface EnumDefinition {
  readonly isEnum: true;
  readonly isTagged: false;
  readonly name: string;
  readonly doc: string;
  readonly values: readonly { readonly key: string; readonly value: string }[];
  /** What the type is when the enum names no value. */
  readonly base: string;
}

/** An interface and a codec for a struct or union. Lines are ready to print. */
export interface StructDefinition {
  readonly isEnum: false;
  readonly isTagged: false;
  readonly name: string;
  readonly doc: string;
  readonly size: number;
  /** `doc` is padded so that the members of one type line up. */
  readonly fields: readonly {
    readonly doc: string;
    readonly key: string;
    readonly ts: string;
    readonly read: string;
  }[];
  readonly writes: readonly string[];
  /** Where each field lies and what it is, of types that have live values. */
  readonly places: readonly { readonly key: string; readonly place: string }[];
  /** How many bytes a value takes, of types that end in a flexible array. */
  readonly sizeOf: string | undefined;
  readonly codecType: string;
  readonly make: string;
  /** Parameters of the reading and the writing function; only what is used. */
  readonly readParams: string;
  readonly writeParams: string;
}

export type TypeDefinition = EnumDefinition | StructDefinition | TaggedDefinition;

/** The definitions of every type that was reached, in order. */
export function definitions(parts: Parts): TypeDefinition[] {
  return parts.reached.all().map((reached) => {
    if (reached.kind === 'enum') return enumDefinition(reached, parts.wide);
    const { tagged } = reached;
    return tagged ? taggedDefinition(reached, tagged, parts) : structDefinition(reached, parts);
  });
}

function enumDefinition({ type, name, cName }: Reached & { kind: 'enum' }, wide: Wide): EnumDefinition {
  const big = type.size === 8 && wideOfEnum(type, wide) === 'bigint';
  const seen = new Set<string>();
  const values = type.values
    .filter((entry) => !seen.has(entry.name) && seen.add(entry.name))
    .map((entry) => ({ key: propertyKey(entry.name), value: `${entry.value}${big ? 'n' : ''}` }));
  return {
    isEnum: true,
    isTagged: false,
    name,
    doc: comment(`${cName}, ${byteCount(type.size)}`),
    values,
    base: big ? 'bigint' : 'number',
  };
}

function structDefinition(owner: Reached & { kind: 'composite' }, parts: Parts): StructDefinition {
  const { type, name, cName, fields } = owner;
  const code = fields.map((field) => ({ field, ...parts.table.field(field, owner) }));
  const arms = fields.filter((field) => field.arm);
  const docs = alignDocs(code.map(({ field, rest }) => fieldDoc(parts.btf, field, rest !== undefined)));
  // Arms that drop something go first among them: another one may still know it.
  const sorted = code
    .filter(({ field }) => field.arm)
    .sort((a, b) => order(parts, a.field) - order(parts, b.field))
    .values();
  const writes = code.map((one) => (one.field.arm ? (sorted.next().value ?? one) : one));
  return {
    isEnum: false,
    isTagged: false,
    name,
    doc:
      comment(`${cName}, ${byteCount(type.size)}`) +
      keptNote(owner.kept) +
      (arms.length > 0 ? unionNote(name, arms) + tagNote(owner, parts.btf) : ''),
    size: type.size,
    fields: code.map(({ field, ts, read }, index) => ({
      doc: docs[index] ?? '',
      key: propertyKey(field.name),
      ts,
      read,
    })),
    writes: writes.map(({ field, write }) => (field.arm ? `if (${presence(field)}) ${write};` : `${write};`)),
    places: parts.live.has(owner) ? fields.map((field) => placeOf(field, owner, parts)) : [],
    // An arm that was not given says nothing of how long the whole is.
    sizeOf: longest(
      code.flatMap(({ field, rest }) =>
        rest === undefined ? [] : field.arm ? `${presence(field)} ? ${rest} : 0` : rest,
      ),
    ),
    codecType: codecType(owner, arms, parts.imports),
    make: parts.imports.value(arms.length > 0 ? 'union' : 'struct'),
    readParams: fields.length === 0 ? '' : code.some(({ rest }) => rest !== undefined) ? 'v, o, end' : 'v, o',
    writeParams: fields.length === 0 ? '' : 'v, o, x',
  };
}

/** Several flexible arrays begin at one place where C has a mark without bytes in front of the last. */
function longest(rests: readonly string[]): string | undefined {
  return rests.length > 1 ? `Math.max(${rests.join(', ')})` : rests[0];
}

function placeOf(field: Field, owner: Reached & { kind: 'composite' }, { table, imports }: Parts) {
  const { at, codec } = table.alone(field, owner);
  return { key: propertyKey(field.name), place: `${imports.value('at')}(${at}, ${codec})` };
}

function codecType(owner: Reached & { kind: 'composite' }, arms: readonly Field[], imports: Imports): string {
  if (arms.length === 0) return `${imports.type('Codec')}<${owner.name}>`;
  const names =
    arms.length === owner.fields.length ? '' : `, ${arms.map(({ name }) => quote(name)).join(' | ')}`;
  return `${imports.type('UnionCodec')}<${owner.name}${names}>`;
}

function unionNote(name: string, arms: readonly Field[]): string {
  const shown = arms.slice(0, 4).map((field) => comment(field.name));
  const list = `${shown.join(', ')}${arms.length > shown.length ? ', …' : ''}`;
  return `; ${list} share bytes: make one with ${name}.of()`;
}

/** What would tell the arms apart, if it was said so. */
function tagNote(owner: Reached & { kind: 'composite' }, btf: Btf): string {
  const tag = likelyTag(btf, owner);
  return tag === undefined
    ? ''
    : `, or let ${comment(tag)} tell them apart: --union ${comment(`${owner.type.name}=${tag}`)}`;
}

function presence(field: Field): string {
  const given = `${propertyAccess('x', field.name)} !== undefined`;
  // Every object has these, also when nobody gave them.
  return field.name in Object.prototype ? `Object.hasOwn(x, ${quote(field.name)}) && ${given}` : given;
}

function order({ btf, reached }: Parts, field: Field): number {
  return field.arm && isLossy(btf, reached, field.typeId) ? 0 : 1;
}
