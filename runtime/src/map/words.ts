import { alignUp } from '../bytes.js';

/** The words of a buffer. Single ones are read and written whole, which a DataView does not promise. */
interface Words {
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly u64: BigUint64Array;
}

const known = new WeakMap<ArrayBufferLike, Words>();

function wordsOf(buffer: ArrayBufferLike): Words {
  const words = known.get(buffer) ?? makeWords(buffer);
  known.set(buffer, words);
  return words;
}

function makeWords(buffer: ArrayBufferLike): Words {
  return {
    u8: new Uint8Array(buffer),
    u16: new Uint16Array(buffer, 0, Math.floor(buffer.byteLength / 2)),
    u32: new Uint32Array(buffer, 0, Math.floor(buffer.byteLength / 4)),
    u64: new BigUint64Array(buffer, 0, Math.floor(buffer.byteLength / 8)),
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

// Scalars are read too often to make room for each.
const small = makeWords(new ArrayBuffer(8));
const smallView = new DataView(small.u8.buffer);

/** As {@link roomFor}; what fits eight aligned bytes is good until the next call. */
export function briefRoomFor(view: DataView, offset: number, size: number): Copy {
  const phase = (view.byteOffset + offset) % 8;
  return phase + size > 8
    ? roomFor(view, offset, size)
    : { view: smallView, offset: phase, phase, words: small };
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
      Atomics.store(target.u32, there / 4, Atomics.load(source.u32, at / 4));
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
