import { BpfError, isBpfError, printable } from '../errors.js';
import type { Codec } from './codec.js';

/** More than the largest element of a flexible array is expected to have: its type shows in a record this much longer. */
const SPARE = 4096;

/**
 * The value that JSON of {@link toJson}, or of JSON.stringify() with `jsonBigint`, was made of. Integers of 64 bits come
 * from numbers and from decimal strings. A record of one of several types is of the one that its tag says, or whose fields
 * it has.
 * @throws BpfError ERR_BPF_ARGUMENT naming the field that is missing, too much or of another type; SyntaxError when the
 * text is no JSON
 *
 * @example
 * skel.maps.stats.set(1, fromJson(Stats, await readFile('stats.json', 'utf8')));
 */
export function fromJson<T>(codec: Codec<T>, json: string): T {
  const parsed: unknown = JSON.parse(json);
  // It has the fields and the types of the codec, which the type system cannot follow.
  return ofCodec(codec, parsed) as T;
}

function ofCodec(codec: Codec<unknown>, parsed: unknown): unknown {
  const { armsOf } = codec;
  if (armsOf === undefined) {
    const end = codec.size + SPARE;
    // What zeros mean shows which fields there are, and which of them are bigints.
    return revive(codec.read(new DataView(new ArrayBuffer(end)), 0, end), parsed, '');
  }
  if (typeof parsed !== 'object' || parsed === null) throw refuse('', 'is an object', parsed);
  let last: unknown;
  for (const arm of candidates(armsOf, parsed)) {
    try {
      return ofCodec(arm, parsed);
    } catch (error) {
      if (!isBpfError(error)) throw error;
      last = error;
    }
  }
  throw last;
}

function candidates(armsOf: (value: object) => readonly Codec<unknown>[], value: object) {
  try {
    return armsOf(value);
  } catch (error) {
    if (!isBpfError(error)) throw error;
    throw new BpfError('ERR_BPF_ARGUMENT', `read JSON: ${error.message}`, { cause: error });
  }
}

function revive(model: unknown, json: unknown, path: string): unknown {
  switch (typeof model) {
    case 'bigint':
      return bigint(json, path);
    case 'number':
      // JSON has no NaN and no infinity.
      return json === null ? Number.NaN : same(model, json, path);
    case 'object':
      break;
    default:
      return same(model, json, path);
  }
  if (model instanceof Uint8Array) return bytes(json, path);
  if (Array.isArray(model)) {
    if (!Array.isArray(json)) throw refuse(path, 'is an array', json);
    const [element] = model;
    return json.map((item, index) =>
      element === undefined ? item : revive(element, item, `${path}[${index}]`),
    );
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw refuse(path, 'is an object', json);
  const given = new Map<string, unknown>(Object.entries(json));
  const fields = Object.entries(model ?? {});
  const names = new Set(fields.map(([name]) => name));
  for (const name of given.keys()) {
    if (!names.has(name)) throw refuse(`${path}.${name}`, 'is no field of the type', given.get(name));
  }
  return Object.fromEntries(
    fields.map(([name, field]) => {
      if (!given.has(name)) throw refuse(`${path}.${name}`, 'is missing', undefined);
      return [name, revive(field, given.get(name), `${path}.${name}`)];
    }),
  );
}

function bigint(json: unknown, path: string): bigint {
  if (typeof json === 'string' && /^-?\d{1,40}$/.test(json)) return BigInt(json);
  if (typeof json === 'number' && Number.isSafeInteger(json)) return BigInt(json);
  throw refuse(path, 'is an integer: a number up to 2^53 - 1 or a decimal string', json);
}

function bytes(json: unknown, path: string): Uint8Array {
  const isBytes =
    Array.isArray(json) && json.every((byte) => Number.isInteger(byte) && byte >= 0 && byte < 256);
  if (!isBytes) throw refuse(path, 'is an array of bytes', json);
  return Uint8Array.from(json);
}

function same(model: unknown, json: unknown, path: string): unknown {
  if (typeof json !== typeof model) throw refuse(path, `is a ${typeof model}`, json);
  return json;
}

function refuse(path: string, what: string, json: unknown): BpfError {
  const where = path === '' ? 'the value' : printable(path.replace(/^\./, ''));
  const given = json === undefined ? '' : `; the text has ${printable(JSON.stringify(json), 60)}`;
  return new BpfError('ERR_BPF_ARGUMENT', `read JSON: ${where} ${what}${given}`);
}
