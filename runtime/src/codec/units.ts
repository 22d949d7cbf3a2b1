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

/** Room for at least `count` code units, and a block. What is in `units` moves along. */
export function roomFor(count: number, units?: Uint16Array): Uint16Array {
  const larger = new Uint16Array(count + BLOCK);
  if (units !== undefined) larger.set(units);
  return larger;
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
