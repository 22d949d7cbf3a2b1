import type { Scope } from './names.js';

/** What a generated file takes from the runtime: exactly what it uses, renamed where C took the name first. */
export class Imports {
  readonly #scope: Scope;
  readonly #values = new Map<string, string>();
  readonly #types = new Map<string, string>();

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** The local name of a function or constant of the runtime. */
  value(name: string): string {
    return this.#use(this.#values, name);
  }

  /** The local name of a type of the runtime. */
  type(name: string): string {
    return this.#use(this.#types, name);
  }

  /** Import specifiers, sorted. */
  specifiers(): { readonly values: readonly string[]; readonly types: readonly string[] } {
    return { values: specifiers(this.#values), types: specifiers(this.#types) };
  }

  #use(names: Map<string, string>, name: string): string {
    const local = names.get(name) ?? this.#scope.claim(name);
    names.set(name, local);
    return local;
  }
}

function specifiers(names: ReadonlyMap<string, string>): string[] {
  return [...names]
    .map(([name, local]) => (name === local ? name : `${name} as ${local}`))
    .sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}
