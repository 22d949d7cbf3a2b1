import { BpfError, printable } from '../errors.js';
import type { Fd } from '../kernel/kernel.js';
import type { ProgramSpec } from '../object/spec.js';
import { inspect, type Print, printed } from '../printed.js';
import { kindOf, type SectionMeaning, unknownSection } from '../program/kinds.js';
import type { Program } from '../program/program.js';

/** A function of a program that is loaded. */
export interface ProgramTarget {
  /** The program, or a descriptor of it. */
  readonly program: Program | Fd;
  /** A global function of the program; absent for the one that SEC() names. */
  readonly function?: string;
}

/** What a program asks of its object. */
interface Owner {
  /** Throws ERR_BPF_STATE unless the object still waits to be loaded. */
  assertOpen(what: string): void;
}

/** One program of an object that is not in the kernel yet. */
export class OpenProgram {
  readonly spec: ProgramSpec;
  readonly #owner: Owner;
  #section: string;
  #meaning: SectionMeaning | undefined;
  #autoload: boolean;
  #autoattach = true;
  #attachTarget: ProgramTarget | undefined;

  constructor(owner: Owner, spec: ProgramSpec) {
    this.#owner = owner;
    this.spec = spec;
    this.#section = spec.sec;
    this.#meaning = kindOf(spec.sec);
    this.#autoload = spec.autoload;
  }

  get name(): string {
    return this.spec.name;
  }

  /**
   * What SEC() says, or was set to say instead: for sections of somebody's own, which no kind claims, and for targets that
   * are only known when the program runs. The live program is of the class that belongs to it; a skeleton types the one of
   * the object. In place of libbpf's libbpf_register_prog_handler and bpf_program__set_type.
   *
   * @example
   * for (const program of object.progs.values()) program.section = program.section.replace(/^mine\//, 'kprobe/');
   *
   * @throws BpfError ERR_BPF_SECTION when nothing like it can be set
   */
  get section(): string {
    return this.#section;
  }

  set section(section: string) {
    const what = `set section of program "${printable(this.name)}"`;
    this.#owner.assertOpen(what);
    if (section === this.#section) return;
    const meaning = kindOf(section);
    if (meaning === undefined) throw new BpfError('ERR_BPF_SECTION', `${what}: ${unknownSection(section)}`);
    this.#section = section;
    this.#meaning = meaning;
  }

  /** What SEC() means; undefined for a section no kind claims. */
  get meaning(): SectionMeaning | undefined {
    return this.#meaning;
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

  [inspect](depth: number, options: object, print: Print): string {
    const { name, section, autoload } = this;
    return printed(this, name, { name, section, autoload }, depth, options, print);
  }
}
