import type { Codec } from '../codec/codec.js';
import type { BpfMap, MapShape } from '../map/map.js';
import type { Program, ProgramShape } from '../program/program.js';

/** A global variable: where it lies in its section and what it is. Made by `at()`. */
export interface Global<T> {
  /** Bytes from the start of the section. */
  readonly offset: number;
  readonly codec: Codec<T>;
}

/** `at(4, u32)`: a global variable 4 bytes into its section. */
export function at<T>(offset: number, codec: Codec<T>): Global<T> {
  return { offset, codec };
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
  /** The object's bytes. */
  readonly elf: () => Uint8Array;
}

/** Sections that load() makes read-only. */
export type FrozenSection = 'rodata' | 'kconfig' | `rodata_${string}`;

export type GlobalValue<G> = G extends Global<infer T> ? T : never;
export type MapOf<S> = S extends MapShape<infer M extends BpfMap> ? M : never;
export type ProgramOf<S> = S extends ProgramShape<infer P extends Program> ? P : never;
export type OpenGlobals<G> = { -readonly [V in keyof G]: GlobalValue<G[V]> };
export type LiveGlobals<Section, G> = Section extends FrozenSection
  ? { readonly [V in keyof G]: GlobalValue<G[V]> }
  : OpenGlobals<G>;
