import type { Btf, BtfType } from '@bpfskel/runtime/inspect';
import type { Field } from './fields.js';
import type { Reached, ReachedTypes } from './reach.js';

// Flexible arrays: what ends a record, and takes what is left of it.

/** Does a type end in a flexible array, so that reading it takes the record's end? */
export function endsFlexible(btf: Btf, reached: ReachedTypes, type: BtfType): boolean {
  const owner = reached.get(type);
  if (owner?.kind !== 'composite') return false;
  return variants(owner).some((variant) =>
    variant.fields.some((field) => {
      if (isFlexible(btf, field, variant)) return true;
      return isLast(btf, field, variant) && endsFlexible(btf, reached, btf.resolve(field.typeId));
    }),
  );
}

/** What a struct is with each arm of its tagged union; other types as they are. */
export function variants(owner: Reached & { kind: 'composite' }): (Reached & { kind: 'composite' })[] {
  const { tagged } = owner;
  if (tagged === undefined) return [owner];
  return tagged.arms.map((arm) => ({ ...owner, fields: [...tagged.shared, ...arm.fields] }));
}

/** A `type x[]` or `x[0]` with nothing behind it. */
export function isFlexible(btf: Btf, field: Field, owner: Reached & { kind: 'composite' }): boolean {
  const type = btf.resolve(field.typeId);
  if (type.kind !== 'array' || type.length !== 0 || btf.sizeOf(type.element) === 0) return false;
  return isLast(btf, field, owner);
}

/** Do all other members end before this one begins? */
export function isLast(btf: Btf, field: Field, owner: Reached & { kind: 'composite' }): boolean {
  return owner.fields.every(
    (other) =>
      other === field || other.bitOffset + (other.bitSize || btf.sizeOf(other.typeId) * 8) <= field.bitOffset,
  );
}
