import { BpfError, printable } from '../errors.js';
import type { Fd } from '../kernel/kernel.js';
import type { MapSpec, ObjectSpec, ProgramSpec } from '../object/spec.js';
import { kindOf, type SectionMeaning } from '../program/kinds.js';
import type { Program } from '../program/program.js';

/** One map of an object that is not in the kernel yet: what can still be changed about it. */
export class OpenMap {
  readonly spec: MapSpec;
  readonly #owner: OpenObject;
  #maxEntries: number;
  #autocreate: boolean;
  #pinPath: string | undefined;

  constructor(owner: OpenObject, spec: MapSpec) {
    this.#owner = owner;
    this.spec = spec;
    this.#maxEntries = spec.maxEntries;
    this.#autocreate = spec.autocreate;
  }

  get name(): string {
    return this.spec.name;
  }

  /** Capacity in entries; for ring buffers in bytes, rounded up to what the kernel takes. */
  get maxEntries(): number {
    return this.#maxEntries;
  }

  set maxEntries(entries: number) {
    this.#owner.assertOpen(`set maxEntries of map "${printable(this.name)}"`);
    if (!Number.isInteger(entries) || entries < 0 || entries > 0xffffffff) {
      throw new BpfError(
        'ERR_BPF_ARGUMENT',
        `set maxEntries of map "${printable(this.name)}": ${entries} is not a whole number of 32 bits`,
      );
    }
    this.#maxEntries = entries;
  }

  /**
   * Where the map is pinned: load() uses the map that is there, or creates and pins it. Undefined: nowhere, unless its
   * declaration asks for LIBBPF_PIN_BY_NAME.
   */
  get pinPath(): string | undefined {
    return this.#pinPath;
  }

  set pinPath(path: string | undefined) {
    this.#owner.assertOpen(`set pinPath of map "${printable(this.name)}"`);
    this.#pinPath = path;
  }

  /** False leaves the map out; programs that use it then fail to load. */
  get autocreate(): boolean {
    return this.#autocreate;
  }

  set autocreate(create: boolean) {
    this.#owner.assertOpen(`set autocreate of map "${printable(this.name)}"`);
    this.#autocreate = create;
  }
}

/** A function of a program that is loaded. */
export interface ProgramTarget {
  /** The program, or a descriptor of it. */
  readonly program: Program | Fd;
  /** A global function of the program; absent for the one that SEC() names. */
  readonly function?: string;
}

/** One program of an object that is not in the kernel yet. */
export class OpenProgram {
  readonly spec: ProgramSpec;
  /** What SEC() means; undefined for a section no kind claims. */
  readonly meaning: SectionMeaning | undefined;
  readonly #owner: OpenObject;
  #autoload: boolean;
  #autoattach = true;
  #attachTarget: ProgramTarget | undefined;

  constructor(owner: OpenObject, spec: ProgramSpec) {
    this.#owner = owner;
    this.spec = spec;
    this.meaning = kindOf(spec.sec);
    this.#autoload = spec.autoload;
  }

  get name(): string {
    return this.spec.name;
  }

  get section(): string {
    return this.spec.sec;
  }

  /** False leaves the program out of load(). Starts false for `SEC("?...")`. */
  get autoload(): boolean {
    return this.#autoload;
  }

  set autoload(load: boolean) {
    this.#owner.assertOpen(`set autoload of program "${printable(this.name)}"`);
    this.#autoload = load;
  }

  /**
   * Another program to attach to instead of the kernel, for `freplace`, and `fentry` and `fexit` of programs. Its
   * function is the one that SEC() names unless `function` says otherwise. Linux 5.5; freplace 5.6.
   */
  get attachTarget(): ProgramTarget | undefined {
    return this.#attachTarget;
  }

  set attachTarget(target: ProgramTarget | undefined) {
    this.#owner.assertOpen(`set attachTarget of program "${printable(this.name)}"`);
    this.#attachTarget = target;
  }

  /** False leaves the program out of `attach()`. */
  get autoattach(): boolean {
    return this.#autoattach;
  }

  set autoattach(attach: boolean) {
    this.#owner.assertOpen(`set autoattach of program "${printable(this.name)}"`);
    this.#autoattach = attach;
  }
}

/** An object between open and load: nothing of it is in the kernel. */
export class OpenObject implements Disposable {
  /** File name without `.bpf.o` or `.o`; the kernel shows its first letters in the names of data maps. */
  readonly name: string;
  readonly spec: ObjectSpec;
  readonly maps: ReadonlyMap<string, OpenMap>;
  readonly progs: ReadonlyMap<string, OpenProgram>;
  /** Initial contents of the data sections, by section name; writable until load(). */
  readonly data: ReadonlyMap<string, Uint8Array>;
  #state: 'open' | 'loaded' | 'destroyed' = 'open';

  constructor(name: string, spec: ObjectSpec) {
    this.name = name;
    this.spec = spec;
    this.maps = new Map(spec.maps.map((map) => [map.name, new OpenMap(this, map)]));
    this.progs = new Map(spec.programs.map((program) => [program.name, new OpenProgram(this, program)]));
    this.data = new Map(
      spec.maps.flatMap(({ section, name }) => (section ? [[name, section.bytes.slice()] as const] : [])),
    );
  }

  /** Throws ERR_BPF_STATE unless the object still waits to be loaded. */
  assertOpen(what: string): void {
    if (this.#state === 'open') return;
    throw new BpfError(
      'ERR_BPF_STATE',
      this.#state === 'loaded'
        ? `${what}: ${printable(this.name)} is already loaded; do it between open() and load()`
        : `${what}: ${printable(this.name)} is destroyed`,
    );
  }

  /** Marks the object as used up by load(). */
  markLoaded(): void {
    this.assertOpen('load');
    this.#state = 'loaded';
  }

  /** Gives the object up without loading it. Idempotent; does not touch what load() returned. */
  destroy(): void {
    if (this.#state === 'open') this.#state = 'destroyed';
  }

  [Symbol.dispose](): void {
    this.destroy();
  }
}
