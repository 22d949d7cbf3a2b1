import { BpfError, printable } from '../errors.js';
import { storeBytes } from './raw.js';

// Structs whose union one of their members, its tag, tells the arms of: where no arm is meant.

declare const none: unique symbol;

/** A number that is none of the values of a tag that have an arm: `Number(tag)` and `${tag}` give it. */
export interface OtherNumber {
  readonly [none]: true;
  valueOf(): number;
}

/** A bigint that is none of the values of a tag that have an arm: `BigInt(tag.valueOf())` and `${tag}` give it. */
export interface OtherBigint {
  readonly [none]: true;
  valueOf(): bigint;
}

/**
 * Writes the bytes of a union, which are in `value` under the name `rest`.
 * @throws BpfError `ERR_BPF_UNION` when they are not there, or not `size` many
 */
export function putOther(
  view: DataView,
  offset: number,
  size: number,
  value: object,
  tag: string,
  rest: string,
): void {
  const given: unknown = Reflect.get(value, rest);
  if (!(given instanceof Uint8Array) || given.length !== size) {
    throw new BpfError(
      'ERR_BPF_UNION',
      `no arm of the union belongs to ${printable(tag)} ${String(Reflect.get(value, tag))}: ` +
        `give its ${size} bytes as ${printable(rest)}, or another ${printable(tag)}`,
    );
  }
  storeBytes(view, offset, given);
}
