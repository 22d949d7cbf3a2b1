import type { Btf } from '@bpfskel/runtime/inspect';
import { declaration } from './ctype.js';
import type { Field } from './fields.js';
import { comment } from './quote.js';

// What the comments of a type's members say.

/** The C declaration of a member, its size and place. `rest` is set for what ends a record. */
export function fieldDoc(btf: Btf, { cName, typeId, bitOffset, bitSize }: Field, rest: boolean): string {
  const name = declaration(btf, typeId, cName);
  if (bitSize > 0) return comment(`${name} : ${bitSize}; bit ${bitOffset & 7} of byte ${bitOffset >> 3}`);
  const size = btf.sizeOf(typeId);
  if (rest && size === 0) return comment(`${name}; the rest from ${bitOffset >> 3}`);
  return comment(`${name}; ${byteCount(size)} at ${bitOffset >> 3}`);
}

const WIDEST_ALIGNED = 64;

/** Comments of one type, padded to the width of the longest that is not overlong. */
export function alignDocs(docs: readonly string[]): string[] {
  const comments = docs.map((doc) => `/** ${doc} */`);
  const width = Math.max(
    0,
    ...comments.map((doc) => doc.length).filter((length) => length <= WIDEST_ALIGNED),
  );
  return comments.map((doc) => doc.padEnd(width));
}

/** `1 byte`, `2 bytes`. */
export function byteCount(count: number): string {
  return count === 1 ? '1 byte' : `${count} bytes`;
}

/** Says which members are not there. */
export function keptNote(kept: readonly string[]): string {
  const names = kept.map((name) => comment(name)).join(', ');
  return kept.length === 0 ? '' : `; the kernel keeps ${names} to itself`;
}
