import { BpfError, printable } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import type { Reason } from './attach-error.js';
import { isTraceable } from './ftrace.js';
import { nearest } from './nearest.js';
import { readText } from './text.js';

/** What `/proc/kallsyms` says of a function. */
export interface SymbolFacts {
  /** How many functions have exactly this name. */
  readonly count: number;
  /** Names the compiler derived from it: `do_foo.isra.0`, `do_foo.part.0`, `do_foo.constprop.0`. */
  readonly variants: readonly string[];
  readonly near: readonly string[];
}

/** Looks a function up; undefined when the symbols cannot be read. Reads the whole table: for failures only. */
export function lookUpSymbol(kernel: Kernel, name: string): SymbolFacts | undefined {
  const text = readText(kernel, '/proc/kallsyms');
  if (text === undefined || text === '') return undefined;
  const [module, bare] = splitModule(name);
  const functions: string[] = [];
  let count = 0;
  for (const [, symbol = '', owner] of text.matchAll(/^\S+ [tTwW] (\S+)(?:\s+\[(\S+)\])?$/gm)) {
    functions.push(symbol);
    if (symbol === bare && (module === undefined || module === owner)) count += 1;
  }
  const variants = [...new Set(functions)].filter((symbol) => symbol.startsWith(`${bare}.`));
  const near = count > 0 || variants.length > 0 ? [] : nearest(bare, functions);
  return { count, variants, near };
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

/** Why a function cannot be probed, from symbols, the list of traceable functions and the kprobe blacklist. */
export function whyNotProbed(kernel: Kernel, name: string): Reason | undefined {
  const facts = lookUpSymbol(kernel, name);
  if (facts === undefined) return undefined;
  const shown = printable(name);
  if (facts.count === 0) return whyAbsent(kernel, shown, facts);
  if (facts.count > 1) {
    return {
      why: `this kernel has ${facts.count} functions called ${shown}, and cannot tell which is meant`,
    };
  }
  if (isBlacklisted(kernel, name)) {
    return { why: `${shown} is on the kernel's kprobe blacklist: probing it could crash the machine` };
  }
  return isTraceable(kernel, splitModule(name)[1]) === false
    ? {
        why: `${shown} is in the kernel, but not traceable: it is marked notrace, or was compiled without a hook`,
        hint: 'Probe a function that calls it',
      }
    : undefined;
}

function whyAbsent(kernel: Kernel, shown: string, facts: SymbolFacts): Reason {
  if (facts.variants.length > 0) {
    return {
      why: `the compiler left no function ${shown} in this kernel, only ${facts.variants.slice(0, 4).join(', ')}`,
      hint: 'Probe that name; its arguments may differ',
    };
  }
  const module = splitModule(shown)[0];
  if (module !== undefined && kernel.listDirectory(`/sys/module/${module}`) === undefined) {
    return { why: `module ${module} is not loaded`, hint: `Load it: modprobe ${module}` };
  }
  return {
    why: `this kernel has no function ${shown}: it may be inlined, renamed, or in a module that is not loaded`,
    ...(facts.near.length > 0 ? { hint: `Similar names: ${facts.near.join(', ')}` } : {}),
  };
}

function isBlacklisted(kernel: Kernel, name: string): boolean {
  const text = readText(kernel, '/sys/kernel/debug/kprobes/blacklist') ?? '';
  return text.split('\n').some((line) => line.split(/\s+/)[1] === name);
}

function splitModule(name: string): [module: string | undefined, symbol: string] {
  const colon = name.indexOf(':');
  return colon < 0 ? [undefined, name] : [name.slice(0, colon), name.slice(colon + 1)];
}
