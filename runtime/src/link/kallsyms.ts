import { BpfError, printable } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import { nearest } from './nearest.js';
import { readText } from './text.js';

/** What `/proc/kallsyms` says of a function. */
export interface SymbolFacts {
  /** How many functions have exactly this name. */
  readonly count: number;
  /** Names the compiler derived from it: `do_foo.isra.0`, `do_foo.part.0`, `do_foo.constprop.0`. */
  readonly variants: readonly string[];
  /** Names like it; none when it or a variant is there. Takes a pass over every symbol. */
  near(): readonly string[];
}

/**
 * Looks a function up, `name` or `module:name`; undefined when the symbols cannot be read. Reads the whole table: for
 * failures only.
 */
export function lookUpSymbol(kernel: Kernel, name: string): SymbolFacts | undefined {
  const text = readText(kernel, '/proc/kallsyms');
  if (text === undefined || text === '') return undefined;
  const [module, bare] = splitModule(name);
  let count = 0;
  const variants = new Set<string>();
  for (const found of functionsIn(text, bare)) {
    if (found.name.startsWith(`${bare}.`)) variants.add(found.name);
    if (found.name === bare && (module === undefined || module === found.module)) count += 1;
  }
  const near = () => (count > 0 || variants.size > 0 ? [] : nearest(bare, namesIn(text)));
  return { count, variants: [...variants], near };
}

/** The functions whose names begin with `prefix`. */
export function functionsNamed(kernel: Kernel, prefix: string): readonly string[] {
  const text = readText(kernel, '/proc/kallsyms') ?? '';
  return Array.from(functionsIn(text, prefix), ({ name }) => name);
}

/** `nf_tables:nft_do_chain` in its parts. */
export function splitModule(name: string): [module: string | undefined, symbol: string] {
  const colon = name.indexOf(':');
  return colon < 0 ? [undefined, name] : [name.slice(0, colon), name.slice(colon + 1)];
}

/** Types of symbols that are functions: local, global, weak. */
const functionTypes = 'tTwW';

/** Functions whose names begin with `prefix`. Most lines are passed over without being looked at. */
function* functionsIn(text: string, prefix: string): Generator<{ name: string; module: string | undefined }> {
  for (let at = text.indexOf(` ${prefix}`); at >= 0; at = text.indexOf(` ${prefix}`, at + 1)) {
    // A type stands before the name, and a blank before the type.
    if (text[at - 2] !== ' ' || !functionTypes.includes(text[at - 1] ?? '?')) continue;
    const newline = text.indexOf('\n', at);
    const line = text.slice(at + 1, newline < 0 ? undefined : newline);
    const [name = '', owner] = line.split('\t', 2);
    yield { name, module: owner?.replace(/^\[|\]$/g, '') };
  }
}

/** Every function's name. */
function* namesIn(text: string): Generator<string> {
  for (const [, name = ''] of text.matchAll(/ [tTwW] (\S+)/g)) yield name;
}

/**
 * Addresses of the symbols called `names`, as far as the kernel has and shows them. Endings such as `.llvm.HASH`, which
 * Clang gives to data, do not count. Throws when two symbols of different addresses have the name (libbpf: kallsyms_cb).
 */
export function symbolAddresses(kernel: Kernel, names: ReadonlySet<string>): ReadonlyMap<string, bigint> {
  const text = readText(kernel, '/proc/kallsyms') ?? '';
  const found = new Map<string, bigint>();
  for (const name of names) {
    for (const address of addressesOf(text, name)) {
      const before = found.get(name);
      if (before !== undefined && before !== address) {
        throw new BpfError(
          'EINVAL',
          `resolve extern "${printable(name)}": this kernel has several symbols of that name`,
          { errno: 22 },
        );
      }
      found.set(name, address);
    }
  }
  return found;
}

/** The table has some 200,000 lines `ADDRESS TYPE NAME[\t[MODULE]]`, and few of them are asked for. */
function* addressesOf(text: string, name: string): Generator<bigint> {
  for (let at = text.indexOf(` ${name}`); at >= 0; at = text.indexOf(` ${name}`, at + 1)) {
    const end = at + 1 + name.length;
    const complete = end === text.length || '\n\t '.includes(text.charAt(end));
    const type = text.charAt(at - 1);
    if (!complete && !(type === 'd' && text.startsWith('.llvm.', end))) continue;
    const line = text.lastIndexOf('\n', at) + 1;
    const address = /^([0-9a-f]+) $/.exec(text.slice(line, at - 1))?.[1];
    if (address !== undefined) yield BigInt(`0x${address}`);
  }
}
