export const HEADER_SIZE = 24;

/** Kind numbers of the types that probes and fix-ups write (include/uapi/linux/btf.h). */
export const Kind = {
  INT: 1,
  PTR: 2,
  ARRAY: 3,
  STRUCT: 4,
  UNION: 5,
  ENUM: 6,
  TYPEDEF: 8,
  CONST: 10,
  FUNC: 12,
  FUNC_PROTO: 13,
  VAR: 14,
  DATASEC: 15,
  FLOAT: 16,
  DECL_TAG: 17,
  TYPE_TAG: 18,
  ENUM64: 19,
} as const;

/** The info word of a type record; `count` is the number of elements, or a function's linkage. */
export function typeInfo(kind: number, count = 0): number {
  return (kind << 24) | count;
}

/** The words of an `int` of `size` bytes named by the string at `name`. */
export function intType(name: number, size: number, encoding = 0): number[] {
  return [name, typeInfo(Kind.INT), size, (encoding << 24) | (size * 8)];
}

/** A BTF blob: a header over type records, given as words, and a string table. */
export function btfBlob(types: ArrayLike<number>, strings: Uint8Array, littleEndian: boolean): Uint8Array {
  const typesSize = types.length * 4;
  const bytes = new Uint8Array(HEADER_SIZE + typesSize + strings.length);
  const view = new DataView(bytes.buffer);
  writeHeader(view, typesSize, strings.length, littleEndian);
  for (let i = 0; i < types.length; i++) view.setUint32(HEADER_SIZE + i * 4, types[i] ?? 0, littleEndian);
  bytes.set(strings, HEADER_SIZE + typesSize);
  return bytes;
}

/** The header of the size every kernel knows; types follow it, then strings. */
export function writeHeader(
  view: DataView,
  typesSize: number,
  stringsSize: number,
  littleEndian: boolean,
): void {
  view.setUint16(0, 0xeb9f, littleEndian);
  view.setUint8(2, 1);
  [HEADER_SIZE, 0, typesSize, typesSize, stringsSize].forEach((word, i) => {
    view.setUint32(4 + i * 4, word, littleEndian);
  });
}
