import { BpfError, isBpfError, printable } from '../errors.js';
import type { Codec } from './codec.js';

/**
 * A codec that says of a value it cannot write which part of it is wrong, behind `what`: `value of map "stats": hits is
 * missing`. Nothing is looked at while all is well.
 */
export function explained<T>(codec: Codec<T>, what: string): Codec<T> {
  // The methods of a class would not come along.
  if (Object.getPrototypeOf(codec) !== Object.prototype) return codec;
  return {
    ...codec,
    write(view, offset, value) {
      try {
        codec.write(view, offset, value);
      } catch (error) {
        throw refused(codec, what, view, offset, value, error);
      }
    },
  };
}

/** Apart from who calls it, which would make room for what the functions in here use each time. */
function refused<T>(
  codec: Codec<T>,
  what: string,
  view: DataView,
  offset: number,
  value: T,
  error: unknown,
): BpfError {
  const where = (path: string) => (path === '' ? what : `${what}: ${path}`);
  return refusal(where, error, value, (again) => codec.write(view, offset, again as T)); // it looks like the value
}

/**
 * The error of a value that could not be written: `write` is tried once more, to see which part of the value it takes last.
 * `where` says of a path inside the value (`arms[1].raw`, empty for all of it) what to call it.
 */
export function refusal(
  where: (path: string) => string,
  error: unknown,
  value: unknown,
  write: (value: unknown) => void,
): BpfError {
  const { path, given } = lastRead(value, write);
  // The sentence about arms of a union that disagree names them; the last one that was looked at is any.
  const isUnion = isBpfError(error) && error.code === 'ERR_BPF_UNION';
  const place = printable(where(isUnion ? '' : path));
  const text =
    given === undefined && path !== '' ? `${place} is missing` : `${place}: ${reason(error, given)}`;
  return new BpfError(isBpfError(error) ? error.code : 'ERR_BPF_ARGUMENT', text, { cause: error });
}

function reason(error: unknown, given: unknown): string {
  if (isBpfError(error)) return error.message;
  if (given === undefined || given === null) return `${given} is no value`;
  if (typeof given === 'bigint') return `${given}n is a bigint, and has to be a number`;
  const said = error instanceof Error ? error.message : String(error);
  // Something inside of it was asked for, and it has no inside.
  if (typeof given !== 'object' && !said.includes(String(given))) {
    return `${printable(String(given), 40)} is a ${typeof given}, and has to be an object`;
  }
  if (typeof given === 'number') {
    return `${given} is a number, and has to be a bigint${Number.isInteger(given) ? `: ${given}n` : ''}`;
  }
  return said;
}

interface Part {
  /** `arms[1].raw`; empty for the value itself. */
  readonly path: string;
  readonly given: unknown;
}

/** The part of `value` that `write` asked for last. */
function lastRead(value: unknown, write: (value: unknown) => void): Part {
  let last: Part = { path: '', given: value };
  const watched = (given: unknown, path: string): unknown => {
    if (typeof given !== 'object' || given === null || ArrayBuffer.isView(given)) return given;
    const read = (key: string | symbol): unknown => {
      const part: unknown = Reflect.get(given, key);
      if (typeof key === 'symbol' || typeof part === 'function') return part;
      // How long an array is says something of the array.
      const isLength = key === 'length' && Array.isArray(given);
      const inside = Array.isArray(given) ? `[${key}]` : `${path && '.'}${key}`;
      last = isLength ? { path, given } : { path: path + inside, given: part };
      return watched(part, last.path);
    };
    return new Proxy(Array.isArray(given) ? [] : {}, standIn(given, read));
  };
  try {
    write(watched(value, ''));
  } catch {
    // The first error is the one that counts: this run only shows the way to it.
  }
  return last;
}

/** A proxy of nothing that looks like `given`: one of `given` itself could not hide what that has frozen. */
function standIn(given: object, read: (key: string | symbol) => unknown): ProxyHandler<object> {
  return {
    get: (_nothing, key) => read(key),
    has: (_nothing, key) => Reflect.has(given, key),
    ownKeys: () => Reflect.ownKeys(given),
    getOwnPropertyDescriptor: (nothing, key) => {
      const own = Reflect.getOwnPropertyDescriptor(nothing, key);
      const like = Reflect.getOwnPropertyDescriptor(given, key);
      return own ?? (like && { value: undefined, enumerable: like.enumerable ?? false, configurable: true });
    },
  };
}
