import type { Btf } from '../btf/btf.js';
import type { BtfFunc, BtfVar } from '../btf/types.js';
import { alignUp } from '../bytes.js';
import { type Elf, SymbolBinding } from '../elf.js';
import { BpfError, MalformedError, NotSupportedError, printable } from '../errors.js';
import type { ExternSpec } from './spec.js';

const ENOENT = 2;
const ESRCH = 3;
const EINVAL = 22;
const EOPNOTSUPP = 95;

/** The externs of an object, and which symbol stands for which. */
export interface Externs {
  readonly specs: readonly ExternSpec[];
  /** Index into {@link specs} by index of the symbol. */
  readonly bySymbol: ReadonlyMap<number, number>;
}

/**
 * Undefined symbols and what BTF says of them, in libbpf's order: kconfig values by falling alignment, then size, then
 * name, which is how they lie in `.kconfig`; kernel symbols by name (bpf_object__collect_externs).
 */
export function collectExterns(elf: Elf, btf: Btf | undefined): Externs {
  const index = new Lazy(() => (btf === undefined ? undefined : new ExternIndex(btf)));
  const found: { symbol: number; spec: ExternSpec }[] = [];
  elf.symbols.forEach((symbol, number) => {
    if (!symbol.undefinedExtern || symbol.name === '') return;
    const known = index.get();
    if (btf === undefined || known === undefined) throw withoutBtf(symbol.name);
    const type = known.declaration(symbol.name);
    const weak = symbol.binding === SymbolBinding.WEAK;
    found.push({ symbol: number, spec: describe(btf, type, known.section(type), weak) });
  });
  found.sort((a, b) => order(a.spec, b.spec));
  return {
    specs: placeKconfig(found.map(({ spec }) => spec)),
    bySymbol: new Map(found.map(({ symbol }, i) => [symbol, i])),
  };
}

/** Bytes of `.kconfig`; 0 when the object has none. */
export function kconfigSize(externs: readonly ExternSpec[]): number {
  const last = externs.findLast(({ kind }) => kind === 'kconfig');
  return last === undefined ? 0 : last.dataOffset + last.size;
}

class Lazy<T> {
  readonly #make: () => T;
  #value: { it: T } | undefined;
  constructor(make: () => T) {
    this.#make = make;
  }
  get(): T {
    this.#value ??= { it: this.#make() };
    return this.#value.it;
  }
}

/** Declarations by name and the DATASECs they are in; built once, as objects may have many externs. */
class ExternIndex {
  readonly #btf: Btf;
  readonly #byName = new Map<string, number>();
  readonly #sections = new Map<number, string>();

  constructor(btf: Btf) {
    this.#btf = btf;
    for (let id = btf.firstId; id < btf.endId; id++) {
      const kind = btf.kind(id);
      if (kind === 'var' || kind === 'func') {
        const name = btf.name(id);
        if (!this.#byName.has(name)) this.#byName.set(name, id);
      } else if (kind === 'datasec') {
        const section = btf.type(id);
        if (section.kind !== 'datasec') continue;
        for (const { type } of section.vars)
          if (!this.#sections.has(type)) this.#sections.set(type, section.name);
      }
    }
  }

  declaration(name: string): BtfVar | BtfFunc {
    const id = this.#byName.get(name);
    const type = id === undefined ? undefined : this.#btf.type(id);
    if (type?.kind !== 'var' && type?.kind !== 'func') {
      throw refuse(ENOENT, `extern "${printable(name)}" has no declaration in BTF`);
    }
    if (type.linkage !== 'extern') {
      throw refuse(EINVAL, `extern "${printable(name)}" is declared ${type.linkage} in BTF`);
    }
    return type;
  }

  section(type: BtfVar | BtfFunc): string {
    const section = this.#sections.get(type.id);
    if (section === undefined) {
      throw refuse(
        ENOENT,
        `"${printable(type.name)}" is declared but not defined, and is neither __kconfig nor __ksym; link the object that defines it with "bpftool gen object"`,
      );
    }
    return section;
  }
}

function describe(btf: Btf, type: BtfVar | BtfFunc, section: string, weak: boolean): ExternSpec {
  const common = { name: type.name, weak, btfId: type.id, typeId: type.type };
  if (section === '.kconfig') {
    if (type.kind === 'func') {
      throw unsupported(`extern function "${printable(type.name)}" cannot be __kconfig`);
    }
    checkKconfigType(btf, type);
    return {
      ...common,
      kind: 'kconfig',
      size: btf.sizeOf(type.type),
      align: btf.alignOf(type.type),
      dataOffset: 0,
    };
  }
  if (section !== '.ksyms') {
    throw unsupported(
      `"${printable(type.name)}" is extern in section "${printable(section)}"; only __kconfig and __ksym can be; link the object that defines it with "bpftool gen object"`,
    );
  }
  const kind =
    type.kind === 'func' ? 'kfunc' : btf.resolve(type.type).kind === 'void' ? 'ksym' : 'typed_ksym';
  return { ...common, kind, size: 0, align: 0, dataOffset: 0 };
}

/** What a kernel configuration value can be read into (libbpf: find_kcfg_type). */
function checkKconfigType(btf: Btf, variable: BtfVar): void {
  const type = btf.resolve(variable.type);
  const ok =
    type.kind === 'array'
      ? type.length > 0 && isKconfigChar(btf, type.element)
      : type.kind === 'int'
        ? type.bool
          ? type.size === 1
          : [1, 2, 4, 8].includes(type.size)
        : (type.kind === 'enum' ? type.size === 4 : type.kind === 'enum64') &&
          type.name === 'libbpf_tristate';
  if (!ok) {
    throw unsupported(
      `extern "${printable(variable.name)}" is __kconfig, but of a type no configuration value has; use bool, char, an integer, char[N] or enum libbpf_tristate`,
    );
  }
}

function isKconfigChar(btf: Btf, id: number): boolean {
  const type = btf.resolve(id);
  return type.kind === 'int' && type.size === 1 && !type.bool;
}

function order(a: ExternSpec, b: ExternSpec): number {
  const kconfig = Number(b.kind === 'kconfig') - Number(a.kind === 'kconfig');
  if (kconfig !== 0) return kconfig;
  if (a.kind === 'kconfig') {
    if (a.align !== b.align) return b.align - a.align;
    if (a.size !== b.size) return a.size - b.size;
  }
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

function placeKconfig(externs: readonly ExternSpec[]): ExternSpec[] {
  let end = 0;
  return externs.map((spec) => {
    if (spec.kind !== 'kconfig') return spec;
    const dataOffset = alignUp(end, spec.align);
    end = dataOffset + spec.size;
    if (end > 0x7fffffff) throw new MalformedError('.BTF', 0, '.kconfig has more bytes than a map can hold');
    return { ...spec, dataOffset };
  });
}

function withoutBtf(name: string): BpfError {
  return new BpfError(
    'ERR_BPF_NO_BTF',
    `the object has no BTF, and extern "${printable(name)}" needs it; compile with clang -g`,
    { errno: ESRCH },
  );
}

function refuse(errno: number, message: string): BpfError {
  return new BpfError('ERR_BPF_EXTERN', message, { errno });
}

function unsupported(message: string): NotSupportedError {
  return new NotSupportedError('externs', message, { errno: EOPNOTSUPP });
}
