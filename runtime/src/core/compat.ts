// Three ways to compare a type of the object with one of the kernel, each as loose as what is asked needs. The root
// types' names were compared before.

import type { Btf } from '../btf/btf.js';
import type { BtfComposite, BtfEnum, BtfEnum64, BtfFwd, BtfKind, BtfType } from '../btf/types.js';
import type { Budget } from './budget.js';
import { essentialName } from './names.js';
import { coreError } from './spec.js';

/** How many pointers, array dimensions and return types are followed, and how deep parameters and members nest. */
const MAX_LEVEL = 32;

/** Two BTFs, the object's first. */
export interface Pair {
  readonly local: Btf;
  readonly target: Btf;
  readonly budget: Budget;
}

export function isEnum(type: BtfType): type is BtfEnum | BtfEnum64 {
  return type.kind === 'enum' || type.kind === 'enum64';
}

export function isComposite(type: BtfType): type is BtfComposite {
  return type.kind === 'struct' || type.kind === 'union';
}

/** The same kind, where both kinds of enum count as one (libbpf: btf_kind_core_compat). */
export function sameKind(a: BtfKind, b: BtfKind): boolean {
  return a === b || ((a === 'enum' || a === 'enum64') && (b === 'enum' || b === 'enum64'));
}

/** May a field of one type be read as the other? Sizes and signs may differ. (libbpf: bpf_core_fields_are_compat) */
export function fieldsCompatible({ local, target }: Pair, localId: number, targetId: number): boolean {
  let [a, b] = [local.resolve(localId), target.resolve(targetId)];
  for (let hops = 0; hops < MAX_LEVEL; hops++) {
    if (isComposite(a) && isComposite(b)) return true;
    if (!sameKind(a.kind, b.kind)) return false;
    switch (a.kind) {
      case 'ptr':
      case 'float':
        return true;
      case 'fwd':
      case 'enum':
      case 'enum64': {
        const [an, bn] = [essentialName(a.name), essentialName(b.name)];
        return an === '' || bn === '' || an === bn;
      }
      case 'int':
        return a.bitOffset === 0 && b.kind === 'int' && b.bitOffset === 0;
      case 'array':
        if (b.kind !== 'array') return false;
        [a, b] = [local.resolve(a.element), target.resolve(b.element)];
        break;
      default:
        return false;
    }
  }
  throw tooDeep();
}

/** Are two types compatible enough for their existence, size or id to answer for each other? (bpf_core_types_are_compat) */
export function typesCompatible(pair: Pair, localId: number, targetId: number): boolean {
  if (!sameKind(pair.local.kind(localId), pair.target.kind(targetId))) return false;
  return compatible(pair, localId, targetId, MAX_LEVEL);
}

function compatible(pair: Pair, localId: number, targetId: number, level: number): boolean {
  const { local, target, budget } = pair;
  let [a, b] = [local.resolve(localId), target.resolve(targetId)];
  for (let hops = 0; hops < MAX_LEVEL; hops++) {
    budget.spend(1);
    if (!sameKind(a.kind, b.kind)) return false;
    switch (a.kind) {
      case 'void':
      case 'struct':
      case 'union':
      case 'enum':
      case 'enum64':
      case 'fwd':
        return true;
      case 'int':
        return a.bitOffset === 0 && b.kind === 'int' && b.bitOffset === 0;
      case 'ptr':
        if (b.kind !== 'ptr') return false;
        [a, b] = [local.resolve(a.type), target.resolve(b.type)];
        break;
      case 'array':
        if (b.kind !== 'array') return false;
        [a, b] = [local.resolve(a.element), target.resolve(b.element)];
        break;
      case 'func_proto': {
        if (b.kind !== 'func_proto' || a.params.length !== b.params.length) return false;
        if (level <= 0 && a.params.length > 0) throw tooDeep();
        for (const [i, { type }] of a.params.entries()) {
          if (!compatible(pair, type, b.params[i]?.type ?? 0, level - 1)) return false;
        }
        [a, b] = [local.resolve(a.returns), target.resolve(b.returns)];
        break;
      }
      default:
        return false;
    }
  }
  throw tooDeep();
}

/**
 * Does the kernel's type have everything the object's has, with the same names and sizes? Behind pointers only kinds
 * and names count. (libbpf: bpf_core_types_match)
 */
export function typesMatch(pair: Pair, localId: number, targetId: number): boolean {
  return matches(pair, localId, targetId, false, MAX_LEVEL);
}

function matches(pair: Pair, localId: number, targetId: number, pointed: boolean, level: number): boolean {
  const { local, target, budget } = pair;
  if (level <= 0) throw tooDeep();
  let behindPointer = pointed;
  let [a, b] = [local.resolve(localId), target.resolve(targetId)];
  for (let hops = 0; hops < MAX_LEVEL; hops++) {
    budget.spend(1);
    if (!namesMatch(a.name, b.name)) return false;
    if (isEnum(a)) return isEnum(b) && enumsMatch(pair, a, b);
    if (isComposite(a)) {
      if (behindPointer) return a.kind === b.kind || (b.kind === 'fwd' && (a.kind === 'union') === b.union);
      return b.kind === a.kind && isComposite(b) && compositesMatch(pair, a, b, level);
    }
    if (a.kind === 'fwd') return forwardMatches(a, b, behindPointer);
    if (a.kind === 'ptr' && b.kind === 'ptr') {
      behindPointer = true;
      [a, b] = [local.resolve(a.type), target.resolve(b.type)];
    } else if (a.kind === 'array' && b.kind === 'array') {
      if (a.length !== b.length) return false;
      [a, b] = [local.resolve(a.element), target.resolve(b.element)];
    } else if (a.kind === 'func_proto' && b.kind === 'func_proto') {
      if (a.params.length !== b.params.length) return false;
      for (const [i, { type }] of a.params.entries()) {
        if (!matches(pair, type, b.params[i]?.type ?? 0, behindPointer, level - 1)) return false;
      }
      [a, b] = [local.resolve(a.returns), target.resolve(b.returns)];
    } else if (a.kind === 'int' && b.kind === 'int') {
      return a.size === b.size && a.signed === b.signed;
    } else {
      return a.kind === 'void' && b.kind === 'void';
    }
  }
  throw tooDeep();
}

function namesMatch(local: string, target: string): boolean {
  return target === '' ? local === '' : essentialName(local) === essentialName(target);
}

function forwardMatches(a: BtfFwd, b: BtfType, behindPointer: boolean): boolean {
  if (b.kind === 'fwd') return a.union === b.union;
  return behindPointer && b.kind === (a.union ? 'union' : 'struct');
}

function enumsMatch({ budget }: Pair, a: BtfEnum | BtfEnum64, b: BtfEnum | BtfEnum64): boolean {
  if (a.size !== b.size || a.values.length > b.values.length) return false;
  budget.spend(a.values.length + b.values.length);
  const names = new Set(b.values.map(({ name }) => essentialName(name)));
  return a.values.every(({ name }) => names.has(essentialName(name)));
}

function compositesMatch(pair: Pair, a: BtfComposite, b: BtfComposite, level: number): boolean {
  if (a.members.length > b.members.length) return false;
  pair.budget.spend(a.members.length + b.members.length);
  const byName = new Map<string, number[]>();
  for (const { name, type } of b.members) {
    const essential = essentialName(name);
    const types = byName.get(essential);
    if (types === undefined) byName.set(essential, [type]);
    else types.push(type);
  }
  return a.members.every(({ name, type }) =>
    byName.get(essentialName(name))?.some((targetType) => matches(pair, type, targetType, false, level - 1)),
  );
}

function tooDeep() {
  return coreError(`its types nest deeper than ${MAX_LEVEL} levels`);
}
