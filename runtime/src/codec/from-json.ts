import { BpfError, isBpfError, printable } from '../errors.js';
import type { Codec } from './codec.js';

/** More than the largest element of a flexible array is expected to have: its type shows in a record this much longer. */
const SPARE = 4096;

/** More than there are tags in a value, each of which takes a round to learn. */
const ROUNDS = 10_000;

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
    return ofModel(codec, parsed);
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

/**
 * What zeros mean shows which fields there are, and which of them are bigints. Where a tag tells the arms of a union, they
 * are those of tag 0 at first: tags are learned from the text, one after the other.
 */
function ofModel(codec: Codec<unknown>, parsed: unknown): unknown {
  const bytes = new Uint8Array(codec.size + SPARE);
  const view = new DataView(bytes.buffer);
  for (let round = 0; ; round++) {
    const model = codec.read(view, 0, bytes.length);
    if (round < ROUNDS && learn(codec, bytes, revive(model, parsed, '', asItIs))) continue;
    return revive(model, parsed, '');
  }
}

/** Puts what fits of `value` into `bytes`. False when they were like that before. */
function learn(codec: Codec<unknown>, bytes: Uint8Array, value: unknown): boolean {
  const before = bytes.slice();
  try {
    codec.write(new DataView(bytes.buffer), 0, value);
  } catch {
    // It stopped at the first field that has another type: tags before it are there now.
  }
  return bytes.some((byte, index) => byte !== before[index]);
}

/** What becomes of a value that is not what the model has at `path`. */
type Misfit = (path: string, what: string, json: unknown) => unknown;

const asItIs: Misfit = (_path, _what, json) => json;

function candidates(armsOf: (value: object) => readonly Codec<unknown>[], value: object) {
  try {
    return armsOf(value);
  } catch (error) {
    if (!isBpfError(error)) throw error;
    throw new BpfError('ERR_BPF_ARGUMENT', `read JSON: ${error.message}`, { cause: error });
  }
}

function revive(model: unknown, json: unknown, path: string, misfit: Misfit = refused): unknown {
  switch (typeof model) {
    case 'bigint':
      return bigint(json, path, misfit);
    case 'number':
      // JSON has no NaN and no infinity.
      return json === null ? Number.NaN : same(model, json, path, misfit);
    case 'object':
      break;
    default:
      return same(model, json, path, misfit);
  }
  if (model instanceof Uint8Array) return bytes(json, path, misfit);
  if (Array.isArray(model)) {
    if (!Array.isArray(json)) return misfit(path, 'is an array', json);
    const [first] = model;
    return json.map((item, index) => {
      const element: unknown = model[index] ?? first;
      return element === undefined ? item : revive(element, item, `${path}[${index}]`, misfit);
    });
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    return misfit(path, 'is an object', json);
  const given = new Map<string, unknown>(Object.entries(json));
  const fields = Object.entries(model ?? {});
  const names = new Set(fields.map(([name]) => name));
  const others = [...given].filter(([name]) => !names.has(name));
  for (const [name, value] of others) misfit(`${path}.${name}`, 'is no field of the type', value);
  const known = fields.map(([name, field]) => [
    name,
    given.has(name)
      ? revive(field, given.get(name), `${path}.${name}`, misfit)
      : misfit(`${path}.${name}`, 'is missing', undefined),
  ]);
  return Object.fromEntries([...known, ...others]);
}

function bigint(json: unknown, path: string, misfit: Misfit): unknown {
  if (typeof json === 'string' && /^-?\d{1,40}$/.test(json)) return BigInt(json);
  if (typeof json === 'number' && Number.isSafeInteger(json)) return BigInt(json);
  return misfit(path, 'is an integer: a number up to 2^53 - 1 or a decimal string', json);
}

function bytes(json: unknown, path: string, misfit: Misfit): unknown {
  const isBytes =
    Array.isArray(json) && json.every((byte) => Number.isInteger(byte) && byte >= 0 && byte < 256);
  return isBytes ? Uint8Array.from(json) : misfit(path, 'is an array of bytes', json);
}

function same(model: unknown, json: unknown, path: string, misfit: Misfit): unknown {
  return typeof json === typeof model ? json : misfit(path, `is a ${typeof model}`, json);
}

function refused(path: string, what: string, json: unknown): never {
  throw refuse(path, what, json);
}

function refuse(path: string, what: string, json: unknown): BpfError {
  const where = path === '' ? 'the value' : printable(path.replace(/^\./, ''));
  const given = json === undefined ? '' : `; the text has ${printable(JSON.stringify(json), 60)}`;
  return new BpfError('ERR_BPF_ARGUMENT', `read JSON: ${where} ${what}${given}`);
}
