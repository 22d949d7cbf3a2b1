import { alignDocs, byteCount, fieldDoc } from './field-docs.js';
import type { Field, TaggedArm, TaggedUnion } from './fields.js';
import type { Parts } from './parts.js';
import { comment, propertyAccess, propertyKey, quote } from './quote.js';
import type { Reached } from './reach.js';
import { otherValues, valueText, valueType } from './tag-values.js';

/** A type for a struct with a tagged union: one shape an arm. Lines are ready to print. */
export interface TaggedDefinition {
  readonly isEnum: false;
  readonly isTagged: true;
  readonly name: string;
  readonly doc: string;
  readonly size: number;
  /** Members that are there whatever the tag is. */
  readonly shared: readonly Line[];
  /** The tag and the arm's members, of every arm. */
  readonly shapes: readonly (readonly Line[])[];
  readonly codecType: string;
  readonly make: string;
  /** How many bytes a value takes, where an arm ends in a flexible array. */
  readonly sizeOf: string | undefined;
  readonly readParams: string;
  readonly readTag: string;
  readonly cases: readonly Case[];
  /** What is read and written when the tag has no arm; undefined when every value has one. */
  readonly other:
    | { readonly reads: readonly Read[]; readonly cast: string; readonly write: string }
    | undefined;
  readonly writes: readonly string[];
  /** The tag of what is written. */
  readonly tag: string;
}

interface Line {
  readonly doc: string;
  readonly key: string;
  readonly ts: string;
}

interface Read {
  readonly key: string;
  readonly read: string;
}

interface Case {
  readonly labels: readonly string[];
  readonly reads: readonly Read[];
  readonly writes: readonly string[];
}

type Composite = Reached & { kind: 'composite' };

/** The local name of the tag's value in the code that reads. */
const TAG = 'tag';

export function taggedDefinition(owner: Composite, tagged: TaggedUnion, parts: Parts): TaggedDefinition {
  const { imports, table } = parts;
  const { tag, shared, arms, member } = tagged;
  const { ts, read: readTag } = table.field(tag, owner);
  const other = otherShape(tagged, parts, ts);
  const value = propertyAccess('x', tag.name);
  // A value that is none of the known ones is a number all the same.
  const written = other.type?.startsWith('Other') ? `${value} as ${ts}` : value;
  const sharedCode = shared.map((field) => ({ field, ...table.field(field, owner) }));
  const common = [{ field: tag, read: TAG }, ...sharedCode];
  const armCode = arms.map((arm) => ({ arm, members: armMembers(owner, tagged, arm, parts) }));
  const docs = alignDocs(sharedCode.map(({ field }) => fieldDoc(parts.btf, field, false)));
  const labels = (arm: TaggedArm) =>
    arm.values.map((one) => valueText(parts.btf, parts.reached, tag, one, ts));
  const growing = armCode.flatMap(({ arm, members }) => {
    const rest = members.find((one) => one.rest !== undefined)?.rest;
    return rest === undefined ? [] : [{ arm, rest }];
  });
  const sizes = growing.reduce((otherwise, { arm, rest }) => {
    const meant = labels(arm).map((label) => `${value} === ${label}`);
    return `${meant.join(' || ')} ? ${rest} : ${otherwise}`;
  }, String(owner.type.size));
  const unionAt = `v, ${at(tagged.offset)}, ${tagged.size}`;
  return {
    isEnum: false,
    isTagged: true,
    name: owner.name,
    doc: doc(owner, tagged, other.none),
    size: owner.type.size,
    shared: sharedCode.map(({ field, ts }, i) => ({ doc: docs[i] ?? '', key: propertyKey(field.name), ts })),
    shapes: [
      ...armCode.map(({ arm, members }) => {
        const types = arm.values.map((one) => valueType(parts.btf, parts.reached, tag, one, ts));
        return shape(tagged, parts, types.join(' | '), members);
      }),
      ...(other.type === undefined ? [] : [shape(tagged, parts, other.type, undefined)]),
    ],
    codecType: `${imports.type('Codec')}<${owner.name}>`,
    make: imports.value('struct'),
    sizeOf: growing.length === 0 ? undefined : sizes,
    readParams: armCode.some(({ members }) => members.some(({ rest }) => rest !== undefined))
      ? 'v, o, end'
      : 'v, o',
    readTag,
    cases: armCode.map(({ arm, members }) => ({
      labels: labels(arm),
      reads: reads(
        common,
        member === undefined
          ? members
          : [
              {
                field: member,
                read: `{ ${members.map(({ field, read }) => `${propertyKey(field.name)}: ${read}`).join(', ')} }`,
              },
            ],
      ),
      writes: members.map(({ write }) => write),
    })),
    other: other.none
      ? undefined
      : {
          reads: [
            ...reads(common, []),
            { key: propertyKey(tagged.rest), read: `${imports.value('readBytes')}(${unionAt})` },
          ],
          cast: other.cast,
          write: `${imports.value('putOther')}(${unionAt}, x, ${quote(tag.name)}, ${quote(tagged.rest)})`,
        },
    writes: [table.field(tag, owner, written).write, ...sharedCode.map(({ write }) => write)],
    tag: value,
  };
}

/** What the tag is when no arm is meant. */
function otherShape(
  { tag, arms }: TaggedUnion,
  { btf, imports, reached }: Parts,
  ts: string,
): { readonly type: string | undefined; readonly cast: string; readonly none: boolean } {
  const known = arms.flatMap(({ values }) => values);
  const others = otherValues(btf, tag, known);
  // Any integer may be in there. An enum whose every name has an arm may hold a value without a name.
  if (others === undefined) {
    const type = imports.type(ts === 'bigint' ? 'OtherBigint' : 'OtherNumber');
    return { type, cast: ' as never', none: false };
  }
  if (others.length === 0) return { type: undefined, cast: ' as never', none: ts === 'boolean' };
  const types = (values: typeof known) =>
    values.map((one) => valueType(btf, reached, tag, one, ts)).join(' | ');
  return {
    type: ts === 'boolean' ? types(others) : `Exclude<${ts}, ${types(known)}>`,
    cast: '',
    none: false,
  };
}

interface Member {
  readonly field: Field;
  readonly ts: string;
  readonly read: string;
  readonly write: string;
  readonly rest: string | undefined;
}

function armMembers(owner: Composite, tagged: TaggedUnion, arm: TaggedArm, { table }: Parts): Member[] {
  const variant = { ...owner, fields: [...tagged.shared, ...arm.fields] };
  const base = tagged.member === undefined ? 'x' : propertyAccess('x', tagged.member.name);
  return arm.fields.map((field) => ({
    field,
    ...table.field(field, variant, propertyAccess(base, field.name)),
  }));
}

/** The lines of one shape; without members, the one that has the union's bytes. */
function shape(
  { tag, member, rest, offset, size }: TaggedUnion,
  { btf }: Parts,
  tagType: string,
  members: readonly Member[] | undefined,
): Line[] {
  const own = { key: propertyKey(tag.name), ts: tagType, doc: fieldDoc(btf, tag, false) };
  const whole =
    member === undefined ? comment(`${byteCount(size)} at ${offset}`) : fieldDoc(btf, member, false);
  const lines =
    members === undefined
      ? [own, { key: propertyKey(rest), ts: 'Uint8Array', doc: whole }]
      : member === undefined
        ? [
            own,
            ...members.map(({ field, ts, rest }) => ({
              key: propertyKey(field.name),
              ts,
              doc: fieldDoc(btf, field, rest !== undefined),
            })),
          ]
        : [
            own,
            {
              key: propertyKey(member.name),
              doc: whole,
              ts: `{ ${members.map(({ field, ts }) => `${propertyKey(field.name)}: ${ts}`).join('; ')} }`,
            },
          ];
  const docs = alignDocs(lines.map((line) => line.doc));
  return lines.map((line, i) => ({ ...line, doc: docs[i] ?? '' }));
}

/** In the order of memory, as C declares them. */
function reads(
  common: readonly { readonly field: Field; readonly read: string }[],
  members: readonly { readonly field: Field; readonly read: string }[],
): Read[] {
  return [...common, ...members]
    .sort((a, b) => a.field.bitOffset - b.field.bitOffset)
    .map(({ field, read }) => ({ key: propertyKey(field.name), read }));
}

function doc({ cName, type }: Composite, { tag, arms, rest }: TaggedUnion, every: boolean): string {
  const names = arms.map(({ fields }) => comment(fields[0]?.name ?? '')).join(', ');
  const other = every ? '' : `; ${comment(rest)} has the bytes when it tells none`;
  return `${comment(cName)}, ${byteCount(type.size)}; ${comment(tag.name)} tells ${names} apart${other}`;
}

function at(bytes: number): string {
  return bytes === 0 ? 'o' : `o + ${bytes}`;
}
