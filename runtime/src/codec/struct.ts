import { BpfError, printable } from '../errors.js';
import type { Codec, CodecField } from './codec.js';
import { keepRest } from './text.js';

/** Fields of a struct by name; a function, since a type may be defined after the one that uses it. */
type Fields = () => Readonly<Record<string, CodecField>>;

/**
 * A struct: its size in bytes, and how its fields are read and written; `fields` to reach one of them alone, and where it
 * ends in a flexible array how many bytes a value of it takes.
 */
export function struct<T>(
  size: number,
  read: (view: DataView, offset: number, end: number | undefined) => T,
  write: (view: DataView, offset: number, value: T) => void,
  fields?: Fields,
  sizeOf?: (value: T) => number,
): Codec<T> {
  const codec: Codec<T> = fields === undefined ? { size, read, write } : { size, read, write, fields };
  // Padding at the end of the struct may be more than its array takes.
  return sizeOf === undefined ? codec : { ...codec, sizeOf: (value) => Math.max(size, sizeOf(value)) };
}

/** How many bytes writing this value takes. */
export function sizeOf<T>(codec: Codec<T>, value: T): number {
  return codec.sizeOf?.(value) ?? codec.size;
}

/**
 * Writes a value among others: one that ends in a flexible array takes what is left of its view, which here is the `size`
 * bytes at `offset`.
 */
export function writeWithin<T>(
  codec: Codec<T>,
  view: DataView,
  offset: number,
  size: number,
  value: T,
): void {
  const own = codec.sizeOf === undefined ? view : new DataView(view.buffer, view.byteOffset, offset + size);
  codec.write(own, offset, value);
}

/** `T` with one arm of its union given, or several that agree. */
export type OneArm<T, Arm extends keyof T> = Omit<T, Arm> & { readonly [A in Arm]?: T[A] | undefined };

/**
 * A union, or a struct with union arms among its fields. Reading gives every arm, each from the same bytes.
 * To write, make the value from one arm with {@link UnionCodec.of}.
 */
export interface UnionCodec<T, Arm extends keyof T = keyof T> extends Codec<T> {
  /** The value that has this arm: the other arms are what the same bytes mean to them. */
  of(value: OneArm<T, Arm>): T;
}

/**
 * A type in which fields overlap. `write` stores the fields that are not undefined, one after the other; then every
 * one of them must read back as given. So a value that was read can be written as it is, and arms that contradict
 * each other throw instead of silently losing one. `sizeOf` is given where arms end in flexible arrays: how many bytes the
 * given ones take.
 */
export function union<T extends object, Arm extends keyof T>(
  size: number,
  read: (view: DataView, offset: number, end: number | undefined) => T,
  write: (view: DataView, offset: number, value: OneArm<T, Arm>) => void,
  fields?: Fields,
  sizeOf?: (value: OneArm<T, Arm>) => number,
): UnionCodec<T, Arm> {
  const room = (value: OneArm<T, Arm>) => (sizeOf === undefined ? size : Math.max(size, sizeOf(value)));
  /** What is stored now, when it is what was given. */
  const stored = (view: DataView, offset: number, value: OneArm<T, Arm>): T | undefined => {
    const now = read(view, offset, view.byteLength);
    return agrees(value, now) ? now : undefined;
  };
  const writeChecked = (view: DataView, offset: number, value: OneArm<T, Arm>): T => {
    write(view, offset, value);
    const first = stored(view, offset, value);
    if (first !== undefined) return first;
    // The zeros behind an arm's text may have hidden what another arm has there.
    const before = keepRest(true);
    try {
      write(view, offset, value);
    } finally {
      keepRest(before);
    }
    const second = stored(view, offset, value);
    if (second !== undefined) return second;
    throw disagreement(value, read(view, offset, view.byteLength));
  };
  return {
    size,
    read,
    ...(fields && { fields }),
    ...(sizeOf && { sizeOf: room }),
    write(view, offset, value) {
      writeChecked(view, offset, value);
    },
    of: (value) => writeChecked(new DataView(new ArrayBuffer(room(value))), 0, value),
  };
}

function disagreement(value: object, stored: object): BpfError {
  const isOther = ([name, given]: [string, unknown]) =>
    given !== undefined && !same(given, Reflect.get(stored, name));
  const [name, given] = Object.entries(value).find(isOther) ?? ['', undefined];
  return new BpfError(
    'ERR_BPF_UNION',
    `union arm "${printable(name)}" was given as ${show(given)} but reads back as ${show(Reflect.get(stored, name))}: ` +
      'another arm of the same union, or the size of the field, says otherwise. Make the value from one arm with of().',
  );
}

function show(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value !== 'object') return printable(String(value), 40);
  return Array.isArray(value) ? 'an array' : 'an object';
}

function same(a: unknown, b: unknown): boolean {
  if (a === b || Object.is(a, b)) return true;
  return typeof a === 'object' && typeof b === 'object' && a !== null && b !== null && agrees(a, b);
}

/** Has `stored` all that was given? A nested value may itself be given by one arm: what is absent is not compared. */
function agrees(given: object, stored: object): boolean {
  if (isList(given)) return isList(stored) && sameElements(given, stored);
  for (const name in given) {
    if (!Object.hasOwn(given, name)) continue;
    const value: unknown = Reflect.get(given, name);
    if (value !== undefined && !same(value, Reflect.get(stored, name))) return false;
  }
  return true;
}

function isList(value: object): value is ArrayLike<unknown> {
  return Array.isArray(value) || ArrayBuffer.isView(value);
}

function sameElements(given: ArrayLike<unknown>, stored: ArrayLike<unknown>): boolean {
  for (let i = 0; i < given.length; i++) {
    if (given[i] !== undefined && !same(given[i], stored[i])) return false;
  }
  return true;
}
