import { Btf } from '../btf/btf.js';
import type { BtfDatasec, BtfVar } from '../btf/types.js';
import { type Elf, type ElfSymbol, SymbolBinding, SymbolType } from '../elf.js';
import { BpfError, MalformedError, printable } from '../errors.js';
import { kconfigSize } from './externs.js';
import type { ExternSpec } from './spec.js';

const STATIC = 0;
const GLOBAL = 1;

/**
 * Completes what clang leaves to the linker in BTF: sizes of sections, offsets of variables in them, linkage of hidden
 * variables (static), and the layout of `.kconfig`; variables come out in order of offset. Returns new BTF over a copy
 * of the bytes. libbpf: bpf_object_fixup_btf, bpf_object__collect_externs.
 */
export function completeDatasecs(elf: Elf, btf: Btf, externs: readonly ExternSpec[]): Btf {
  const patch = new Patch(btf);
  const symbols = dataSymbols(elf);
  const sizes = new Map<string, number>();
  for (const { name, size } of elf.sections) if (!sizes.has(name)) sizes.set(name, size);
  const kconfig = new Map(externs.filter(({ kind }) => kind === 'kconfig').map((spec) => [spec.btfId, spec]));
  const kconfigBytes = kconfigSize(externs);
  for (let id = btf.firstId; id < btf.endId; id++) {
    if (btf.kind(id) !== 'datasec') continue;
    const section = btf.type(id);
    if (section.kind !== 'datasec') continue;
    if (section.name === '.kconfig') {
      if (kconfig.size > 0) completeKconfig(patch, section, kconfig, kconfigBytes);
    } else if (section.name !== '.ksyms') {
      completeData(patch, section, sizes, symbols);
    }
  }
  return Btf.parse(patch.bytes, { label: btf.label });
}

/** Writes into a copy of BTF's bytes. */
class Patch {
  readonly btf: Btf;
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(btf: Btf) {
    this.btf = btf;
    this.bytes = btf.bytes.slice();
    this.#view = new DataView(this.bytes.buffer);
  }

  linkage(variable: BtfVar, linkage: number): void {
    this.#set(this.btf.recordOffset(variable.id) + 12, linkage);
  }

  datasec(section: BtfDatasec, size: number, vars: BtfDatasec['vars']): void {
    const at = this.btf.recordOffset(section.id);
    this.#set(at + 8, size);
    [...vars]
      .sort((a, b) => a.offset - b.offset)
      .forEach(({ type, offset, size }, i) => {
        this.#set(at + 12 + i * 12, type);
        this.#set(at + 16 + i * 12, offset);
        this.#set(at + 20 + i * 12, size);
      });
  }

  #set(at: number, value: number): void {
    this.#view.setUint32(at, value, this.btf.littleEndian);
  }
}

function completeData(
  patch: Patch,
  section: BtfDatasec,
  sizes: ReadonlyMap<string, number>,
  symbols: ReadonlyMap<string, ElfSymbol>,
): void {
  // What bpftool has linked is complete already.
  const incomplete = section.size === 0;
  const size = incomplete ? elfSize(sizes, section) : section.size;
  const vars = section.vars.map((entry) => {
    const variable = variableOf(patch.btf, section, entry.type);
    if (variable.linkage !== 'global') return entry;
    const symbol = symbols.get(variable.name);
    if (symbol === undefined) {
      throw refuse(`variable "${printable(variable.name)}" of "${printable(section.name)}" has no symbol`);
    }
    if (symbol.hidden) patch.linkage(variable, STATIC);
    return incomplete ? { ...entry, offset: Math.min(symbol.value, 0xffffffff) } : entry;
  });
  patch.datasec(section, size, vars);
}

function completeKconfig(
  patch: Patch,
  section: BtfDatasec,
  externs: ReadonlyMap<number, ExternSpec>,
  size: number,
): void {
  const vars = section.vars.map((entry) => {
    const variable = variableOf(patch.btf, section, entry.type);
    const spec = externs.get(entry.type);
    if (spec === undefined) {
      throw refuse(
        `variable "${printable(variable.name)}" of ".kconfig" is no undefined symbol of the object`,
      );
    }
    patch.linkage(variable, GLOBAL);
    return { ...entry, offset: spec.dataOffset };
  });
  patch.datasec(section, size, vars);
}

function variableOf(btf: Btf, section: BtfDatasec, id: number): BtfVar {
  const type = btf.type(id);
  if (type.kind !== 'var') {
    throw btf.malformed(
      section.id,
      `section "${printable(section.name)}" holds a ${type.kind} among its variables`,
    );
  }
  return type;
}

function elfSize(sizes: ReadonlyMap<string, number>, { name }: BtfDatasec): number {
  const size = sizes.get(name) ?? 0;
  if (size === 0) throw refuse(`BTF describes section "${printable(name)}", which is missing or empty`);
  if (size > 0xffffffff)
    throw new MalformedError(name, 0, `${size} bytes are too many for a section with variables`);
  return size;
}

function dataSymbols(elf: Elf): Map<string, ElfSymbol> {
  const symbols = new Map<string, ElfSymbol>();
  for (const symbol of elf.symbols) {
    if (symbol.type !== SymbolType.OBJECT) continue;
    if (symbol.binding !== SymbolBinding.GLOBAL && symbol.binding !== SymbolBinding.WEAK) continue;
    if (!symbols.has(symbol.name)) symbols.set(symbol.name, symbol);
  }
  return symbols;
}

function refuse(message: string): BpfError {
  return new BpfError('ERR_BPF_MALFORMED', message, { errno: 2 });
}
