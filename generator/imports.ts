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

  /** What stands between the braces of the imports: specifiers, sorted, on as many lines as they need. */
  specifiers(): { readonly values: string; readonly types: string } {
    return { values: lines(specifiers(this.#values)), types: lines(specifiers(this.#types)) };
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

const LINE = 120;
const ALONE = 140;
const around = "import type {  } from '@bpfskel/runtime/codegen/v1';".length;

/** On the line of the import while they fit there; else on lines of their own, each as full as it gets. */
function lines(names: readonly string[]): string {
  const one = names.join(', ');
  if (one.length + around <= ALONE) return ` ${one} `;
  let text = '';
  let room = 0;
  for (const name of names) {
    const needs = name.length + 2;
    text += room < needs ? `\n  ${name},` : ` ${name},`;
    room = (room < needs ? LINE - 1 : room) - needs;
  }
  return `${text}\n`;
}
