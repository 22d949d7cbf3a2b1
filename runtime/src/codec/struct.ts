import { BpfError, printable } from '../errors.js';
import type { Codec, CodecField } from './codec.js';
import { keepingRest } from './text.js';

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
 * each other throw instead of silently losing one.
 */
export function union<T extends object, Arm extends keyof T>(
  size: number,
  read: (view: DataView, offset: number, end: number | undefined) => T,
  write: (view: DataView, offset: number, value: OneArm<T, Arm>) => void,
  fields?: Fields,
): UnionCodec<T, Arm> {
  const unlike = (view: DataView, offset: number, value: OneArm<T, Arm>) => {
    const stored: object = read(view, offset, view.byteLength);
    return Object.entries(value).find(
      ([name, given]) => given !== undefined && !same(given, Reflect.get(stored, name)),
    );
  };
  const writeChecked = (view: DataView, offset: number, value: OneArm<T, Arm>): void => {
    write(view, offset, value);
    if (unlike(view, offset, value) === undefined) return;
    // The zeros behind an arm's text may have hidden what another arm has there.
    keepingRest(() => write(view, offset, value));
    const other = unlike(view, offset, value);
    if (other === undefined) return;
    const [name, given] = other;
    throw disagreement(name, given, Reflect.get(read(view, offset, view.byteLength), name));
  };
  return {
    size,
    read,
    ...(fields && { fields }),
    write: writeChecked,
    of: (value) => {
      const view = new DataView(new ArrayBuffer(size));
      writeChecked(view, 0, value);
      return read(view, 0, undefined);
    },
  };
}

function disagreement(name: string, given: unknown, stored: unknown): BpfError {
  return new BpfError(
    'ERR_BPF_UNION',
    `union arm "${printable(name)}" was given as ${show(given)} but reads back as ${show(stored)}: ` +
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
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const entries = Object.entries(a);
  // A nested value may itself be given by one arm: what is absent is not compared.
  return entries.every(([key, value]) => value === undefined || same(value, Reflect.get(b, key)));
}
