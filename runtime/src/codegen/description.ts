import type { Codec } from '../codec/codec.js';
import type { BpfMap, MapShape } from '../map/map.js';
import type { Program, ProgramShape } from '../program/program.js';

/** A global variable: where it lies in its section and what it is. Made by `at()`. */
export interface Global<T> {
  /** Bytes from the start of the section. */
  readonly offset: number;
  readonly codec: Codec<T>;
  /** Its bytes, where they are more than its type's: one that ends in a flexible array with contents. */
  readonly size?: number;
}

/** `at(4, u32)`: a global variable 4 bytes into its section, or a field of a struct. */
export function at<T>(offset: number, codec: Codec<T>, size?: number): Global<T> {
  return size === undefined ? { offset, codec } : { offset, codec, size };
}

/** A function of a struct_ops map: which of its members it is. Made by `callback()`. */
export interface Callback {
  readonly member: number;
}

/** `callback(3)`: the fourth member of a struct_ops map, which a program implements. */
export function callback(member: number): Callback {
  return { member };
}

// biome-ignore lint/suspicious/noExplicitAny: the one place where "a codec of anything" must accept every codec
type AnyGlobal = Global<any>;

/** What a generated file states about its object. */
export interface Description {
  /** The object's name: file name without `.bpf.o` or `.o`. */
  readonly name: string;
  readonly maps: Readonly<Record<string, MapShape>>;
  readonly progs: Readonly<Record<string, ProgramShape>>;
  /** Global data by section, named as bpftool does: `rodata`, `bss`, `data`, `data_foo`, `kconfig`. */
  readonly globals: Readonly<Record<string, Readonly<Record<string, AnyGlobal>>>>;
  /** What can be set of struct_ops maps before load, by map. */
  readonly structOps?: Readonly<Record<string, Readonly<Record<string, AnyGlobal | Callback>>>>;
  /** The object's bytes; of the one for `arch`, Node's name of an architecture, where there are several. */
  readonly elf: (arch?: string) => Uint8Array;
}

/** Sections that load() makes read-only, and the one that it fills. */
export type FrozenSection = 'rodata' | 'kconfig' | `rodata_${string}`;

export type GlobalValue<G> = G extends Global<infer T> ? T : never;
export type MapOf<S> = S extends MapShape<infer M extends BpfMap> ? M : never;
export type ProgramOf<S> = S extends ProgramShape<infer P extends Program> ? P : never;
/** `T` of which nothing can be set, however deep. Numbers and text are themselves. */
export type Frozen<T> = { readonly [K in keyof T]: FrozenValue<T[K]> };
type FrozenValue<T> = T extends Uint8Array ? T : Frozen<T>;

// Spelled out at each use: editors then show the variables of a section, not the name of what makes them.
/**
 * Variables of a section before load(): what is set goes into the object that load() gives to the kernel. Everything can be
 * set but what load() finds out. The last variable of a section, when it is an array, can get another length.
 */
export type OpenGlobals<Section, G> = Section extends 'kconfig'
  ? { readonly [V in keyof G]: FrozenValue<GlobalValue<G[V]>> }
  : { -readonly [V in keyof G]: GlobalValue<G[V]> };
/**
 * Variables of a section in the kernel: no copies, but the memory that programs use (Linux 5.5; a system call for every
 * access before). Structs and arrays are live as well: `skel.bss.stats.hits` is read when it is asked for. Integers of
 * 16, 32 and 64 bits at addresses that fit them are read and written whole. `+=` reads and then writes: what a program
 * adds in between is lost, so let one side write a counter. `snapshot()` makes a plain copy.
 */
export type LiveGlobals<Section, G> = Section extends FrozenSection
  ? { readonly [V in keyof G]: FrozenValue<GlobalValue<G[V]>> }
  : { -readonly [V in keyof G]: GlobalValue<G[V]> };
