import type { Btf } from '../btf/btf.js';
import type { CoreRelocation, FuncInfo, LineInfo } from '../btf/ext.js';

/**
 * A BPF object file as plain data: what it declares, nothing about any kernel. Made by `parseObject`, the same on
 * every system. Corresponds to libbpf's `struct bpf_object` right after open.
 */
export interface ObjectSpec {
  readonly byteOrder: 'little' | 'big';
  /** From the `license` section; empty when there is none (as libbpf, which does not guess). */
  readonly license: string;
  /** From the `version` section, 0 when absent. */
  readonly kernelVersion: number;
  /** Absent when the object was compiled without `-g`. DATASEC sizes and offsets are already filled in. */
  readonly btf?: Btf;
  /** In libbpf's order: internal maps (`.data`, `.rodata`, `.bss`, ...) stand where libbpf puts them. */
  readonly maps: readonly MapSpec[];
  /** Entry programs in section, then offset order. */
  readonly programs: readonly ProgramSpec[];
  /**
   * Subprograms of `.text` and of sections that hold them, then programs that others call (the same objects as in
   * `programs`); reached through `call` and `function` relocations.
   */
  readonly functions: readonly FunctionSpec[];
  /** Undefined symbols: kconfig values, kernel symbols, kfuncs. */
  readonly externs: readonly ExternSpec[];
  /** Things a person should know and that are not errors, as sentences. */
  readonly warnings: readonly string[];
}

/** One map as declared. Sizes are bytes, as they stand before load rounds anything. */
export interface MapSpec {
  /** The C variable's name, or the section's (`.rodata`, `.bss`, `.data.foo`) for global data. */
  readonly name: string;
  /** `enum bpf_map_type`. */
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  /** BPF_F_* as declared. */
  readonly flags: number;
  readonly mapExtra: bigint;
  readonly numaNode: number;
  /** `LIBBPF_PIN_BY_NAME`. */
  readonly pinByName: boolean;
  /** BTF ids of key and value; 0 when the declaration gives only sizes, or none. */
  readonly keyTypeId: number;
  readonly valueTypeId: number;
  /** What libbpf declares through `values`: the inner map's shape. */
  readonly inner?: MapSpec;
  /** Static initialisers: slot -> map name (map-in-map) or program name (prog array, struct_ops: slot is the member's index). */
  readonly slots: readonly {
    readonly index: number;
    readonly kind: 'map' | 'program';
    readonly name: string;
  }[];
  /** Present for global data, kconfig and struct_ops: what the section holds. */
  readonly section?: DataSection;
  /** `SEC(".maps")`, legacy `SEC("maps")`, global data, a struct_ops variable, or an arena that holds global data. */
  readonly origin: 'btf' | 'legacy' | 'data' | 'kconfig' | 'struct_ops' | 'arena';
  /** False for `?.struct_ops` maps. */
  readonly autocreate: boolean;
}

/** Contents of a global data section. */
export interface DataSection {
  readonly name: string;
  readonly kind: 'data' | 'rodata' | 'bss' | 'kconfig' | 'struct_ops' | 'arena';
  /** Initial bytes; zeros for `.bss` and `.kconfig`. */
  readonly bytes: Uint8Array;
  /** The BTF DATASEC, 0 when the section has none (string literals, constants pools). */
  readonly typeId: number;
  readonly variables: readonly VariableSpec[];
  /** True when libbpf would make the map BPF_F_MMAPABLE. */
  readonly mmapable: boolean;
}

export interface VariableSpec {
  readonly name: string;
  readonly typeId: number;
  /** Bytes from the start of the section. */ readonly offset: number;
  readonly size: number;
  readonly linkage: 'static' | 'global' | 'extern';
}

/** A run of instructions with a name: a program's body or a subprogram. */
export interface FunctionSpec {
  readonly name: string;
  readonly section: string;
  /** First instruction, in bytes from the start of `section`. */
  readonly offset: number;
  /** Raw `struct bpf_insn`s, in the object's byte order. */
  readonly insns: Uint8Array;
  readonly linkage: 'static' | 'global';
  /** STV_HIDDEN or STV_INTERNAL: verified as static. */
  readonly hidden: boolean;
  readonly weak: boolean;
  readonly relocations: readonly Relocation[];
  /** Instruction numbers in these three count from the start of this function. */
  readonly funcInfo: readonly FuncInfo[];
  readonly lineInfo: readonly LineInfo[];
  readonly coreRelocations: readonly CoreRelocation[];
}

/** A function that can be loaded and attached by itself. */
export interface ProgramSpec extends FunctionSpec {
  /** What SEC() says, without a leading `?`. */
  readonly sec: string;
  /** False when SEC() starts with `?`. */
  readonly autoload: boolean;
  /** From `decl_tag("exception_callback:NAME")`. */
  readonly exceptionCallback?: string;
}

/** What one instruction refers to. `insn` counts from the start of the function. */
export type Relocation =
  /** `ld_imm64` of a map's fd. `map` indexes {@link ObjectSpec.maps}. */
  | { readonly kind: 'map'; readonly insn: number; readonly map: number }
  /** `ld_imm64` of an address inside a data map's value; `offset` is all of it, what stands in the instruction included. */
  | { readonly kind: 'data'; readonly insn: number; readonly map: number; readonly offset: number }
  /** A call of a subprogram. `function` indexes {@link ObjectSpec.functions}. */
  | { readonly kind: 'call'; readonly insn: number; readonly function: number }
  /** `ld_imm64` of a subprogram's address (bpf_for_each_map_elem callbacks). */
  | { readonly kind: 'function'; readonly insn: number; readonly function: number }
  /** `ld_imm64` of an extern variable. `extern` indexes {@link ObjectSpec.externs}. */
  | { readonly kind: 'extern'; readonly insn: number; readonly extern: number }
  /** A call of a kfunc. */
  | { readonly kind: 'kfunc'; readonly insn: number; readonly extern: number };

/** A name the running kernel must supply. */
export interface ExternSpec {
  readonly name: string;
  readonly kind: 'kconfig' | 'ksym' | 'typed_ksym' | 'kfunc';
  readonly weak: boolean;
  /** BTF id of the VAR or FUNC. */ readonly btfId: number;
  /** BTF id of the variable's type, modifiers kept; the FUNC_PROTO for a kfunc. */ readonly typeId: number;
  readonly size: number;
  readonly align: number;
  /** kconfig only: bytes from the start of `.kconfig`. */ readonly dataOffset: number;
}
