/** The method by which a live value gives a plain copy of what it shows now. */
export const snapshotKey: unique symbol = Symbol.for('bpfskel.snapshot');

/**
 * A plain copy of a live value, such as `skel.bss.stats`: it stays as it is now. Other values are given back.
 *
 * @example
 * const before = snapshot(skel.bss.stats);
 */
export function snapshot<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  const take: unknown = Reflect.get(value, snapshotKey);
  return typeof take === 'function' ? take.call(value) : value;
}

/** How integers of 64 bits and more are written in JSON. */
export interface JsonOptions {
  /**
   * `exact`, the default: a number where every reader gets it right, up to 2^53 - 1 on either side of zero, and a decimal
   * string beyond. `string`: always a string, for readers that want one type in a column. `BigInt()` and `Number()` take
   * both.
   */
  readonly bigint?: 'exact' | 'string';
  /** As the third argument of JSON.stringify(). */
  readonly space?: number | string;
}

/**
 * The second argument of JSON.stringify() for records: JSON knows no bigint, and would throw. Numbers up to 2^53 - 1 are
 * written as numbers, larger ones as decimal strings. Bytes become arrays of numbers.
 *
 * @example
 * console.log(JSON.stringify(event, jsonBigint));
 */
export function jsonBigint(_key: string, value: unknown): unknown {
  return replace(value, 'exact');
}

/**
 * JSON of a record, a map's value or a live value, with integers of 64 bits as {@link JsonOptions.bigint} says. Read it
 * again with {@link fromJson}.
 */
export function toJson(value: unknown, options: JsonOptions = {}): string {
  return JSON.stringify(jsonable(value, options.bigint), undefined, options.space);
}

/** What JSON.stringify() takes: a plain copy without bigints and typed arrays. */
export function jsonable(value: unknown, bigint: JsonOptions['bigint'] = 'exact'): unknown {
  const plain = replace(snapshot(value), bigint);
  if (typeof plain !== 'object' || plain === null) return plain;
  if (Array.isArray(plain)) return plain.map((item) => jsonable(item, bigint));
  // What knows its own JSON, as dates do.
  if ('toJSON' in plain && typeof plain.toJSON === 'function') return plain;
  const copy: Record<string, unknown> = Object.create(null);
  for (const [key, item] of Object.entries(plain)) copy[key] = jsonable(item, bigint);
  return copy;
}

function replace(value: unknown, bigint: JsonOptions['bigint']): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return bigint !== 'string' && Number.isSafeInteger(number) ? number : String(value);
  }
  return value instanceof Uint8Array ? Array.from(value) : value;
}
