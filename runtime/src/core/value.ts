import type { BtfType } from '../btf/types.js';
import { isEnum } from './compat.js';
import { CoreKind } from './kinds.js';
import { type CoreSpec, coreError } from './spec.js';

/** What one spec answers to a relocation's question. */
export interface CoreValue {
  /** As an unsigned 64-bit number. */
  readonly value: bigint;
  /** False when compiler and loader may disagree about it, so that the instruction need not hold it. */
  readonly certain: boolean;
  /** For offsets of whole fields: what a load moves, to change the instruction's width when the kernel's field differs. */
  readonly access?: { readonly size: number; readonly type: BtfType };
}

const answer = (value: number | bigint, certain = true): CoreValue => ({
  value: BigInt.asUintN(64, BigInt(value)),
  certain,
});

/** The answer when the kernel has nothing that fits; undefined when no value makes sense and the instruction must not run. */
export function missingValue(kind: number): CoreValue | undefined {
  switch (kind) {
    case CoreKind.FIELD_EXISTS:
    case CoreKind.ENUMVAL_EXISTS:
    case CoreKind.TYPE_EXISTS:
    case CoreKind.TYPE_MATCHES:
    case CoreKind.TYPE_SIZE:
    case CoreKind.TYPE_ID_TARGET:
      return answer(0);
    default:
      return undefined;
  }
}

/** The answer that a spec gives in its own BTF (libbpf: bpf_core_calc_{field,type,enumval}_relo). */
export function specValue(spec: CoreSpec): CoreValue {
  const { btf, rootId, kind } = spec;
  switch (kind) {
    case CoreKind.FIELD_EXISTS:
    case CoreKind.ENUMVAL_EXISTS:
    case CoreKind.TYPE_EXISTS:
    case CoreKind.TYPE_MATCHES:
      return answer(1);
    // Linking may renumber the object's types.
    case CoreKind.TYPE_ID_LOCAL:
    case CoreKind.TYPE_ID_TARGET:
      return answer(rootId, false);
    case CoreKind.TYPE_SIZE:
      return answer(btf.sizeOf(rootId));
    case CoreKind.ENUMVAL_VALUE:
      return enumeratorValue(spec);
    default:
      return spec.accessors.at(-1)?.name === undefined ? elementValue(spec) : fieldValue(spec);
  }
}

function enumeratorValue({ btf, accessors }: CoreSpec): CoreValue {
  const { typeId, index } = accessors[0] ?? { typeId: 0, index: 0 };
  const type = btf.type(typeId);
  // Enumerators of 32 bits are sign-extended whatever the enum says: kernels before 6.0 do not mark signed enums.
  if (type.kind === 'enum') return answer((type.values[index]?.value ?? 0) | 0);
  if (type.kind === 'enum64') return answer(type.values[index]?.value ?? 0n);
  throw coreError('its type is no enum');
}

function elementValue({ btf, kind, accessors, bitOffset }: CoreSpec): CoreValue {
  const typeId = accessors.at(-1)?.typeId ?? 0;
  const size = btf.sizeOf(typeId);
  if (kind === CoreKind.FIELD_BYTE_SIZE) return answer(size);
  if (kind !== CoreKind.FIELD_BYTE_OFFSET) {
    throw coreError('only the offset and size of an array element can be asked for');
  }
  return { ...answer(Math.floor(bitOffset / 8)), access: { size, type: btf.type(typeId) } };
}

function fieldValue({ btf, kind, accessors, bitOffset }: CoreSpec): CoreValue {
  const last = accessors.at(-1);
  const owner = btf.type(last?.typeId ?? 0);
  const member =
    owner.kind === 'struct' || owner.kind === 'union' ? owner.members[last?.index ?? 0] : undefined;
  if (member === undefined) throw coreError('it names no member');
  const type = btf.resolve(member.type);
  const bitfield = member.bitSize > 0;
  const byteSize = bitfield ? bitfieldLoad(type, bitOffset, member.bitSize) : btf.sizeOf(type.id);
  const byteOffset = bitfield ? Math.floor(bitOffset / 8 / byteSize) * byteSize : Math.floor(bitOffset / 8);
  const bitSize = bitfield ? member.bitSize : byteSize * 8;
  switch (kind) {
    case CoreKind.FIELD_BYTE_OFFSET:
      if (bitfield) return answer(byteOffset, false);
      return { ...answer(byteOffset), access: { size: byteSize, type } };
    case CoreKind.FIELD_BYTE_SIZE:
      return answer(byteSize, !bitfield);
    case CoreKind.FIELD_SIGNED:
      return answer((isEnum(type) || type.kind === 'int') && type.signed ? 1 : 0);
    case CoreKind.FIELD_LSHIFT_U64: {
      const shift = btf.littleEndian
        ? 64 - (bitOffset + bitSize - byteOffset * 8)
        : (8 - byteSize) * 8 + (bitOffset - byteOffset * 8);
      return answer(shift >>> 0, !bitfield);
    }
    case CoreKind.FIELD_RSHIFT_U64:
      return answer((64 - bitSize) >>> 0);
    default:
      throw coreError(`relocation kind ${kind} is not known to this version`);
  }
}

/** Bytes of the smallest aligned load that holds a whole bitfield. */
function bitfieldLoad(type: BtfType, bitOffset: number, bitSize: number): number {
  if (!(type.kind === 'int' || isEnum(type)) || ![1, 2, 4, 8, 16].includes(type.size)) {
    throw coreError('it is a bitfield of a type that has no bitfields');
  }
  let size = type.size;
  while (bitOffset + bitSize > (Math.floor(bitOffset / 8 / size) + 1) * size * 8) {
    if (size >= 8) throw coreError('no load of 64 bits holds this bitfield');
    size *= 2;
  }
  return size;
}
