import { BpfError, isBpfError } from './errors.js';
import type { Kernel } from './kernel/kernel.js';
import { linuxKernel } from './kernel/linux.js';
import { facts, readBinary } from './link/binary.js';
import { FileFunctions } from './link/file-functions.js';
import { KallsymsTable } from './link/kallsyms-table.js';
import { PerfMap } from './link/perf-map.js';
import { type MappedRegion, processMaps, processRoot } from './link/process-maps.js';
import { readText } from './link/text.js';

/** What is known of one address of a call stack. */
export interface Frame {
  readonly address: bigint;
  /** The function, as the compiler names it; undefined when it is not known. */
  readonly name: string | undefined;
  /** Bytes from the function's start; without a function, from the start of `module`. */
  readonly offset: number;
  /** The kernel module, or the path of the program or library. Undefined for the kernel itself, and for unknown memory. */
  readonly module: string | undefined;
}

/** Settings of {@link KernelSymbols} and {@link ProcessSymbols}. */
export interface SymbolsOptions {
  readonly kernel?: Kernel;
}

/**
 * The kernel's functions, for the addresses of kernel stacks: `new KernelSymbols().symbolize(address).name`. They are read
 * from `/proc/kallsyms` when the first address is asked for.
 */
export class KernelSymbols {
  readonly #kernel: Kernel;
  #table: KallsymsTable | undefined;

  constructor({ kernel = linuxKernel() }: SymbolsOptions = {}) {
    this.#kernel = kernel;
  }

  /**
   * The function that `address` lies in; a frame without a name for an address of none.
   * @throws BpfError when the kernel hides its addresses from this process, or has no table of symbols
   */
  symbolize(address: bigint): Frame {
    this.#table ??= readKallsyms(this.#kernel);
    return { address, ...(this.#table.find(address) ?? unknown) };
  }

  /** Reads the symbols again with the next address: modules and BPF programs come and go. */
  refresh(): void {
    this.#table = undefined;
  }
}

const unknown = { name: undefined, offset: 0, module: undefined } as const;

function readKallsyms(kernel: Kernel): KallsymsTable {
  const bytes = kernel.readFile('/proc/kallsyms');
  const table = new KallsymsTable(bytes ?? new Uint8Array(0));
  if (table.count > 0) return table;
  const head = "read the kernel's symbols";
  if (table.hidden === 0) {
    throw new BpfError('ENOENT', `${head}: /proc/kallsyms is missing or empty. It needs CONFIG_KALLSYMS=y`);
  }
  const restricted = readText(kernel, '/proc/sys/kernel/kptr_restrict')?.trim();
  const hint = 'Run as root, or give a private copy of node the capability: setcap cap_syslog+ep NODE';
  const why = restricted === undefined ? '' : ` (kernel.kptr_restrict is ${restricted})`;
  throw new BpfError('EPERM', `${head}: the kernel hides addresses from this process${why}. ${hint}`, {
    hint,
  });
}

/**
 * The functions of one process, for the addresses of its stacks: of its program and libraries, and those that a compiler
 * inside it lists in `/tmp/perf-PID.map` (`node --perf-basic-prof`). Tables are read when an address needs them, and shared
 * between processes of the same program. Names of C++ and Rust are as the compiler mangled them.
 */
export class ProcessSymbols {
  readonly pid: number;
  readonly #kernel: Kernel;
  readonly #files = new Map<string, FileFunctions | undefined>();
  #regions: readonly MappedRegion[] | undefined;
  #compiled: PerfMap | undefined;

  /** @param pid the process, by its id here */
  constructor(pid: number, { kernel = linuxKernel() }: SymbolsOptions = {}) {
    this.pid = pid;
    this.#kernel = kernel;
  }

  /**
   * The function that `address` lies in; a frame without a name where that is not known: stripped files, memory of no file,
   * a process that has ended or is not ours to look at.
   */
  symbolize(address: bigint): Frame {
    this.#regions ??= (processMaps(this.#kernel, this.pid) ?? []).filter(({ executable }) => executable);
    const region = this.#regions.find(({ start, end }) => address >= start && address < end);
    if (region === undefined) return { address, ...unknown };
    if (!region.path.startsWith('/')) return { address, ...this.#inMemory(region, address) };
    const offset = Number(address - region.start + region.offset);
    const functions = this.#functionsOf(region);
    const found = functions?.find(offset);
    const place = found ?? { name: undefined, offset: functions?.addressOf(offset) ?? offset };
    return { address, ...place, module: region.path };
  }

  /** Looks at the process again with the next address: libraries may have been loaded, functions compiled. */
  refresh(): void {
    this.#regions = undefined;
    this.#compiled = undefined;
  }

  #inMemory(region: MappedRegion, address: bigint): Omit<Frame, 'address'> {
    const module = region.path === '' ? undefined : region.path;
    this.#compiled ??= readPerfMap(this.#kernel, this.pid);
    const found = this.#compiled.find(address);
    return found ? { ...found, module } : { ...unknown, offset: Number(address - region.start), module };
  }

  #functionsOf(region: MappedRegion): FileFunctions | undefined {
    const path = this.#pathOf(region);
    if (!this.#files.has(path)) this.#files.set(path, sharedFunctions(this.#kernel, path));
    return this.#files.get(path);
  }

  /** A file that was replaced or removed is still to be had where it is mapped. */
  #pathOf({ path, deleted, start, end }: MappedRegion): string {
    if (!deleted) return processRoot(this.#kernel, this.pid) + path;
    return `/proc/${this.pid}/map_files/${start.toString(16)}-${end.toString(16)}`;
  }
}

/** Tables in use, by file: many processes have the same libraries. */
const shared = new WeakMap<Kernel, Map<string, WeakRef<FileFunctions>>>();

function sharedFunctions(kernel: Kernel, path: string): FileFunctions | undefined {
  const known = shared.get(kernel) ?? new Map<string, WeakRef<FileFunctions>>();
  shared.set(kernel, known);
  const about = facts(kernel, path);
  if (about === undefined) return undefined;
  const key = `${about.inode} ${about.size} ${about.realPath}`;
  const before = known.get(key)?.deref();
  if (before !== undefined) return before;
  const functions = readFunctions(kernel, path);
  for (const [other, table] of known) if (table.deref() === undefined) known.delete(other);
  if (functions !== undefined) known.set(key, new WeakRef(functions));
  return functions;
}

/** Undefined for what is no ELF file, or a broken one: a stack is shown without its names then. */
function readFunctions(kernel: Kernel, path: string): FileFunctions | undefined {
  try {
    return readBinary(kernel, { path, shown: path }, (elf) => new FileFunctions(elf));
  } catch (error) {
    if (!isBpfError(error)) throw error;
    return undefined;
  }
}

/** Bytes; a larger list is not one of functions. */
const MOST_PERF_MAP = 1 << 28;

function readPerfMap(kernel: Kernel, pid: number): PerfMap {
  // In a container the process knows itself by another id.
  const status = readText(kernel, `/proc/${pid}/status`) ?? '';
  const own = /^NSpid:.*?(\d+)$/m.exec(status)?.[1] ?? String(pid);
  const path = `${processRoot(kernel, pid)}/tmp/perf-${own}.map`;
  const about = facts(kernel, path);
  const usable = about?.kind === 'file' && about.size <= MOST_PERF_MAP;
  return new PerfMap(usable ? (readText(kernel, path) ?? '') : '');
}
