import { BLOCK, stringOf, wholeText } from './units.js';

// UTF-8 in which every byte that is none has a code unit of its own: U+DC80..U+DCFF. Nothing is made on the way but the
// string itself, whose code units are collected here.

let units = new Uint16Array(1024 + BLOCK);

/** The text in `length` bytes, up to the first NUL. */
export function decode(view: DataView, offset: number, length: number): string {
  // The longest sequence gives two units, of four bytes; any other byte one.
  if (length > units.length - BLOCK) units = new Uint16Array(2 * length + BLOCK);
  const end = offset + length;
  let count = 0;
  let all = 0;
  for (let at = offset; at < end; ) {
    const byte = view.getUint8(at);
    if (byte === 0) break;
    if (byte < 0x80) {
      units[count++] = byte;
      at += 1;
      continue;
    }
    const sequence = sequenceLength(view, at, end);
    if (sequence === 0) {
      all = 0xffff;
      units[count++] = 0xdc00 + byte;
      at += 1;
      continue;
    }
    let point = byte & (0x7f >> sequence);
    for (let i = 1; i < sequence; i++) point = (point << 6) | (view.getUint8(at + i) & 0x3f);
    all |= point;
    if (point < 0x10000) units[count++] = point;
    else {
      units[count++] = 0xd7c0 + (point >> 10);
      units[count++] = 0xdc00 + (point & 0x3ff);
    }
    at += sequence;
  }
  // Of short text that one byte a character is enough for, this is the fastest.
  return count <= BLOCK && all < 0x100 ? stringOf(units, count) : wholeText(units, count, all < 0x100);
}

/** Bytes of the well-formed UTF-8 sequence at `at` (Unicode table 3-7), 0 when there is none. */
function sequenceLength(view: DataView, at: number, end: number): number {
  const first = view.getUint8(at);
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > end) return 0;
  const second = view.getUint8(at + 1);
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let i = 2; i < length; i++) if ((view.getUint8(at + i) & 0xc0) !== 0x80) return 0;
  return length;
}

/** Bytes that text takes. */
export function utf8Length(value: string): number {
  let bytes = 0;
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (isPair(value, i)) {
      bytes += 4;
      i += 1;
    } else bytes += isEscaped(unit) ? 1 : 3;
  }
  return bytes;
}

/** Stores text at `offset`, all of it. */
export function putUtf8(view: DataView, offset: number, value: string): void {
  let at = offset;
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    if (unit < 0x80) view.setUint8(at++, unit);
    else if (unit < 0x800) {
      view.setUint8(at++, 0xc0 | (unit >> 6));
      view.setUint8(at++, 0x80 | (unit & 0x3f));
    } else if (isPair(value, i)) {
      i += 1;
      const point = 0x10000 + ((unit & 0x3ff) << 10) + (value.charCodeAt(i) & 0x3ff);
      view.setUint8(at++, 0xf0 | (point >> 18));
      view.setUint8(at++, 0x80 | ((point >> 12) & 0x3f));
      view.setUint8(at++, 0x80 | ((point >> 6) & 0x3f));
      view.setUint8(at++, 0x80 | (point & 0x3f));
    } else if (isEscaped(unit)) view.setUint8(at++, unit - 0xdc00);
    else {
      // Half of a pair is no character.
      const point = unit >= 0xd800 && unit < 0xe000 ? 0xfffd : unit;
      view.setUint8(at++, 0xe0 | (point >> 12));
      view.setUint8(at++, 0x80 | ((point >> 6) & 0x3f));
      view.setUint8(at++, 0x80 | (point & 0x3f));
    }
  }
}

/** Do a high and a low surrogate stand at `index`? */
function isPair(value: string, index: number): boolean {
  const next = value.charCodeAt(index + 1);
  return (value.charCodeAt(index) & 0xfc00) === 0xd800 && (next & 0xfc00) === 0xdc00;
}

/** Is it a byte that is no UTF-8? */
function isEscaped(unit: number): boolean {
  return unit >= 0xdc80 && unit < 0xdd00;
}
