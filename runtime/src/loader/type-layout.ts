import type { Btf } from '../btf/btf.js';
import type { Codec } from '../codec/codec.js';
import { printable } from '../errors.js';

const MAX_DEPTH = 12;

/** `struct stats`, `__u32`, `char[16]`; empty for a type without a name. */
export function typeName(btf: Btf, id: number, depth = 0): string {
  const type = btf.type(id);
  switch (type.kind) {
    case 'const':
    case 'volatile':
    case 'restrict':
    case 'type_tag':
      return depth > MAX_DEPTH ? '' : typeName(btf, type.type, depth + 1);
    case 'array': {
      const element = depth > MAX_DEPTH ? '' : typeName(btf, type.element, depth + 1);
      return element === '' ? '' : `${element}[${type.length}]`;
    }
    case 'struct':
    case 'union':
    case 'enum':
      return type.name === '' ? '' : `${type.kind} ${type.name}`;
    default:
      return type.name;
  }
}

/**
 * Where a field lies elsewhere than a codec says that states its fields, or is of another size; undefined when all fit.
 * Bit fields, and fields that have another name than their member, are passed over.
 */
export function fieldMisfit(btf: Btf, typeId: number, codec: Codec<unknown>, depth = 0): string | undefined {
  const type = btf.resolve(typeId);
  if (depth > MAX_DEPTH) return undefined;
  if (type.kind === 'array') return codec.element && fieldMisfit(btf, type.element, codec.element, depth + 1);
  if (codec.fields === undefined || (type.kind !== 'struct' && type.kind !== 'union')) return undefined;
  const members = membersOf(btf, typeId, 0, 0);
  for (const [name, { offset, codec: field }] of Object.entries(codec.fields())) {
    const member = members.get(name);
    if (member === undefined) continue;
    const size = btf.sizeOf(member.typeId);
    if (member.offset !== offset || (field.size !== size && field.rest === undefined)) {
      const what = `${printable(name)} of ${printable(typeName(btf, typeId)) || `a ${type.kind}`}`;
      return `${what} is ${place(size, member.offset)} in the object and ${place(field.size, offset)} in the skeleton`;
    }
    const inner = fieldMisfit(btf, member.typeId, field, depth + 1);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

function place(size: number, offset: number): string {
  return `${size} ${size === 1 ? 'byte' : 'bytes'} at ${offset}`;
}

interface Member {
  readonly offset: number;
  readonly typeId: number;
}

/** Members that begin with a byte, those of unnamed members among them, as the generator flattens them. */
function membersOf(btf: Btf, typeId: number, start: number, depth: number): Map<string, Member> {
  const members = new Map<string, Member>();
  const type = btf.resolve(typeId);
  if (depth > MAX_DEPTH || (type.kind !== 'struct' && type.kind !== 'union')) return members;
  for (const { name, type: member, bitOffset, bitSize } of type.members) {
    const offset = start + (bitOffset >> 3);
    if (name === '') {
      for (const [inner, found] of membersOf(btf, member, offset, depth + 1)) {
        if (!members.has(inner)) members.set(inner, found);
      }
    } else if (bitSize === 0 && (bitOffset & 7) === 0 && !members.has(name))
      members.set(name, { offset, typeId: member });
  }
  return members;
}
