import { BpfError } from '../errors.js';
import type { Codec } from './codec.js';
import { roomFor } from './elements.js';

/** A C array of `length` elements. */
export function arrayOf<T>(element: Codec<T>, length: number): Codec<T[]> {
  return {
    size: element.size * length,
    element,
    read: (view, offset) => readArray(view, offset, element, length),
    write: (view, offset, value) => writeArray(view, offset, element, length, value),
  };
}

/** The `length` elements at `offset`. */
export function readArray<T>(view: DataView, offset: number, element: Codec<T>, length: number): T[] {
  const { size, many } = element;
  if (many !== undefined) return many.read(view, offset, length);
  const result = roomFor<T>(length);
  for (let i = 0; i < length; i++) {
    const at = offset + i * size;
    result[i] = element.read(view, at, at + size);
  }
  return result;
}

/**
 * Writes every element of a C array.
 * @throws BpfError `ERR_BPF_RANGE` when `value` does not have exactly `length` elements
 */
export function writeArray<T>(
  view: DataView,
  offset: number,
  element: Codec<T>,
  length: number,
  value: readonly T[],
): void {
  if (value.length !== length) {
    throw new BpfError('ERR_BPF_RANGE', `an array of ${length} elements was given ${value.length}`);
  }
  writeElements(view, offset, element, value);
}

/** A flexible array, as a field that is reached alone: the elements up to the end of what holds it. */
export function restOf<T>(element: Codec<T>): Codec<T[]> {
  return {
    size: 0,
    rest: true,
    element,
    read: (view, offset, end) => readRest(view, offset, element, end),
    write: (view, offset, value) => writeRest(view, offset, element, value),
  };
}

/** The whole elements between `offset` and `end`: a flexible array. Without `end` it has none. */
export function readRest<T>(view: DataView, offset: number, element: Codec<T>, end: number | undefined): T[] {
  if (end === undefined || element.size === 0) return [];
  return readArray(view, offset, element, Math.max(0, Math.floor((end - offset) / element.size)));
}

/**
 * Writes the elements of a flexible array.
 * @throws BpfError `ERR_BPF_RANGE` when the view has no room for all of them
 */
export function writeRest<T>(view: DataView, offset: number, element: Codec<T>, value: readonly T[]): void {
  const room = view.byteLength - offset;
  if (value.length * element.size > room) {
    throw new BpfError(
      'ERR_BPF_RANGE',
      `${value.length} elements of ${element.size} bytes do not fit the ${room} bytes left for a flexible array`,
    );
  }
  writeElements(view, offset, element, value);
}

function writeElements<T>(view: DataView, offset: number, element: Codec<T>, value: readonly T[]): void {
  const { size, many } = element;
  if (many !== undefined) {
    many.write(view, offset, value);
    return;
  }
  // An iterator of entries would take more than many an array has.
  for (let i = 0; i < value.length; i++) element.write(view, offset + i * size, value[i] as T);
}
