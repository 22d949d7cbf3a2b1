import type { Btf } from '../btf/btf.js';
import type { BtfMember } from '../btf/types.js';
import { fieldsCompatible, isComposite, isEnum, type Pair, typesCompatible, typesMatch } from './compat.js';
import { CoreKind } from './kinds.js';
import { essentialName } from './names.js';
import { type Accessor, advance, type CoreSpec, coreError, isFlexible, MAX_DEPTH } from './spec.js';

/** How a candidate compares: what was found in it, or how many accessors of the object's spec it has. */
export type Match = { readonly spec: CoreSpec } | { readonly spec?: undefined; readonly reached: number };

/** Finds in a type of the kernel what `local` refers to in the object (libbpf: bpf_core_spec_match). */
export function matchSpec(local: CoreSpec, pair: Pair, targetId: number): Match {
  switch (local.topic) {
    case 'type':
      return matchType(local, pair, targetId);
    case 'enumerator':
      return matchEnumerator(local, pair, targetId);
    case 'field':
      return new FieldMatch(local, pair, targetId).run();
  }
}

function found(local: CoreSpec, btf: Btf, rootId: number, accessors: Accessor[], bitOffset: number): Match {
  return { spec: { btf, rootId, kind: local.kind, topic: local.topic, accessors, bitOffset } };
}

function matchType(local: CoreSpec, pair: Pair, targetId: number): Match {
  const compare = local.kind === CoreKind.TYPE_MATCHES ? typesMatch : typesCompatible;
  return compare(pair, local.rootId, targetId) ? found(local, pair.target, targetId, [], 0) : { reached: 0 };
}

function matchEnumerator(local: CoreSpec, pair: Pair, targetId: number): Match {
  const type = pair.target.resolve(targetId);
  if (!isEnum(type)) return { reached: 0 };
  pair.budget.spend(type.values.length);
  const wanted = essentialName(local.accessors[0]?.name ?? '');
  const index = type.values.findIndex(({ name }) => essentialName(name) === wanted);
  const value = type.values[index];
  if (value === undefined) return { reached: 0 };
  return found(local, pair.target, targetId, [{ typeId: type.id, index, name: value.name }], 0);
}

/** One walk along the object's accessors through the kernel's types. */
class FieldMatch {
  readonly #local: CoreSpec;
  readonly #pair: Pair;
  readonly #rootId: number;
  readonly #accessors: Accessor[] = [];
  #typeId: number;
  #bitOffset = 0;
  /** Levels of the walk, anonymous members included. */
  #depth = 0;

  constructor(local: CoreSpec, pair: Pair, rootId: number) {
    this.#local = local;
    this.#pair = pair;
    this.#rootId = rootId;
    this.#typeId = rootId;
  }

  run(): Match {
    for (const [step, accessor] of this.#local.accessors.entries()) {
      const there = accessor.name === undefined ? this.#element(accessor, step) : this.#member(accessor);
      if (!there) return { reached: step };
    }
    return found(this.#local, this.#pair.target, this.#rootId, this.#accessors, this.#bitOffset);
  }

  /** Step 0 is `pointer[index]`: the root is already the element. */
  #element({ index }: Accessor, step: number): boolean {
    const { target } = this.#pair;
    let type = target.resolve(this.#typeId);
    if (step > 0) {
      if (type.kind !== 'array') return false;
      if (index >= type.length && !isFlexible(target, this.#accessors.at(-1), type)) return false;
      type = target.resolve(type.element);
    }
    this.#deeper(1);
    this.#typeId = type.id;
    this.#accessors.push({ typeId: type.id, index });
    this.#bitOffset = advance(this.#bitOffset, index * target.sizeOf(type.id) * 8);
    return true;
  }

  #member(accessor: Accessor): boolean {
    const { local } = this.#pair;
    const owner = local.type(accessor.typeId);
    const wanted = isComposite(owner) ? owner.members[accessor.index] : undefined;
    return wanted !== undefined && this.#search(wanted, this.#typeId, 0, new Set());
  }

  /** Looks for a member by name, in anonymous members too. `seen` are structs that do not have it. */
  #search(wanted: BtfMember, structId: number, depth: number, seen: Set<number>): boolean {
    const { target, budget } = this.#pair;
    const type = target.resolve(structId);
    if (!isComposite(type) || seen.has(type.id)) return false;
    budget.spend(type.members.length);
    if (this.#depth + depth >= MAX_DEPTH && type.members.length > 0) throw tooDeep();
    let index = -1;
    for (const member of type.members) {
      index++;
      if (member.name === '') {
        const before = this.#bitOffset;
        this.#bitOffset = advance(before, member.bitOffset);
        if (this.#search(wanted, member.type, depth + 1, seen)) return true;
        this.#bitOffset = before;
      } else if (member.name === wanted.name) {
        if (!fieldsCompatible(this.#pair, wanted.type, member.type)) break;
        this.#deeper(depth + 1);
        this.#bitOffset = advance(this.#bitOffset, member.bitOffset);
        this.#accessors.push({ typeId: type.id, index, name: member.name });
        this.#typeId = member.type;
        return true;
      }
    }
    seen.add(type.id);
    return false;
  }

  #deeper(levels: number): void {
    this.#depth += levels;
    if (this.#depth > MAX_DEPTH) throw tooDeep();
  }
}

function tooDeep() {
  return coreError(`the kernel's type nests deeper than ${MAX_DEPTH} levels`);
}
