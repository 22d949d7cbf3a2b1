import { hostLittleEndian } from '../bytes.js';

/** Code units per call: what makes strings of so many at once is as fast as V8 gets without leaving JavaScript. */
export const BLOCK = 16;

/**
 * The string of the first `count` code units. Adding them one by one would leave a string behind for each; `units` has
 * room for a whole block more than it holds.
 */
export function stringOf(units: Uint16Array, count: number): string {
  let text = block(units, 0, Math.min(count, BLOCK));
  for (let at = BLOCK; at < count; at += BLOCK) text += block(units, at, Math.min(count - at, BLOCK));
  return text;
}

/** Bytes of a text on its way to a string, and the same as a Buffer, whose strings are in one piece. */
let bytes: Uint8Array | undefined;
let buffer: Buffer | undefined;
let wide: { readonly units: Uint16Array; readonly buffer: Buffer } | undefined;

/** As {@link stringOf}, without the pieces that it is joined of, where Node makes strings of bytes. */
export function wholeText(units: Uint16Array, count: number, narrow: boolean): string {
  if (typeof Buffer !== 'function' || !(narrow || hostLittleEndian)) return stringOf(units, count);
  if (!narrow) {
    if (wide?.units !== units) wide = { units, buffer: Buffer.from(units.buffer) };
    return wide.buffer.toString('utf16le', 0, 2 * count);
  }
  if (bytes === undefined || buffer === undefined || bytes.length < count) {
    bytes = new Uint8Array(units.length);
    buffer = Buffer.from(bytes.buffer);
  }
  for (let i = 0; i < count; i++) bytes[i] = units[i] ?? 0;
  return buffer.toString('latin1', 0, count);
}

const from = String.fromCharCode;

function block(units: Uint16Array, at: number, count: number): string {
  const a = units[at] ?? 0;
  const b = units[at + 1] ?? 0;
  const c = units[at + 2] ?? 0;
  const d = units[at + 3] ?? 0;
  const e = units[at + 4] ?? 0;
  const f = units[at + 5] ?? 0;
  const g = units[at + 6] ?? 0;
  const h = units[at + 7] ?? 0;
  const i = units[at + 8] ?? 0;
  const j = units[at + 9] ?? 0;
  const k = units[at + 10] ?? 0;
  const l = units[at + 11] ?? 0;
  const m = units[at + 12] ?? 0;
  const n = units[at + 13] ?? 0;
  const o = units[at + 14] ?? 0;
  const p = units[at + 15] ?? 0;
  switch (count) {
    case 0:
      return '';
    case 1:
      return from(a);
    case 2:
      return from(a, b);
    case 3:
      return from(a, b, c);
    case 4:
      return from(a, b, c, d);
    case 5:
      return from(a, b, c, d, e);
    case 6:
      return from(a, b, c, d, e, f);
    case 7:
      return from(a, b, c, d, e, f, g);
    case 8:
      return from(a, b, c, d, e, f, g, h);
    case 9:
      return from(a, b, c, d, e, f, g, h, i);
    case 10:
      return from(a, b, c, d, e, f, g, h, i, j);
    case 11:
      return from(a, b, c, d, e, f, g, h, i, j, k);
    case 12:
      return from(a, b, c, d, e, f, g, h, i, j, k, l);
    case 13:
      return from(a, b, c, d, e, f, g, h, i, j, k, l, m);
    case 14:
      return from(a, b, c, d, e, f, g, h, i, j, k, l, m, n);
    case 15:
      return from(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o);
    default:
      return from(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);
  }
}
