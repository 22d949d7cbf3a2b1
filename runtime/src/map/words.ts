import { alignUp } from '../bytes.js';

/** The words of a buffer. Single ones are read and written whole, which a DataView does not promise. */
interface Words {
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  /** Signed: V8 makes an object of 32 bits without a sign. */
  readonly i32: Int32Array;
  readonly u64: BigUint64Array;
  readonly i64: BigInt64Array;
}

const known = new WeakMap<ArrayBufferLike, Words>();

function wordsOf(buffer: ArrayBufferLike): Words {
  const made = known.get(buffer);
  if (made !== undefined) return made;
  const words = makeWords(buffer);
  known.set(buffer, words);
  return words;
}

function makeWords(buffer: ArrayBufferLike): Words {
  return {
    u8: new Uint8Array(buffer),
    u16: new Uint16Array(buffer, 0, Math.floor(buffer.byteLength / 2)),
    i32: new Int32Array(buffer, 0, Math.floor(buffer.byteLength / 4)),
    u64: new BigUint64Array(buffer, 0, Math.floor(buffer.byteLength / 8)),
    i64: new BigInt64Array(buffer, 0, Math.floor(buffer.byteLength / 8)),
  };
}

/** A copy of bytes that others may change meanwhile. */
export interface Copy {
  readonly view: DataView;
  /** Where the bytes begin in `view`, and in its buffer. */
  readonly offset: number;
  readonly phase: number;
  readonly words: Words;
}

/** Room for a copy of `size` bytes at `offset` of a view: what is aligned there is aligned in the copy. */
export function roomFor({ byteOffset }: DataView, offset: number, size: number): Copy {
  const phase = (byteOffset + offset) % 8;
  const words = makeWords(new ArrayBuffer(alignUp(phase + size, 8)));
  return { view: new DataView(words.u8.buffer, phase, size), offset: 0, phase, words };
}

/** Room that is used again: to make some for each variable that is read takes more than most variables have. */
class KeptRoom {
  /** Larger copies make room of their own. */
  static readonly #largest = 4096;
  /** One for each place in a word that bytes may begin at. */
  #copies = KeptRoom.#make(64);

  static #make(size: number): Copy[] {
    const words = makeWords(new ArrayBuffer(size));
    const view = new DataView(words.u8.buffer);
    return Array.from({ length: 8 }, (_, phase) => ({ view, offset: phase, phase, words }));
  }

  copy(view: DataView, offset: number, size: number): Copy {
    const phase = (view.byteOffset + offset) % 8;
    if (phase + size > KeptRoom.#largest) return roomFor(view, offset, size);
    const copy = this.#copies[phase];
    if (copy !== undefined && phase + size <= copy.view.byteLength) return copy;
    this.#copies = KeptRoom.#make(KeptRoom.#largest);
    return this.copy(view, offset, size);
  }
}

const toRead = new KeptRoom();
const toWrite = new KeptRoom();
let writes = 0;

/** As {@link roomFor}, of a view that is longer; for bytes that are decoded before the next call. */
export function briefRoomFor(view: DataView, offset: number, size: number): Copy {
  return toRead.copy(view, offset, size);
}

/**
 * As {@link briefRoomFor}, until {@link wrote}: what fills it may read other variables, or even write
 * some, which make room of their own.
 */
export function roomToWrite(view: DataView, offset: number, size: number): Copy {
  writes += 1;
  return writes > 1 ? roomFor(view, offset, size) : toWrite.copy(view, offset, size);
}

/** The end of what {@link roomToWrite} began. */
export function wrote(): void {
  writes -= 1;
}

/** A 64-bit integer in the order of this machine, aligned: its own bytes alone, read at once. */
export function loadWord(view: DataView, offset: number, signed: boolean): bigint {
  const { i64, u64 } = wordsOf(view.buffer);
  return Atomics.load(signed ? i64 : u64, (view.byteOffset + offset) / 8);
}

/** Stores what {@link loadWord} reads. */
export function storeWord(view: DataView, offset: number, value: bigint): void {
  Atomics.store(wordsOf(view.buffer).u64, (view.byteOffset + offset) / 8, value);
}

/**
 * Reads `size` bytes at `offset` of a view into a copy that was made for them. Every aligned word of 2, 4 or 8 bytes is
 * read at once, so that no number is half old and half new; words beside each other may be of different moments.
 */
export function takeWords(view: DataView, offset: number, size: number, copy: Copy): void {
  move(wordsOf(view.buffer), view.byteOffset + offset, copy.words, copy.phase, size);
}

/** Puts a copy where it came from: every aligned word is written at once. */
export function putWords(view: DataView, offset: number, size: number, copy: Copy): void {
  move(copy.words, copy.phase, wordsOf(view.buffer), view.byteOffset + offset, size);
}

/** Both sides are aligned alike. */
function move(source: Words, from: number, target: Words, to: number, size: number): void {
  for (let done = 0; done < size; ) {
    const at = from + done;
    const there = to + done;
    const left = size - done;
    if (at % 8 === 0 && left >= 8) {
      Atomics.store(target.u64, there / 8, Atomics.load(source.u64, at / 8));
      done += 8;
    } else if (at % 4 === 0 && left >= 4) {
      Atomics.store(target.i32, there / 4, Atomics.load(source.i32, at / 4));
      done += 4;
    } else if (at % 2 === 0 && left >= 2) {
      Atomics.store(target.u16, there / 2, Atomics.load(source.u16, at / 2));
      done += 2;
    } else {
      Atomics.store(target.u8, there, Atomics.load(source.u8, at));
      done += 1;
    }
  }
}
