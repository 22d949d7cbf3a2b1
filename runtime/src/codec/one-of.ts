import { BpfError } from '../errors.js';
import type { Codec } from './codec.js';
import { sizeOf } from './struct.js';

/** The codec of one of several structs. What they are is for the type of the result to say. */
type Arm = Codec<object>;

/**
 * A record that is one of several structs, which of them its field `tag` says. A field of that name, size and place is in
 * all of them. Reading a record with another tag, or too short for its struct, throws; so does writing one.
 * @param readTag reads the field
 * @param arms the values of the field, each with the struct that has it
 */
export function oneOf<T extends object>(
  tag: keyof T & string,
  readTag: (view: DataView, offset: number) => number | bigint,
  arms: readonly (readonly [number | bigint, Arm])[],
): Codec<T> {
  const byTag = new Map(arms);
  const armOf = (value: unknown): Arm => {
    const arm = byTag.get(value as number | bigint); // any other is not in there
    if (arm !== undefined) return arm;
    const known = [...byTag.keys()].join(', ');
    throw new BpfError('ERR_BPF_RECORD', `its ${tag} is ${String(value)}, which is none of ${known}`);
  };
  return {
    size: Math.min(...arms.map(([, arm]) => arm.size)),
    sizeOf: (value) => sizeOf(armOf(value[tag]), value),
    // A tag of 64 bits may be a number in JSON, or text.
    armsOf: (value) => {
      const given: unknown = Reflect.get(value, tag);
      const arm = arms.find(([known]) => String(known) === String(given));
      return arm === undefined ? [armOf(given)] : [arm[1]];
    },
    read(view, offset, end) {
      const value = readTag(view, offset);
      const arm = armOf(value);
      if (end !== undefined && end - offset < arm.size) {
        throw new BpfError(
          'ERR_BPF_RECORD',
          `it has ${end - offset} bytes, and with ${tag} ${value} ${arm.size} are needed`,
        );
      }
      return arm.read(view, offset, end) as T; // the struct that the tag belongs to
    },
    write: (view, offset, value) => armOf(value[tag]).write(view, offset, value),
  };
}

/** Bytes that perf buffers may add to a record. */
const MOST_PADDING = 7;

/**
 * A record that is one of several structs of different sizes, which of them its length says. Such records can be read
 * only: what is to be written is of one of the structs.
 */
export function oneOfSize<T extends object>(arms: readonly Arm[]): Codec<T> {
  const ascending = [...arms].sort((a, b) => a.size - b.size);
  const sizes = ascending.map(({ size }) => size);
  /** The largest that is no larger than the record. */
  const armOf = (length: number): Arm | undefined => {
    let arm: Arm | undefined;
    for (const one of ascending) if (one.size <= length) arm = one;
    return arm;
  };
  return {
    size: sizes[0] ?? 0,
    armsOf: () => ascending,
    read(view, offset, end = view.byteLength) {
      const length = end - offset;
      const arm = armOf(length);
      if (arm === undefined || length - arm.size > MOST_PADDING) {
        throw new BpfError('ERR_BPF_RECORD', `it has ${length} bytes, and its types ${sizes.join(', ')}`);
      }
      return arm.read(view, offset, end) as T; // the struct of that size
    },
    write() {
      throw new BpfError(
        'ERR_BPF_ARGUMENT',
        'write a record that may be of several types: write one of those',
      );
    },
  };
}
