/** A field of a struct or union: where it begins in it, in bytes, and what it is. */
export interface CodecField {
  readonly offset: number;
  readonly codec: Codec<unknown>;
  /** Its bytes, where the codec does not say. */
  readonly room?: () => number;
}

/** How the elements of an array lie behind each other, and go in and out together. */
export interface ManyOf<T> {
  read(view: DataView, offset: number, length: number): T[];
  write(view: DataView, offset: number, values: readonly T[]): void;
}

/**
 * How a C value lies in memory and what it is in TypeScript. Offsets and sizes are bytes. `read` and `write` trust
 * their caller for the bounds: a view of at least `offset + size` bytes.
 */
export interface Codec<T> {
  /** Size of the C type in bytes. */
  readonly size: number;
  /** Reads the value at `offset`. For types that end in a flexible array, `end` bounds it. */
  read(view: DataView, offset: number, end?: number): T;
  /** Writes `value` at `offset`. Padding is not touched: the caller starts from zeroed bytes. */
  write(view: DataView, offset: number, value: T): void;
  /** Bytes that `write` needs for this very value, where they differ; else it is `size`. */
  sizeOf?(value: T): number;
  /** Of a struct or union: its fields by name, stated where one of them must be reachable alone, as in live memory. */
  readonly fields?: () => Readonly<Record<string, CodecField>>;
  /** Of a number: arrays of it, read and written at once. One by one each would be boxed on its way. */
  readonly many?: ManyOf<T>;
  /** Of an array: what its elements are. */
  readonly element?: Codec<unknown>;
  /** Of one of several types: those that a value like this may be of, which it shows before it is one. */
  readonly armsOf?: (value: object) => readonly Codec<unknown>[];
  /** Of a flexible array, whose `size` is 0: it goes on to the end of what holds it. */
  readonly rest?: true;
}

/** The TypeScript type a codec reads and writes. */
export type CodecType<C> = C extends Codec<infer T> ? T : never;
