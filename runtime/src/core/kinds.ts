/** `enum bpf_core_relo_kind` (include/uapi/linux/bpf.h): what a relocation asks of the kernel's types. */
export const CoreKind = {
  FIELD_BYTE_OFFSET: 0,
  FIELD_BYTE_SIZE: 1,
  FIELD_EXISTS: 2,
  FIELD_SIGNED: 3,
  FIELD_LSHIFT_U64: 4,
  FIELD_RSHIFT_U64: 5,
  TYPE_ID_LOCAL: 6,
  TYPE_ID_TARGET: 7,
  TYPE_EXISTS: 8,
  TYPE_SIZE: 9,
  ENUMVAL_EXISTS: 10,
  ENUMVAL_VALUE: 11,
  TYPE_MATCHES: 12,
} as const;

const questions = [
  'offset of',
  'size of',
  'existence of',
  'signedness of',
  'left shift of',
  'right shift of',
  'local id of',
  'id of',
  'existence of',
  'size of',
  'existence of',
  'value of',
  'match of',
] as const;

/** What a relocation asks, for people: `offset of`. Undefined for a kind that is not known. */
export function coreQuestion(kind: number): string | undefined {
  return questions[kind];
}

export type CoreTopic = 'field' | 'type' | 'enumerator';

/** What a kind asks about; undefined when it is not known. */
export function coreTopic(kind: number): CoreTopic | undefined {
  if (kind <= CoreKind.FIELD_RSHIFT_U64) return 'field';
  if (kind <= CoreKind.TYPE_SIZE || kind === CoreKind.TYPE_MATCHES) return 'type';
  if (kind <= CoreKind.ENUMVAL_VALUE) return 'enumerator';
  return undefined;
}
