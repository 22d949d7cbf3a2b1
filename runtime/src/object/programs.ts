import type { Btf } from '../btf/btf.js';
import { infoBetween, type LineInfo, type SectionInfo } from '../btf/ext.js';
import { type Elf, type ElfSection, type ElfSymbol, SymbolBinding, SymbolType } from '../elf.js';
import { BpfError, MalformedError, printable } from '../errors.js';
import { INSN_SIZE } from '../insn.js';
import { type ObjectSections, TEXT } from './sections.js';
import type { FunctionSpec, ProgramSpec, Relocation } from './spec.js';

/** A function while its relocations are being found. */
export interface Unit {
  readonly spec: FunctionSpec | ProgramSpec;
  readonly relocations: Relocation[];
  readonly section: number;
  /** First instruction and one past the last, counted from the start of the section. */
  readonly first: number;
  readonly end: number;
  readonly program: boolean;
}

/** The functions of an object, by section and in order of offset. */
export interface Units {
  readonly all: readonly Unit[];
  /** The function that holds instruction `insn` of a section, if one does. */
  at(section: number, insn: number): Unit | undefined;
}

/** How many functions may share an instruction: aliases do. */
const MAX_ALIASES = 16;

/**
 * Finds every function by its symbol. Global functions outside `.text` are programs; the rest are subprograms. Goes
 * further than libbpf, which refuses static functions beside programs (bpf_object__add_programs).
 */
export function readFunctions(
  elf: Elf,
  sections: ObjectSections,
  btf: Btf | undefined,
  ext: ReadonlyMap<string, SectionInfo>,
): Units {
  const callbacks = exceptionCallbacks(btf);
  const code = new Map(sections.code.map((section) => [section.index, section]));
  const bySection = new Map<number, Unit[]>();
  for (const symbol of elf.symbols) {
    const section = symbol.type === SymbolType.FUNC ? code.get(symbol.section) : undefined;
    if (section === undefined) continue;
    const units = bySection.get(section.index) ?? [];
    if (units.push(makeUnit(section, symbol, callbacks)) === 1) bySection.set(section.index, units);
  }
  const lists = sections.code.map((section) => {
    const units = bySection.get(section.index)?.sort((a, b) => a.first - b.first) ?? [];
    refuseManyAliases(section, units);
    const info = ext.get(section.name);
    if (info !== undefined) for (const unit of units) assignInfo(unit, info);
    return units;
  });
  const all = lists.flat();
  refuseDuplicates(all);
  return { all, at: (section, insn) => unitAt(bySection.get(section) ?? [], insn) };
}

function makeUnit(section: ElfSection, symbol: ElfSymbol, callbacks: ReadonlyMap<string, string>): Unit {
  const { name, value, size } = symbol;
  if (size === 0 || size % INSN_SIZE !== 0 || value % INSN_SIZE !== 0 || value + size > section.size) {
    throw new MalformedError(
      section.name,
      value,
      `function "${printable(name)}" of ${size} bytes is not a run of instructions inside the ${section.size} bytes there are`,
    );
  }
  const relocations: Relocation[] = [];
  const global = symbol.binding !== SymbolBinding.LOCAL;
  const program = global && section.name !== TEXT;
  const callback = callbacks.get(name);
  const body: FunctionSpec = {
    name,
    section: section.name,
    offset: value,
    insns: section.data.subarray(value, value + size),
    linkage: global ? 'global' : 'static',
    hidden: symbol.hidden,
    weak: symbol.binding === SymbolBinding.WEAK,
    relocations,
    funcInfo: [],
    lineInfo: [],
    coreRelocations: [],
  };
  const optional = section.name.startsWith('?');
  const entry = {
    sec: optional ? section.name.slice(1) : section.name,
    autoload: !optional,
    ...(callback !== undefined && { exceptionCallback: callback }),
  };
  const spec = program ? { ...body, ...entry } : body;
  const first = value / INSN_SIZE;
  return { spec, relocations, section: section.index, first, end: first + size / INSN_SIZE, program };
}

/** Source lines are made into objects when somebody asks for them: a large program has tens of thousands. */
function assignInfo(unit: Unit, info: SectionInfo): void {
  const { funcs, lines, core } = infoBetween(info, unit.first, unit.end);
  let made: LineInfo[] | undefined;
  Object.defineProperty(unit.spec, 'lineInfo', {
    enumerable: true,
    get: () => {
      made ??= lines();
      return made;
    },
  });
  Object.assign(unit.spec, { funcInfo: funcs, coreRelocations: core });
}

/** `decl_tag("exception_callback:NAME")` on a program; one that has two gets none, and the verifier's word on it. */
function exceptionCallbacks(btf: Btf | undefined): Map<string, string> {
  const prefix = 'exception_callback:';
  const callbacks = new Map<string, string>();
  const twice = new Set<string>();
  for (const id of btf?.findPrefix(prefix, 'decl_tag') ?? []) {
    const tag = btf?.type(id);
    if (btf === undefined || tag?.kind !== 'decl_tag' || tag.component !== -1) continue;
    if (btf.kind(tag.type) !== 'func') continue;
    const program = btf.name(tag.type);
    if (callbacks.has(program)) twice.add(program);
    callbacks.set(program, tag.name.slice(prefix.length));
  }
  for (const program of twice) callbacks.delete(program);
  return callbacks;
}

/** A file of many functions over the same bytes could keep us busy for ever. */
function refuseManyAliases(section: ElfSection, units: readonly Unit[]): void {
  const starts = units.map(({ first }) => first);
  const ends = units.map(({ end }) => end).sort((a, b) => a - b);
  let closed = 0;
  starts.forEach((start, i) => {
    while ((ends[closed] ?? start + 1) <= start) closed++;
    if (i + 1 - closed > MAX_ALIASES) {
      throw new MalformedError(section.name, start * INSN_SIZE, `more than ${MAX_ALIASES} functions overlap`);
    }
  });
}

function refuseDuplicates(units: readonly Unit[]): void {
  const names = new Set<string>();
  for (const { program, spec } of units) {
    if (!program) continue;
    if (names.has(spec.name)) {
      throw new BpfError('ERR_BPF_MALFORMED', `the object has two programs "${printable(spec.name)}"`);
    }
    names.add(spec.name);
  }
}

/** The last function that starts at or before `insn` and holds it: where libbpf's binary search ends. */
function unitAt(units: readonly Unit[], insn: number): Unit | undefined {
  let low = 0;
  let high = units.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((units[middle]?.first ?? 0) <= insn) low = middle + 1;
    else high = middle;
  }
  const unit = units[low - 1];
  return unit !== undefined && insn < unit.end ? unit : undefined;
}
