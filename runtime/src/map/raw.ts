import type { Codec } from '../codec/codec.js';
import { readBytes, storeBytes } from '../codec/raw.js';
import { BpfError } from '../errors.js';

/** Keys or values without a type: their bytes. Reading copies. `what` names them in errors. */
export function raw(size: number, what: string): Codec<Uint8Array> {
  return {
    size,
    read: (view, offset) => bytesAt(view, offset, size),
    write(view, offset, value) {
      assertBytes(value, size, what);
      if (value.length !== size) {
        throw new BpfError('ERR_BPF_LAYOUT', `${what}: takes ${size} bytes, ${value.length} were given`);
      }
      storeBytes(view, offset, value);
    },
  };
}

/**
 * Refuses what is no Uint8Array: of texts and numbers that JavaScript callers give, zeros would be written without a word.
 * Those of other realms will do.
 */
export function assertBytes(value: unknown, size: number, what: string): asserts value is Uint8Array {
  if (value instanceof Uint8Array || Object.prototype.toString.call(value) === '[object Uint8Array]') return;
  const given = value === null ? 'null' : Array.isArray(value) ? 'an array' : articles[typeof value];
  throw new BpfError(
    'ERR_BPF_ARGUMENT',
    `${what}: takes ${size} bytes in a Uint8Array, and ${given} was given; a map that is typed, by a skeleton or as hash(u32, u64), takes other things`,
  );
}

const articles = {
  string: 'text',
  number: 'a number',
  bigint: 'a bigint',
  boolean: 'a boolean',
  undefined: 'undefined',
  object: 'an object',
  function: 'a function',
  symbol: 'a symbol',
} as const;

/** A copy of `size` bytes of a view. */
export function bytesAt(view: DataView, offset: number, size: number): Uint8Array {
  return readBytes(view, offset, size);
}
