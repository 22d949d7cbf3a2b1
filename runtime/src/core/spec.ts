import type { Btf } from '../btf/btf.js';
import type { CoreRelocation } from '../btf/ext.js';
import type { BtfArray, BtfType } from '../btf/types.js';
import { BpfError, printable } from '../errors.js';
import { type CoreTopic, coreTopic } from './kinds.js';

/** Longest access libbpf follows (BPF_CORE_SPEC_MAX_LEN). */
export const MAX_DEPTH = 64;
const MAX_INDEX = 0x7fffffff;
const MAX_BIT_OFFSET = 0xffffffff;

/** One step that means something in C: a named member, an array element, or an enumerator. */
export interface Accessor {
  /** The struct or enum that has the name; for an array element, the element's type. Never a typedef or qualifier. */
  readonly typeId: number;
  readonly index: number;
  /** Undefined for an array element. */
  readonly name?: string;
}

/** What a relocation refers to, found in one BTF (libbpf: struct bpf_core_spec). */
export interface CoreSpec {
  readonly btf: Btf;
  readonly rootId: number;
  readonly kind: number;
  readonly topic: CoreTopic;
  /** Empty for a type; one for an enumerator; for a field, the first is always the index of the root itself. */
  readonly accessors: readonly Accessor[];
  /** From the start of the root type. */
  readonly bitOffset: number;
}

/** A relocation that makes no sense. The caller knows which one, and says so. */
export function coreError(what: string, cause?: unknown): BpfError {
  return new BpfError('ERR_BPF_CORE', what, { cause });
}

/** True for a last member `type name[]`, which may be indexed beyond its length of 0. */
export function isFlexible(btf: Btf, member: Accessor | undefined, array: BtfArray): boolean {
  if (member?.name === undefined || array.length > 0) return false;
  const type = btf.type(member.typeId);
  return (type.kind === 'struct' || type.kind === 'union') && member.index === type.members.length - 1;
}

/** `bits` more than `offset`, as long as 32 bits can count them. */
export function advance(offset: number, bits: number): number {
  const sum = offset + bits;
  if (!(sum <= MAX_BIT_OFFSET)) throw coreError('it lies more than 512 MiB into its type');
  return sum;
}

/** Follows the access string of a relocation through the object's own types. Throws BpfError where it cannot. */
export function parseSpec(local: Btf, relocation: CoreRelocation): CoreSpec {
  const { typeId: rootId, kind, access } = relocation;
  const topic = coreTopic(kind);
  if (topic === undefined) throw coreError(`relocation kind ${kind} is not known to this version`);
  const base = { btf: local, rootId, kind, topic };
  if (topic === 'type') {
    if (access !== '0') throw badAccess(access, 'that of a type is "0"');
    return { ...base, accessors: [], bitOffset: 0 };
  }
  const path = parsePath(access);
  const root = local.resolve(rootId);
  if (topic === 'enumerator') return { ...base, accessors: [enumerator(root, path, access)], bitOffset: 0 };
  return { ...base, ...followPath(local, root, path, access) };
}

function parsePath(access: string): number[] {
  if (access.length > MAX_DEPTH * 11 || !/^\d+(:\d+)*$/.test(access)) {
    throw badAccess(access, 'it is no list of numbers');
  }
  const path = access.split(':').map(Number);
  if (path.length > MAX_DEPTH) throw badAccess(access, `it is deeper than ${MAX_DEPTH} levels`);
  if (path.some((index) => index > MAX_INDEX)) throw badAccess(access, 'an index is too large');
  return path;
}

function badAccess(access: string, what: string): BpfError {
  return coreError(`bad access string "${printable(access, 60)}": ${what}`);
}

function enumerator(root: BtfType, path: readonly number[], access: string): Accessor {
  const [index = 0] = path;
  const value = root.kind === 'enum' || root.kind === 'enum64' ? root.values[index] : undefined;
  if (value === undefined || path.length > 1) throw badAccess(access, 'the type has no such enumerator');
  return { typeId: root.id, index, name: value.name };
}

function followPath(
  local: Btf,
  root: BtfType,
  [first = 0, ...path]: readonly number[],
  access: string,
): { accessors: Accessor[]; bitOffset: number } {
  const accessors: Accessor[] = [{ typeId: root.id, index: first }];
  let bitOffset = advance(0, first * local.sizeOf(root.id) * 8);
  let type = root;
  for (const index of path) {
    switch (type.kind) {
      case 'struct':
      case 'union': {
        const member = type.members[index];
        if (member === undefined) throw badAccess(access, `there is no member ${index}`);
        bitOffset = advance(bitOffset, member.bitOffset);
        if (member.name !== '') accessors.push({ typeId: type.id, index, name: member.name });
        type = local.resolve(member.type);
        break;
      }
      case 'array': {
        const flexible = isFlexible(local, accessors.at(-1), type);
        if (!flexible && index >= type.length) throw badAccess(access, `there is no element ${index}`);
        type = local.resolve(type.element);
        accessors.push({ typeId: type.id, index });
        bitOffset = advance(bitOffset, index * local.sizeOf(type.id) * 8);
        break;
      }
      default:
        throw badAccess(access, `it looks for members in a ${type.kind}`);
    }
  }
  return { accessors, bitOffset };
}

/** What a spec refers to, as C would write it: `struct task_struct.real_parent.tgid`, `enum flags::A`. */
export function specText({ btf, rootId, topic, accessors }: CoreSpec): string {
  let text = typeText(btf, rootId);
  accessors.forEach(({ index, name }, step) => {
    if (topic === 'enumerator') text += `::${printable(name ?? '')}`;
    else if (name !== undefined) text += `.${printable(name)}`;
    else if (step > 0 || index > 0) text += `[${index}]`;
  });
  return text;
}

/** `struct foo`, `enum foo`, or the bare name for typedefs and basic types. */
export function typeText(btf: Btf, id: number, name = btf.name(id)): string {
  const kind = btf.kind(id);
  const shown = name === '' ? '(anonymous)' : printable(name);
  switch (kind) {
    case 'struct':
    case 'union':
      return `${kind} ${shown}`;
    case 'enum':
    case 'enum64':
      return `enum ${shown}`;
    case 'fwd': {
      const type = btf.type(id);
      return `${type.kind === 'fwd' && type.union ? 'union' : 'struct'} ${shown}`;
    }
    default:
      return shown;
  }
}
