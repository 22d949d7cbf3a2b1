import type { Btf } from '../btf/btf.js';
import type { BtfKind } from '../btf/types.js';
import { Budget } from './budget.js';
import { sameKind } from './compat.js';
import { NameIndex } from './name-index.js';
import { essentialName } from './names.js';
import type { Resolution } from './resolution.js';

/** A type of the kernel that may be the one an object means. */
export interface Candidate {
  readonly btf: Btf;
  readonly id: number;
}

/** What one object's relocations found out so far. */
export interface ObjectState {
  /** By root type in the object; shrinks as candidates turn out not to fit (libbpf does the same). */
  readonly candidates: Map<number, readonly Candidate[]>;
  /** By root type, kind and access string. */
  readonly resolutions: Map<string, Resolution>;
}

/**
 * The types that CO-RE relocates against: a kernel's and, where it lacks a type, its modules'. Make one for each load:
 * earlier relocations of an object narrow what later ones may find. Nothing is read before a relocation needs it.
 */
export class CoreTarget {
  /** What all relocations against this target may cost together. */
  readonly budget = new Budget();
  readonly #main: () => Btf;
  readonly #modules: () => readonly Btf[];
  readonly #wanted = new Set<string>();
  readonly #objects = new WeakMap<Btf, ObjectState>();
  #mainBtf: Btf | undefined;
  #moduleBtfs: readonly Btf[] | undefined;

  /**
   * @param main the kernel's BTF, or how to get it when the first relocation asks
   * @param modules BTF of the modules, split on `main`; asked for when `main` lacks a type. Leave out with BTF that
   *   does not come from the running kernel.
   */
  constructor(main: Btf | (() => Btf), modules: () => readonly Btf[] = () => []) {
    this.#main = typeof main === 'function' ? main : () => main;
    this.#modules = modules;
  }

  /** Announces type names that will be looked up, so that one pass over the kernel's types finds all of them. */
  want(names: Iterable<string>): void {
    for (const name of names) this.#wanted.add(essentialName(name));
  }

  /** The types with the essential name of `name` and the same kind, in the order of their ids. */
  candidates(name: string, kind: BtfKind): readonly Candidate[] {
    this.#wanted.add(essentialName(name));
    this.#mainBtf ??= this.#main();
    const found = this.#search([this.#mainBtf], name, kind);
    if (found.length > 0) return found;
    this.#moduleBtfs ??= this.#modules();
    return this.#search(this.#moduleBtfs, name, kind);
  }

  /** What is known of the object with this BTF. */
  stateOf(local: Btf): ObjectState {
    let state = this.#objects.get(local);
    if (state === undefined) {
      state = { candidates: new Map(), resolutions: new Map() };
      this.#objects.set(local, state);
    }
    return state;
  }

  #search(btfs: readonly Btf[], name: string, kind: BtfKind): Candidate[] {
    const essential = essentialName(name);
    return btfs.flatMap((btf) =>
      NameIndex.of(btf)
        .ids(essential, this.#wanted)
        .filter((id) => sameKind(btf.kind(id), kind))
        .map((id) => ({ btf, id })),
    );
  }
}
