import type { ElfFile } from './elf-file.js';
import { FileSymbolBinding, FileSymbolType, type SymbolTable, symbolTablesOf } from './elf-symbols.js';
import { globMatch } from './glob.js';

/** A function found by name, or what stands against it. */
export type FoundFunction =
  | { readonly offset: number; readonly address: number }
  /** Several functions have the name; `names` with their versions where they have some. */
  | { readonly ambiguous: readonly { readonly offset: number; readonly name: string }[] }
  | undefined;

const AT = 0x40;

/** A name that is looked for: `open`, `open@GLIBC_2.2.5`, `open@@GLIBC_2.2.5`. */
interface Wanted {
  readonly text: string;
  /** The name without its version. */
  readonly base: Uint8Array;
  readonly version: string | undefined;
  readonly matches: { table: SymbolTable; index: number; offset: number; binding: number }[];
}

/**
 * Places of functions in a file, in the order of `names`, each `NAME`, `NAME@VERSION` or `NAME@@VERSION`. As libbpf's
 * elf_find_func_offset: dynamic symbols before the others, functions only, a symbol that is not weak before a weak one,
 * two places that are not weak are ambiguous. Unlike libbpf, a symbol of another file is never found, even when it has
 * the address of a jump to it.
 */
export function findFunctions(elf: ElfFile, names: readonly string[]): FoundFunction[] {
  const wanted = names.map(wantedOf);
  let open = wanted;
  for (const table of symbolTablesOf(elf, ['exported', 'all'])) {
    collect(table, open);
    open = open.filter(({ matches }) => matches.length === 0);
    if (open.length === 0) break;
  }
  return wanted.map(choose);
}

export function findFunction(elf: ElfFile, name: string): FoundFunction {
  return findFunctions(elf, [name])[0];
}

/** A function that a pattern matched. */
export interface MatchedFunction {
  readonly name: string;
  readonly offset: number;
}

/**
 * Every function whose name matches a glob, as libbpf's elf_resolve_pattern_offsets: of the table with all symbols, and
 * only where that has none that matches, of the exported ones. Unlike libbpf, functions of other files are left out, and
 * a place that has several names is there once: the program is to run once when it is called.
 */
export function matchFunctions(elf: ElfFile, pattern: string): readonly MatchedFunction[] {
  for (const table of symbolTablesOf(elf, ['all', 'exported'])) {
    const found = new Map<number, string>();
    for (let index = 0; index < table.count; index++) {
      if (table.type(index) !== FileSymbolType.FUNC) continue;
      const offset = table.fileOffset(index);
      if (offset === undefined || found.has(offset)) continue;
      const name = table.name(index);
      if (globMatch(name, pattern)) found.set(offset, name);
    }
    if (found.size > 0) return [...found].map(([offset, name]) => ({ name, offset }));
  }
  return [];
}

function wantedOf(text: string): Wanted {
  const at = text.indexOf('@');
  const base = new TextEncoder().encode(at < 0 ? text : text.slice(0, at));
  const version = at < 0 ? undefined : text.slice(at).replace(/^@@?/, '');
  return { text, base, version, matches: [] };
}

function collect(table: SymbolTable, wanted: readonly Wanted[]): void {
  const index = new NameIndex(wanted);
  for (let symbol = 0; symbol < table.count; symbol++) {
    if (table.type(symbol) !== FileSymbolType.FUNC) continue;
    for (const each of index.find(table.names, table.nameOffset(symbol))) {
      if (each.version !== undefined && !isVersion(table, symbol, each)) continue;
      const offset = table.fileOffset(symbol);
      if (offset === undefined) continue;
      each.matches.push({ table, index: symbol, offset, binding: table.binding(symbol) });
    }
  }
}

/** In the static table the version is a part of the name, and must be written the same way. */
function isVersion(table: SymbolTable, symbol: number, wanted: Wanted): boolean {
  return table.dynamic ? table.version(symbol)?.name === wanted.version : table.name(symbol) === wanted.text;
}

function choose({ matches }: Wanted): FoundFunction {
  const strong = matches.filter(({ binding }) => binding !== FileSymbolBinding.WEAK);
  const [first] = strong.length > 0 ? strong : matches;
  if (first === undefined) return undefined;
  const different = [...new Map(strong.map((match) => [match.offset, match])).values()];
  if (different.length < 2) {
    return { offset: first.offset, address: first.table.address(first.index) };
  }
  return {
    ambiguous: different.slice(0, 8).map(({ table, index, offset }) => {
      const version = table.version(index);
      return { offset, name: table.name(index) + (version === undefined ? '' : `@${version.name}`) };
    }),
  };
}

/** Finds which of some names stands at a place of a string table, up to its NUL or the `@` of a version. */
class NameIndex {
  readonly #byHash = new Map<number, Wanted[]>();
  readonly #longest: number;

  constructor(wanted: readonly Wanted[]) {
    this.#longest = wanted.reduce((most, { base }) => Math.max(most, base.length), 0);
    for (const each of wanted) {
      const hash = hashOf(each.base, 0, each.base.length);
      this.#byHash.set(hash, [...(this.#byHash.get(hash) ?? []), each]);
    }
  }

  find(names: Uint8Array, start: number): readonly Wanted[] {
    let end = start;
    const most = Math.min(names.length, start + this.#longest + 1);
    while (end < most && names[end] !== 0 && names[end] !== AT) end += 1;
    if (end === most) return [];
    const found = this.#byHash.get(hashOf(names, start, end));
    if (found === undefined) return [];
    return found.filter(
      ({ base }) => base.length === end - start && base.every((byte, index) => names[start + index] === byte),
    );
  }
}

/** FNV-1a. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let index = start; index < end; index++) hash = Math.imul(hash ^ (bytes[index] ?? 0), 0x01000193);
  return hash;
}
