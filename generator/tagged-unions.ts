import {
  BpfError,
  type Btf,
  type BtfComposite,
  type BtfMember,
  isBpfError,
  printable,
} from '@bpfskel/runtime/inspect';
import { declTags } from './decl-tags.js';
import type { Field, TaggedArm, TaggedUnion, TagValue } from './fields.js';
import { flatten, type Reached } from './reach.js';
import { valueLike, valueNames, valueWritten } from './tag-values.js';

/** What `--union` says of structs, by their id: `STRUCT[.MEMBER]=TAG[|ARM:VALUE,...]...`. */
export type AskedUnions = ReadonlyMap<
  number,
  { readonly name: string; readonly member: string | undefined; readonly text: string }
>;

/** A union among a struct's members. */
interface Candidate {
  readonly member: BtfMember;
  readonly union: BtfComposite;
  /** From the start of the struct, in bits. */
  readonly bitOffset: number;
  /** What a tag `bpfskel:union=` on this member says. */
  readonly text: string | undefined;
}

/**
 * The tagged union of a struct: as `--union event=type` says, or the tag `bpfskel:union=type` on the struct or on its union.
 * Which values mean which arm is said behind it (`type|exec:EVENT_EXEC|exit:EVENT_EXIT`), or by tags
 * `bpfskel:tag=EVENT_EXEC` on the arms or their structs, or follows from their names.
 */
export function taggedUnion(btf: Btf, type: BtfComposite, asked: AskedUnions): TaggedUnion | undefined {
  if (type.kind !== 'struct') return undefined;
  const candidates = unionsOf(btf, type, 0);
  const own = asked.get(type.id);
  const text =
    own?.text ?? candidates.find((one) => one.text !== undefined)?.text ?? declTags(btf, type.id, 'union')[0];
  if (text === undefined) return undefined;
  const refuse = (why: string) =>
    new BpfError('ERR_BPF_NAME', `tagged union of struct "${printable(type.name)}": ${why}`);
  const chosen = choose(btf, candidates, own, refuse);
  const [name = '', ...written] = text.split('|').map((part) => part.trim());
  const fields = flatten(btf, type).fields;
  const isMember = (field: Field) =>
    field.cName === chosen.member.name && field.bitOffset === chosen.bitOffset;
  const member = chosen.member.name === '' ? undefined : fields.find(isMember);
  const inUnion = (field: Field) => field === member || isIn(field, chosen);
  const shared = fields.filter((field) => !inUnion(field));
  const tag = tagField(btf, shared, name, refuse);
  const arms = armsOf(btf, member === undefined ? fields.filter(inUnion) : membersOf(btf, chosen), chosen);
  const names = new Set(fields.map((field) => field.name));
  let rest = 'raw';
  for (let count = 2; names.has(rest); count++) rest = `raw_${count}`;
  return {
    tag,
    member,
    offset: chosen.bitOffset >> 3,
    size: chosen.union.size,
    arms: valued(btf, tag, arms, written, refuse),
    shared: shared.filter((field) => field !== tag),
    rest: member?.name ?? rest,
  };
}

/** The member that tells the arms of a struct's union apart, going by names alone: an enum with a value for each arm. */
export function likelyTag(
  btf: Btf,
  { type, cName, fields }: Reached & { kind: 'composite' },
): string | undefined {
  if (type.kind !== 'struct' || type.name === '' || !fields.some(({ arm }) => arm)) return undefined;
  const enums = fields.filter(({ typeId, arm }) => !arm && btf.resolve(typeId).kind.startsWith('enum'));
  return enums.find((field) => {
    const asked = { name: cName, member: undefined, text: field.cName };
    try {
      return (taggedUnion(btf, type, new Map([[type.id, asked]]))?.arms.length ?? 0) > 1;
    } catch (error) {
      if (!isBpfError(error)) throw error;
      return false;
    }
  })?.cName;
}

type Refuse = (why: string) => BpfError;

function unionsOf(btf: Btf, type: BtfComposite, base: number): Candidate[] {
  return type.members.flatMap((member, index) => {
    const target = btf.resolve(member.type);
    const bitOffset = base + member.bitOffset;
    if (target.kind === 'struct' && member.name === '') return unionsOf(btf, target, bitOffset);
    if (target.kind !== 'union') return [];
    const text = [...declTags(btf, type.id, 'union', index), ...declTags(btf, target.id, 'union')][0];
    return [{ member, union: target, bitOffset, text }];
  });
}

/** The union that is meant: it, or a member of it, has the name that was given; it has the tag; it is the only one. */
function choose(
  btf: Btf,
  candidates: readonly Candidate[],
  own: { readonly member: string | undefined } | undefined,
  refuse: Refuse,
): Candidate {
  const wanted = own?.member;
  const named = candidates.filter(
    ({ member, union, text }) =>
      (wanted === undefined ? own === undefined && text !== undefined : member.name === wanted) ||
      (wanted !== undefined && flatten(btf, union).fields.some(({ cName }) => cName === wanted)),
  );
  const [first, second] = named.length > 0 || wanted !== undefined ? named : candidates;
  if (first === undefined) {
    throw refuse(wanted === undefined ? 'it has no union' : `it has no union "${printable(wanted)}"`);
  }
  if (second !== undefined) throw refuse('it has several unions; say which, as in --union STRUCT.MEMBER=TAG');
  return first;
}

function isIn({ within }: Field, { union, bitOffset }: Candidate): boolean {
  return within?.union === union.id && within.bitOffset === bitOffset;
}

/** The members of a union with a name, as they lie in the struct. */
function membersOf(btf: Btf, { union, bitOffset }: Candidate): Field[] {
  return flatten(btf, union).fields.map((field) => ({ ...field, bitOffset: field.bitOffset + bitOffset }));
}

function tagField(btf: Btf, fields: readonly Field[], name: string, refuse: Refuse): Field {
  const tag = fields.find((field) => field.cName === name);
  if (tag === undefined) throw refuse(`it has no member "${printable(name)}" beside the union`);
  const { kind } = btf.resolve(tag.typeId);
  if (tag.arm || (kind !== 'int' && kind !== 'enum' && kind !== 'enum64') || btf.sizeOf(tag.typeId) > 8) {
    throw refuse(`its member "${printable(name)}" is no integer or enum of its own`);
  }
  return tag;
}

interface Arm {
  readonly name: string;
  /** All names that it may be called by. */
  readonly names: readonly string[];
  readonly fields: readonly Field[];
  /** Values in tags on it. */
  readonly tags: readonly string[];
}

function armsOf(btf: Btf, fields: readonly Field[], { union }: Candidate): Arm[] {
  return union.members.flatMap((member, index) => {
    const own = fields.filter(({ within }) => within?.arm === index);
    if (own.length === 0) return [];
    const type = btf.resolve(member.type);
    const names = [...(member.name === '' ? [] : [member.name]), type.name, ...own.map(({ cName }) => cName)];
    const tags = [...declTags(btf, union.id, 'tag', index), ...declTags(btf, type.id, 'tag')];
    return [
      {
        name: names.find((name) => name !== '') ?? '',
        names,
        // Within its arm a member has its bytes for itself.
        fields: own.map((field) => ({ ...field, arm: false })),
        tags: tags.flatMap((text) => text.split(',').map((value) => value.trim())),
      },
    ];
  });
}

/** The arms with the values that mean them. Where arms were listed, others have none and are left out. */
function valued(
  btf: Btf,
  tag: Field,
  arms: readonly Arm[],
  written: readonly string[],
  refuse: Refuse,
): TaggedArm[] {
  const listed = new Map<Arm | undefined, string[]>();
  for (const text of written) {
    const [name = '', values = ''] = text.split(':').map((part) => part.trim());
    const arm = arms.find(({ names }) => names.includes(name));
    if (arm === undefined) throw refuse(`the union has no member "${printable(name)}"`);
    listed.set(
      arm,
      values
        .split(',')
        .map((value) => value.trim())
        .filter(Boolean),
    );
  }
  const seen = new Set<bigint>();
  return arms
    .filter((arm) => written.length === 0 || listed.has(arm))
    .map((arm) => {
      checkApart(btf, arm, refuse);
      const texts = listed.get(arm)?.length ? listed.get(arm) : arm.tags;
      const values = texts?.length
        ? valuesWritten(btf, tag, texts, refuse)
        : [valueByName(btf, tag, arm, arms, refuse)];
      for (const { value } of values) {
        if (seen.has(value)) throw refuse(`${printable(tag.cName)} ${value} means two of its members`);
        seen.add(value);
      }
      return { fields: arm.fields, values };
    });
}

function checkApart(btf: Btf, { name, fields }: Arm, refuse: Refuse): void {
  let end = 0;
  for (const { typeId, bitOffset, bitSize } of [...fields].sort((a, b) => a.bitOffset - b.bitOffset)) {
    if (bitOffset < end) {
      throw refuse(`its member "${printable(name)}" holds a union without a name; give that one a name`);
    }
    end = bitOffset + (bitSize || btf.sizeOf(typeId) * 8);
  }
}

function valuesWritten(btf: Btf, tag: Field, texts: readonly string[], refuse: Refuse): TagValue[] {
  return texts.map((text) => {
    const value = valueWritten(btf, tag, text);
    if (value !== undefined) return value;
    const names = valueNames(btf, tag).join(', ');
    throw refuse(`${printable(tag.cName)} has no value ${printable(text)}${names && `; it has ${names}`}`);
  });
}

function valueByName(btf: Btf, tag: Field, arm: Arm, arms: readonly Arm[], refuse: Refuse): TagValue {
  const value =
    valueLike(
      btf,
      tag,
      arm.name,
      arms.map(({ name }) => name),
    ) ??
    valueLike(
      btf,
      tag,
      arm.names[1] ?? '',
      arms.map(({ names }) => names[1] ?? ''),
    );
  if (value !== undefined) return value;
  const example = valueNames(btf, tag)[0] ?? '1';
  throw refuse(
    `no value of ${printable(tag.cName)} is named like ${printable(arm.name)}: ` +
      `write it behind the tag, as in ${printable(tag.cName)}|${printable(arm.name)}:${example}`,
  );
}
