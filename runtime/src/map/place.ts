import { hostLittleEndian } from '../bytes.js';
import { readArray, writeArray } from '../codec/array.js';
import type { Codec } from '../codec/codec.js';
import { refusal } from '../codec/refusal.js';
import { i64, u64 } from '../codec/scalars.js';
import { BpfError, isBpfError, printable } from '../errors.js';
import {
  briefRoomFor,
  type Copy,
  loadWord,
  putWords,
  roomFor,
  roomToWrite,
  storeWord,
  takeWords,
  wrote,
} from './words.js';

/** The bytes behind live values: the image of a section before load(), the section itself afterwards. */
export interface Backing {
  /** True where programs may write at the same time: then words are read and written whole. */
  readonly shared: boolean;
  /** The bytes as they are now. @throws BpfError ERR_BPF_STATE once their object is destroyed */
  view(): DataView;
  /** @throws BpfError a sentence about `path`, where bytes may not be written to now */
  assertWritable(path: string): void;
  /** Tells the kernel what was written, where it does not see it anyway. */
  flush(): void;
  /** Gives the array at `path` another size in bytes. @throws BpfError a sentence about `path` where that cannot be */
  resize(path: string, size: number): void;
}

/** Where a value lies, what it is, and how one writes of it: `bss.stats`, `bss.counts[3]`. */
export interface Place {
  readonly backing: Backing;
  readonly path: string;
  readonly codec: Codec<unknown>;
  readonly offset: number;
  /** Bytes, where the codec does not say: of a flexible array, or of the one that a section was resized for. */
  readonly room?: (() => number) | undefined;
}

export function roomOf({ codec, room }: Place): number {
  return room === undefined ? codec.size : room();
}

/** How many elements an array has at its place. */
export function lengthOf(place: Place): number {
  return Math.floor(roomOf(place) / (place.codec.element?.size ?? 1));
}

/** The value at a place, decoded: nothing of it is live. */
export function readAt(place: Place): unknown {
  const { backing, offset } = place;
  const view = backing.view();
  if (isWord(place, view)) return loadWord(view, offset, place.codec === i64);
  const size = roomOf(place);
  if (!backing.shared) return decoded(place, view, offset, size);
  const copy = briefRoomFor(view, offset, size);
  takeWords(view, offset, size, copy);
  return decoded(place, copy.view, copy.offset, size);
}

function decoded(place: Place, view: DataView, offset: number, size: number): unknown {
  try {
    return decode(place, view, offset, size);
  } catch (error) {
    const what = `read ${printable(place.path)}`;
    // A variable of a section may have said so itself.
    if (!isBpfError(error) || error.message.startsWith(`${what}.`)) throw error;
    throw new BpfError(error.code, `${what}: ${error.message}`, { cause: error });
  }
}

function decode(place: Place, view: DataView, offset: number, size: number): unknown {
  const { element } = place.codec;
  if (element === undefined || place.room === undefined) return place.codec.read(view, offset, offset + size);
  return readArray(view, offset, element, lengthOf(place));
}

/** Is it a 64-bit integer that can be read and written as it lies there? */
function isWord({ codec, offset }: Place, view: DataView): boolean {
  return (codec === u64 || codec === i64) && hostLittleEndian && (view.byteOffset + offset) % 8 === 0;
}

/** Writes a value, all of it or nothing: one that does not fit its type changes nothing. Padding keeps what it has. */
export function writeAt(place: Place, value: unknown): void {
  const { backing, path, codec, offset } = place;
  backing.assertWritable(path);
  const view = backing.view();
  if (typeof value === 'bigint' && isWord(place, view)) {
    storeWord(view, offset, value);
    backing.flush();
    return;
  }
  const size = roomOf(place);
  // What ends in a flexible array takes all of its view.
  const isAlone = codec.rest || codec.sizeOf !== undefined || place.room !== undefined;
  const copy = isAlone ? roomFor(view, offset, size) : roomToWrite(view, offset, size);
  try {
    takeWords(view, offset, size, copy);
    encode(place, copy, value);
    putWords(view, offset, size, copy);
  } catch (error) {
    throw refused(place, copy, value, error);
  } finally {
    if (!isAlone) wrote();
  }
  backing.flush();
}

/** Apart from who calls it, which would make room for what the functions in here use each time. */
function refused(place: Place, copy: Copy, value: unknown, error: unknown): BpfError {
  const where = (inside: string) => `set ${place.path}${/^(\[|$)/.test(inside) ? '' : '.'}${inside}`;
  return refusal(where, error, value, (again) => encode(place, copy, again));
}

function encode(place: Place, { view, offset }: { view: DataView; offset: number }, value: unknown): void {
  const { codec, room } = place;
  if (codec.element !== undefined && room !== undefined && Array.isArray(value)) {
    writeArray(view, offset, codec.element, lengthOf(place), value);
  } else {
    codec.write(view, offset, value);
  }
}
