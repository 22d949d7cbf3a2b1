import type { Btf } from '../btf/btf.js';
import { type Elf, type ElfSymbol, eachRelocation, SHN_LORESERVE, SymbolType, sectionLabel } from '../elf.js';
import { BpfError, printable } from '../errors.js';
import { CALL, INSN_SIZE, Insns, LD_IMM64, PseudoCall, PseudoLoad } from '../insn.js';
import type { PlacedMap } from './btf-maps.js';
import type { Externs } from './externs.js';
import type { ObjectMaps } from './maps.js';
import type { Unit, Units } from './programs.js';
import type { ObjectSections } from './sections.js';
import type { FunctionSpec } from './spec.js';

/** What relocations refer to. */
export interface RelocationContext {
  readonly elf: Elf;
  readonly sections: ObjectSections;
  readonly btf: Btf | undefined;
  readonly units: Units;
  readonly maps: ObjectMaps;
  readonly externs: Externs;
}

/**
 * Fills in the relocations of every function, and returns the functions that `call` and `function` relocations index:
 * subprograms, then programs that are called by others (libbpf: bpf_program__record_reloc, bpf_object__reloc_code).
 */
export function relocateFunctions(context: RelocationContext): FunctionSpec[] {
  const resolver = new FunctionResolver(context);
  for (const section of context.sections.code) {
    let unit: Unit | undefined;
    for (const table of context.sections.relocations.get(section.index) ?? []) {
      eachRelocation(context.elf, table, (offset, symbol) => {
        if (offset % INSN_SIZE !== 0 || offset >= section.size) {
          throw refuse(
            `section "${printable(table.name)}" relocates byte ${offset}, where no instruction is`,
          );
        }
        const insn = offset / INSN_SIZE;
        if (unit === undefined || insn < unit.first || insn >= unit.end) {
          unit = context.units.at(section.index, insn);
        }
        // Instructions of no function belonged to a weak one that was overridden.
        if (unit !== undefined) resolver.record(unit, insn, symbol);
      });
    }
  }
  for (const unit of context.units.all) resolver.findCalls(unit);
  return resolver.functions;
}

/** The instructions of one section. */
interface Code {
  readonly insns: Insns;
  /** By instruction: 1 for those that have a relocation. */
  readonly relocated: Uint8Array;
}

function codeOf(bytes: Uint8Array, littleEndian: boolean): Code {
  const insns = new Insns(bytes, littleEndian);
  return { insns, relocated: new Uint8Array(insns.count) };
}

class FunctionResolver {
  readonly functions: FunctionSpec[];
  readonly #context: RelocationContext;
  readonly #index = new Map<Unit, number>();
  /** What symbols of maps have been found to mean, by their numbers: a large program names the same few again and again. */
  readonly #maps = new Map<number, number>();
  /** By section. */
  readonly #code: ReadonlyMap<number, Code>;

  constructor(context: RelocationContext) {
    this.#context = context;
    const { units, sections, elf } = context;
    const subprograms = units.all.filter(({ program }) => !program);
    this.functions = subprograms.map(({ spec }) => spec);
    for (const [i, unit] of subprograms.entries()) this.#index.set(unit, i);
    this.#code = new Map(sections.code.map(({ index, data }) => [index, codeOf(data, elf.littleEndian)]));
  }

  /** Takes down what an ELF relocation says of instruction `insn` of the function's section. */
  record(unit: Unit, insn: number, number: number): void {
    const { insns, relocated } = this.#codeOf(unit);
    const symbol = this.#context.elf.symbols[number];
    if (symbol === undefined) throw this.#refuse(unit, insn, `names symbol ${number}, which does not exist`);
    if (relocated[insn] === 1) throw this.#refuse(unit, insn, 'is relocated twice');
    relocated[insn] = 1;
    const code = insns.code(insn);
    const call = code === CALL;
    const load = code === LD_IMM64 && insn + 1 < unit.end;
    const known = load ? this.#maps.get(number) : undefined;
    if (known !== undefined) {
      unit.relocations.push({ kind: 'map', insn: insn - unit.first, map: known });
      return;
    }
    if (!call && !load) {
      throw this.#refuse(
        unit,
        insn,
        `refers to ${this.#describe(symbol)}, but is neither a call nor a 64-bit load`,
      );
    }
    if (symbol.undefinedExtern) this.#recordExtern(unit, insn, number, call);
    else if (call) this.#recordCall(unit, insn, symbol, insns);
    else this.#recordLoad(unit, insn, number, symbol, insns.imm(insn));
  }

  /** Calls inside one section have no ELF relocation. Puts the function's relocations in order. */
  findCalls(unit: Unit): void {
    const { insns, relocated } = this.#codeOf(unit);
    const bytes = unit.spec.insns;
    const sourceBits = this.#context.elf.littleEndian ? 0xf0 : 0x0f;
    for (const slot of slotsWithSource(LD_IMM64, sourceBits, bytes)) {
      const insn = unit.first + slot;
      if (insns.src(insn) === PseudoLoad.FUNC && relocated[insn] !== 1) {
        throw this.#refuse(
          unit,
          insn,
          'loads the address of a function, without a relocation that says which',
        );
      }
    }
    for (const slot of slotsWithSource(CALL, sourceBits, bytes)) {
      const insn = unit.first + slot;
      if (insns.src(insn) !== PseudoCall.SUBPROGRAM || relocated[insn] === 1) continue;
      if (insns.dst(insn) !== 0 || insns.off(insn) !== 0 || isSecondHalf(bytes, slot)) continue;
      this.#callOf(unit, insn, unit.section, insn + insns.imm(insn) + 1, 'call');
    }
    unit.relocations.sort((a, b) => a.insn - b.insn);
  }

  #recordExtern(unit: Unit, insn: number, symbol: number, call: boolean): void {
    const { bySymbol, specs } = this.#context.externs;
    const extern = bySymbol.get(symbol);
    const spec = extern === undefined ? undefined : specs[extern];
    if (extern === undefined || spec === undefined) {
      throw this.#refuse(unit, insn, `refers to symbol ${symbol}, which is nowhere declared`);
    }
    if (call && spec.kind !== 'kfunc') {
      throw this.#refuse(unit, insn, `calls "${printable(spec.name)}", which is no function`);
    }
    unit.relocations.push({ kind: call ? 'kfunc' : 'extern', insn: insn - unit.first, extern });
  }

  /** A global function is called by its symbol and imm -1, a static one by the section's symbol and its place in imm. */
  #recordCall(unit: Unit, insn: number, symbol: ElfSymbol, insns: Insns): void {
    if (insns.src(insn) !== PseudoCall.SUBPROGRAM) {
      throw this.#refuse(unit, insn, `calls ${this.#describe(symbol)} as if it were a helper`);
    }
    if (symbol.value % INSN_SIZE !== 0) {
      throw this.#refuse(unit, insn, `calls ${this.#describe(symbol)}, which is inside an instruction`);
    }
    this.#callOf(unit, insn, symbol.section, symbol.value / INSN_SIZE + insns.imm(insn) + 1, 'call');
  }

  #recordLoad(unit: Unit, insn: number, number: number, symbol: ElfSymbol, addend: number): void {
    const { maps, elf } = this.#context;
    const at = insn - unit.first;
    if (symbol.section === 0 || symbol.section >= SHN_LORESERVE) {
      throw this.#refuse(
        unit,
        insn,
        `refers to ${this.#describe(symbol)}, which is in no section; was a global not initialised?`,
      );
    }
    if (this.#code.has(symbol.section) && isFunction(symbol)) {
      const byte = symbol.value + addend;
      if (byte % INSN_SIZE !== 0) {
        throw this.#refuse(
          unit,
          insn,
          `refers to byte ${byte} of "${sectionLabel(elf, symbol.section)}", inside an instruction`,
        );
      }
      this.#callOf(unit, insn, symbol.section, byte / INSN_SIZE, 'function');
      return;
    }
    const data = maps.bySection.get(symbol.section);
    if (data !== undefined) {
      unit.relocations.push({ kind: 'data', insn: at, map: data, offset: symbol.value + addend });
      return;
    }
    const declared = maps.declared.get(symbol.section);
    if (declared === undefined) {
      throw this.#refuse(
        unit,
        insn,
        `refers to ${this.#describe(symbol)}, which is neither a map nor global data`,
      );
    }
    // libbpf knows a map by its symbol; for a static one the section's symbol stands there, and the place in imm.
    const offset = symbol.value + (symbol.type === SymbolType.SECTION ? addend : 0);
    const index = indexAtOffset(declared.maps, offset);
    if (index === undefined) {
      throw this.#refuse(
        unit,
        insn,
        `refers to byte ${offset} of "${sectionLabel(elf, symbol.section)}", where no map begins`,
      );
    }
    const map = declared.first + index;
    if (symbol.type !== SymbolType.SECTION) this.#maps.set(number, map);
    unit.relocations.push({ kind: 'map', insn: at, map });
  }

  #callOf(unit: Unit, insn: number, section: number, target: number, kind: 'call' | 'function'): void {
    const callee = this.#context.units.at(section, target);
    if (callee === undefined || callee.first !== target) {
      const where = `instruction ${target} of "${sectionLabel(this.#context.elf, section)}"`;
      throw this.#refuse(unit, insn, `refers to ${where}, where no function begins`);
    }
    let index = this.#index.get(callee);
    if (index === undefined) {
      index = this.functions.length;
      this.#index.set(callee, index);
      this.functions.push(callee.spec);
    }
    unit.relocations.push({ kind, insn: insn - unit.first, function: index });
  }

  #codeOf(unit: Unit): Code {
    return this.#code.get(unit.section) ?? codeOf(new Uint8Array(), true);
  }

  #describe(symbol: ElfSymbol): string {
    const section = `"${sectionLabel(this.#context.elf, symbol.section)}"`;
    return symbol.name === '' ? `section ${section}` : `"${printable(symbol.name)}" in section ${section}`;
  }

  #refuse(unit: Unit, insn: number, what: string): BpfError {
    return refuse(`function "${printable(unit.spec.name)}": instruction ${insn - unit.first} ${what}`);
  }
}

/**
 * The slots whose code is `code` and whose source register is not 0, which only calls and loads of functions have. Programs
 * of a hundred thousand instructions exist: a search by V8's own code is done with them before a loop is compiled.
 */
function slotsWithSource(code: number, sourceBits: number, insns: Uint8Array): number[] {
  const slots: number[] = [];
  let half = -1;
  for (let at = insns.indexOf(code); at >= 0; at = insns.indexOf(code, at + 1)) {
    if (at % INSN_SIZE !== 0 || at === half) continue;
    if (code === LD_IMM64) half = at + INSN_SIZE;
    if (((insns[at + 1] ?? 0) & sourceBits) !== 0) slots.push(at / INSN_SIZE);
  }
  return slots;
}

/** Whether a slot that looks like something else belongs to a 64-bit load: behind an odd number of slots that look like one. */
function isSecondHalf(insns: Uint8Array, slot: number): boolean {
  let first = slot;
  while (first > 0 && insns[(first - 1) * INSN_SIZE] === LD_IMM64) first--;
  return (slot - first) % 2 === 1;
}

function isFunction({ type }: ElfSymbol): boolean {
  return type === SymbolType.FUNC || type === SymbolType.SECTION;
}

/** The first map that begins at `offset`; maps are in order of offset. */
function indexAtOffset(maps: readonly PlacedMap[], offset: number): number | undefined {
  let low = 0;
  let high = maps.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((maps[middle]?.offset ?? 0) < offset) low = middle + 1;
    else high = middle;
  }
  return maps[low]?.offset === offset ? low : undefined;
}

function refuse(message: string): BpfError {
  return new BpfError('ERR_BPF_RELOCATION', message, { errno: 22 });
}
