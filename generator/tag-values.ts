import { type Btf, type BtfEnum, type BtfEnum64, printable } from '@bpfskel/runtime/inspect';
import { enumeratorFor } from './enumerators.js';
import type { Field, TagValue } from './fields.js';
import { propertyAccess } from './quote.js';
import type { ReachedTypes } from './reach.js';

interface Enumerator extends TagValue {
  readonly name: string;
}

/** A number, or the name of an enumerator: of the tag's own type, or where that is an integer of any. */
export function valueWritten(btf: Btf, tag: Field, text: string): TagValue | undefined {
  const type = btf.resolve(tag.typeId);
  if (/^-?(0x[0-9a-f]+|\d+)$/i.test(text)) {
    const value = text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text);
    return own(btf, tag)?.find((entry) => entry.value === value) ?? { name: undefined, value };
  }
  if (type.kind === 'int' && type.bool && /^(true|false)$/.test(text)) {
    return { name: undefined, value: text === 'true' ? 1n : 0n };
  }
  const enumerators = own(btf, tag);
  if (enumerators !== undefined) return enumerators.find(({ name }) => name === text);
  // Of another enum than the field's own type: its name is no name of the field's values.
  const found = allEnumerators(btf).find(({ name }) => name === text);
  return found && { name: undefined, value: found.value };
}

/** The tag's enumerator that is named like one of `names`. */
export function valueLike(
  btf: Btf,
  tag: Field,
  name: string,
  names: readonly string[],
): TagValue | undefined {
  return enumeratorFor(name, names, own(btf, tag) ?? []);
}

/** The names of the tag's values, ready for a message; empty for integers. */
export function valueNames(btf: Btf, tag: Field): string[] {
  return (own(btf, tag) ?? []).map(({ name }) => printable(name));
}

/** The tag's values that are none of `values`; undefined for integers, of which there are too many. */
export function otherValues(btf: Btf, tag: Field, values: readonly TagValue[]): TagValue[] | undefined {
  const type = btf.resolve(tag.typeId);
  const all =
    type.kind === 'int' && type.bool ? [0n, 1n].map((value) => ({ name: undefined, value })) : own(btf, tag);
  return all?.filter(({ value }) => values.every((known) => known.value !== value));
}

/** How the code of a skeleton writes a value of a tag that is `ts` in TypeScript. */
export function valueText(
  btf: Btf,
  reached: ReachedTypes,
  tag: Field,
  { name, value }: TagValue,
  ts: string,
): string {
  const type = btf.resolve(tag.typeId);
  const enumName = reached.get(type)?.name;
  if (name !== undefined && enumName !== undefined) return propertyAccess(enumName, name);
  if (ts === 'boolean') return String(value !== 0n);
  return ts === 'bigint' ? `${value}n` : `${value}`;
}

/** The type of such a value. */
export function valueType(btf: Btf, reached: ReachedTypes, tag: Field, value: TagValue, ts: string): string {
  const text = valueText(btf, reached, tag, value, ts);
  return /^[A-Z_a-z]\w*[.[]/.test(text) ? `typeof ${text}` : text;
}

function own(btf: Btf, tag: Field): Enumerator[] | undefined {
  const type = btf.resolve(tag.typeId);
  return type.kind === 'enum' || type.kind === 'enum64' ? enumerators(type) : undefined;
}

function enumerators(type: BtfEnum | BtfEnum64): Enumerator[] {
  return type.values.map(({ name, value }) => ({ name, value: BigInt(value) }));
}

function allEnumerators(btf: Btf): Enumerator[] {
  const all: Enumerator[] = [];
  for (let id = btf.firstId; id < btf.endId; id++) {
    const kind = btf.kind(id);
    if (kind !== 'enum' && kind !== 'enum64') continue;
    const type = btf.type(id);
    if (type.kind === 'enum' || type.kind === 'enum64') all.push(...enumerators(type));
  }
  return all;
}
