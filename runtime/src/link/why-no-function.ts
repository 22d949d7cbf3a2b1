import { isBpfError, printable } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import type { Reason } from './attach-error.js';
import { type Binary, facts, readBinary, searchPath } from './binary.js';
import { buildId, debugPath } from './debug-file.js';
import type { ElfFile } from './elf-file.js';
import { FileSymbolType, type SymbolTable, symbolTables } from './elf-symbols.js';
import { readLinkage } from './elf-versions.js';
import { type FoundFunction, findFunction } from './find-function.js';
import { nearest } from './nearest.js';
import { processRoot } from './process-maps.js';

/** What was looked for in vain. */
export interface Missing {
  readonly kernel: Kernel;
  readonly elf: ElfFile;
  readonly binary: Binary;
  /** The process whose file system it is in. */
  readonly pid: number | undefined;
  readonly name: string;
}

/** Why a name is no function of a binary, as far as its symbols, and those of its libraries, tell. */
export function whyNoFunction(missing: Missing, found: Exclude<FoundFunction, { address: number }>): Reason {
  const name = printable(missing.name);
  const file = printable(missing.binary.shown);
  if (found !== undefined) {
    const places = found.ambiguous.map((one) => `${printable(one.name)} at 0x${one.offset.toString(16)}`);
    const versioned = found.ambiguous.some((one) => one.name.includes('@'));
    return {
      why: `${file} has several functions called ${name}: ${places.join(', ')}`,
      hint: versioned ? 'Name one with its version, or give its offset' : 'Give the offset of one',
    };
  }
  const { elf } = missing;
  const tables = symbolTables(elf);
  if (elf.sections.length === 0) {
    return {
      why: `${file} has no section table, so that nothing in it can be found by name`,
      hint: giveOffset,
    };
  }
  if (tables.length === 0) {
    return { why: `${file} is stripped: it has no symbols`, hint: giveOffset, ...installSymbols(elf) };
  }
  return whyNamedOtherwise(missing, tables) ?? whyAbsent(missing, tables);
}

const giveOffset = 'Give the place as an offset in the file, or probe a build with symbols';

/** Something has the name, but is no function here. */
function whyNamedOtherwise(missing: Missing, tables: readonly SymbolTable[]): Reason | undefined {
  const [base = '', version] = missing.name.split(/@@?/, 2);
  const name = printable(base);
  const file = printable(missing.binary.shown);
  const versions = new Set<string>();
  let import_: { library: string | undefined } | undefined;
  for (const [table, index] of named(tables, base)) {
    const own = table.version(index);
    if (table.imported(index)) {
      import_ ??= { library: own?.library };
      continue;
    }
    if (table.type(index) === FileSymbolType.IFUNC) {
      return {
        why: `${name} is an indirect function: ${file} decides when it starts which code that is`,
        ...near(base, tables, 'Probe what it may be: '),
      };
    }
    if (table.type(index) !== FileSymbolType.FUNC) {
      const offset = table.fileOffset(index);
      return {
        why: `${name} is in ${file}, but not as a function`,
        ...(offset === undefined ? {} : { hint: `If it is code, give its offset: 0x${offset.toString(16)}` }),
      };
    }
    versions.add(own === undefined ? table.name(index) : `${base}@${own.name}`);
  }
  if (version !== undefined && versions.size > 0) {
    const all = [...versions].slice(0, 8).map((each) => printable(each));
    return { why: `${file} has no ${printable(missing.name)}`, hint: `It has ${all.join(', ')}` };
  }
  return import_ === undefined ? undefined : whyImported(missing, base, import_.library);
}

function whyImported(missing: Missing, base: string, wanted: string | undefined): Reason {
  const { libraries, directories } = readLinkage(missing.elf);
  const order = [...new Set(wanted === undefined ? libraries : [wanted, ...libraries])];
  const owner = order.find((library) => definesFunction(missing, library, directories, base));
  const head = `${printable(base)} is imported by ${printable(missing.binary.shown)}`;
  if (owner !== undefined) {
    const shown = printable(owner);
    return { why: `${head}; it lives in ${shown}`, hint: `Probe that: binary: '${shown}'` };
  }
  const names = order.slice(0, 8).map((each) => printable(each));
  return {
    why: `${head}; it lives in another file`,
    ...(names.length > 0 ? { hint: `It is linked with ${names.join(', ')}` } : {}),
  };
}

function definesFunction(missing: Missing, library: string, first: readonly string[], name: string): boolean {
  const { kernel, binary, pid } = missing;
  const origin = binary.shown.slice(0, Math.max(0, binary.shown.lastIndexOf('/')));
  const own = first.map((each) => each.replace(/\$ORIGIN|\$\{ORIGIN\}/, origin));
  for (const directory of [...own, ...searchPath(kernel, true)]) {
    const shown = `${directory}/${library}`;
    const path = `${processRoot(kernel, pid)}${shown}`;
    if (facts(kernel, path)?.kind !== 'file') continue;
    try {
      return readBinary(
        kernel,
        { path, shown },
        (elf) =>
          findFunction(elf, name) !== undefined || [...named(symbolTables(elf), name)].some(isIndirect),
      );
    } catch (error) {
      // A library that cannot be read says nothing.
      if (!isBpfError(error)) throw error;
      return false;
    }
  }
  return false;
}

function isIndirect([table, index]: readonly [SymbolTable, number]): boolean {
  return table.type(index) === FileSymbolType.IFUNC && !table.imported(index);
}

/** Every symbol of a name, versions left aside. */
function* named(tables: readonly SymbolTable[], base: string): Generator<readonly [SymbolTable, number]> {
  for (const table of tables) {
    for (let index = 0; index < table.count; index++) {
      const name = table.name(index);
      if (name === base || name.startsWith(`${base}@`)) yield [table, index];
    }
  }
}

function whyAbsent(missing: Missing, tables: readonly SymbolTable[]): Reason {
  const { name, binary } = missing;
  const file = printable(binary.shown);
  const stripped = tables.every(({ dynamic }) => dynamic);
  const what = `${file} has no function ${printable(name)}`;
  return {
    why: stripped ? `${what} among those it exports, and is stripped of all others` : what,
    ...(stripped ? installSymbols(missing.elf) : {}),
    ...(cxxNames(name, tables) ?? near(name, tables, 'Similar names: ')),
  };
}

/** What to do where symbols come in a package of their own. */
function installSymbols(elf: ElfFile): { hint?: string } {
  const id = buildId(elf);
  return id === undefined ? {} : { hint: `Install its debugging symbols: ${debugPath(id)}` };
}

/** Functions of the file whose names are near, as a hint. */
function near(name: string, tables: readonly SymbolTable[], before: string): { hint?: string } {
  const names = nearest(name, functionNames(tables)).map((each) => printable(each));
  return names.length > 0 ? { hint: `${before}${names.join(', ')}` } : {};
}

/** `ns::Type::method` as C++ compilers write its parts: `2ns4Type6method`. */
function cxxNames(name: string, tables: readonly SymbolTable[]): { hint: string } | undefined {
  if (!name.includes('::') && !name.includes('(')) return undefined;
  const parts = name
    .replace(/\(.*$/, '')
    .split('::')
    .filter((part) => part !== '');
  const mangled = parts.map((part) => `${part.length}${part}`).join('');
  const found: string[] = [];
  for (const each of functionNames(tables)) {
    if (each.startsWith('_') && each.includes(mangled)) found.push(printable(each));
    if (found.length === 4) break;
  }
  const rule = 'C++ and Rust functions are found by the name that nm prints';
  return { hint: found.length > 0 ? `${rule}: ${found.join(', ')}` : rule };
}

function* functionNames(tables: readonly SymbolTable[]): Generator<string> {
  for (const table of tables) {
    for (let index = 0; index < table.count; index++) {
      if (table.type(index) === FileSymbolType.FUNC && !table.imported(index)) yield table.name(index);
    }
  }
}
