/** A member as TypeScript sees it: those of anonymous structs and unions are members of the outer type. */
export interface Field {
  /** Unique within its type. */
  readonly name: string;
  /** What C calls it. */
  readonly cName: string;
  readonly typeId: number;
  /** From the start of the outer type, in bits. */
  readonly bitOffset: number;
  /** Width of a bitfield, 0 for other members. */
  readonly bitSize: number;
  /** True when other members use the same bytes. */
  readonly arm: boolean;
  /** True when its bytes are asked for, instead of what C makes of them. */
  readonly bytes: boolean;
  /** The outermost union without a name, or flattened one, that it is in: its id, its place in bits, which of its members. */
  readonly within?: { readonly union: number; readonly bitOffset: number; readonly arm: number } | undefined;
}

/** A value of the field that says of what type something is: of records of several types, of the arms of a union. */
export interface TagValue {
  /** The enumerator's name; undefined for a number that was given as one. */
  readonly name: string | undefined;
  readonly value: bigint;
}

/** A union of which a member of the struct around it says which arm is meant. */
export interface TaggedUnion {
  readonly tag: Field;
  /** The union as a member, where it has a name: the arms are its members then, not the struct's. */
  readonly member: Field | undefined;
  /** Where the union begins, and how long it is, in bytes. */
  readonly offset: number;
  readonly size: number;
  readonly arms: readonly TaggedArm[];
  /** The struct's other members. */
  readonly shared: readonly Field[];
  /** What holds the bytes of a union whose tag has no arm. */
  readonly rest: string;
}

/** An arm: a member of the union, or those of a struct without a name that is one. */
export interface TaggedArm {
  readonly fields: readonly Field[];
  readonly values: readonly TagValue[];
}
