import type { Kernel } from '../kernel/kernel.js';
import { globMatch } from './glob.js';
import { readText } from './text.js';
import { tracefsRoot } from './tracefs.js';

/** Functions that ftrace can hook, those a pattern matches. */
export interface TraceableFunctions {
  readonly names: readonly string[];
  readonly addresses: BigUint64Array;
}

/**
 * The functions the kernel can trace whose name matches a glob, with their addresses: from
 * `available_filter_functions_addrs` (Linux 6.5), before that from `available_filter_functions` and the symbols of the
 * same names. As libbpf's libbpf_available_kprobes_parse and libbpf_available_kallsyms_parse. Undefined when neither can
 * be read.
 */
export function traceableFunctions(kernel: Kernel, pattern: string): TraceableFunctions | undefined {
  const root = tracefsRoot(kernel);
  if (root === undefined) return undefined;
  const withAddresses = readText(kernel, `${root}/available_filter_functions_addrs`);
  if (withAddresses !== undefined) return fromAddresses(withAddresses, pattern);
  const text = readText(kernel, `${root}/available_filter_functions`);
  const symbols = text === undefined ? undefined : readText(kernel, '/proc/kallsyms');
  return text === undefined || symbols === undefined ? undefined : fromNames(text, symbols, pattern);
}

/** Lines `ADDRESS NAME[ [MODULE]]`. */
function fromAddresses(text: string, pattern: string): TraceableFunctions {
  const names: string[] = [];
  const addresses: bigint[] = [];
  for (const [address, name] of columns(text)) {
    if (name === undefined || !globMatch(name, pattern) || !isHex(address)) continue;
    names.push(name);
    addresses.push(BigInt(`0x${address}`));
  }
  return { names, addresses: BigUint64Array.from(addresses) };
}

/** Some kernels list a function without the `.llvm.HASH` that its symbol has. */
function fromNames(text: string, symbols: string, pattern: string): TraceableFunctions {
  const listed = new Set<string>();
  for (const [name] of columns(text)) if (globMatch(name, pattern)) listed.add(name);
  const names: string[] = [];
  const addresses: bigint[] = [];
  if (listed.size === 0) return { names, addresses: new BigUint64Array() };
  for (const [address, , name] of columns(symbols)) {
    if (name === undefined || !globMatch(name, pattern) || !isHex(address)) continue;
    if (!listed.has(name) && !listed.has(name.replace(/\.llvm\..*$/, ''))) continue;
    names.push(name);
    addresses.push(BigInt(`0x${address}`));
  }
  return { names, addresses: BigUint64Array.from(addresses) };
}

/** The first three words of every line: tables of the kernel have up to some 200,000 lines. */
function* columns(text: string): Generator<readonly [string, string | undefined, string | undefined]> {
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    const [first = '', second, third] = text.slice(start, end).split(/[ \t]/, 3);
    if (first !== '') yield [first, second, third];
    start = end + 1;
  }
}

function isHex(text: string): boolean {
  return /^[0-9a-f]{1,16}$/i.test(text);
}

/** False when ftrace lists functions, but not this one; undefined when it lists none. */
export function isTraceable(kernel: Kernel, symbol: string): boolean | undefined {
  const root = tracefsRoot(kernel);
  const text = root === undefined ? undefined : readText(kernel, `${root}/available_filter_functions`);
  if (text === undefined || text === '') return undefined;
  return text.startsWith(`${symbol}\n`) || text.startsWith(`${symbol} `)
    ? true
    : text.includes(`\n${symbol}\n`) || text.includes(`\n${symbol} `);
}
