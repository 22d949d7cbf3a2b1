import { BpfError, printable } from '../errors.js';
import type { Fd, Kernel } from '../kernel/kernel.js';
import type { Link } from '../link/link.js';
import { releaseAll } from '../link/release.js';
import type { BpfMap } from '../map/map.js';
import type { DataMemory } from '../map/memory.js';
import type { Program } from '../program/program.js';
import {
  type Attachable,
  type AttachOptions,
  type AttachReport,
  attachEach,
  checkOptional,
} from './attach-report.js';
import type { OpenProgram } from './open-program.js';

/** A loaded program with the choice made for it before load. */
export interface LiveProgram {
  readonly program: Program;
  readonly open: OpenProgram;
}

/**
 * Owns what an object has in the kernel: descriptors, mappings and links. Descriptors are closed once, in the
 * reverse order of their making; links go first, so that nothing fires into a map that is gone.
 */
export class Ownership {
  readonly kernel: Kernel;
  readonly #objectName: string;
  readonly #fds: Fd[] = [];
  readonly #links = new Set<Link>();
  readonly #closers: (() => void)[] = [];
  readonly #detachers: (() => void)[] = [];
  readonly #undos: (() => void)[] = [];
  #closed = false;

  constructor(kernel: Kernel, objectName: string) {
    this.kernel = kernel;
    this.#objectName = objectName;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Takes `fd` over. */
  fd(fd: Fd): Fd {
    this.#fds.push(fd);
    return fd;
  }

  /** `fd`, as long as the object lives. */
  live(fd: Fd, what: string): Fd {
    this.assertLive(what);
    return fd;
  }

  assertLive(what: string): void {
    if (!this.#closed) return;
    throw new BpfError('ERR_BPF_STATE', `${printable(what)}: ${printable(this.#objectName)} is destroyed`);
  }

  link(link: Link): Link {
    this.#links.add(link);
    link.onDetach(() => this.#links.delete(link));
    return link;
  }

  /** Runs `listener` when the object is destroyed, before any descriptor is closed. */
  onClose(listener: () => void): void {
    this.#closers.push(listener);
  }

  /** Runs `listener` whenever everything was detached. */
  onDetach(listener: () => void): void {
    this.#detachers.push(listener);
  }

  /** Runs `listener` if the object is given up while it is being loaded: for what outlives descriptors. */
  onAbandon(listener: () => void): void {
    this.#undos.push(listener);
  }

  /** Takes everything back: load() failed. */
  abandon(): void {
    releaseAll(...this.#undos.splice(0).reverse(), () => this.destroy());
  }

  detachAll(): void {
    releaseAll(...[...this.#links].reverse().map((link) => () => link.detach()), ...this.#detachers);
  }

  destroy(): void {
    if (this.#closed) return;
    this.#closed = true;
    const fds = this.#fds.splice(0).reverse();
    releaseAll(
      () => this.detachAll(),
      ...this.#closers.splice(0).reverse(),
      ...fds.map((fd) => () => this.kernel.close(fd)),
    );
  }
}

/** A struct_ops map, which is attached as a whole. */
export interface LiveStructOps {
  readonly name: string;
  attach(): Link;
}

/** What load() made of an object. */
export interface LiveParts {
  readonly maps: ReadonlyMap<string, BpfMap>;
  readonly data: ReadonlyMap<string, DataMemory>;
  readonly programs: readonly LiveProgram[];
  /** Names of all programs of the object, those that were not loaded included. */
  readonly declared: readonly string[];
  readonly structOps: readonly LiveStructOps[];
  /** What the verifier said of each program, when load() was asked to keep it. */
  readonly verifierLogs: ReadonlyMap<string, string>;
}

/** An object in the kernel: its maps, its programs, and the links of `attach()`. */
export class LiveObject implements Disposable {
  readonly name: string;
  readonly maps: ReadonlyMap<string, BpfMap>;
  /** Global data by section name: live memory, read-only where frozen. */
  readonly data: ReadonlyMap<string, DataMemory>;
  readonly progs: ReadonlyMap<string, Program>;
  /** What `attach()` attached, by name of the program or struct_ops map. */
  readonly links: ReadonlyMap<string, Link>;
  readonly #links = new Map<string, Link>();
  /** What the verifier said, by program; empty unless load() was given a `verifierLogLevel`. */
  readonly verifierLogs: ReadonlyMap<string, string>;
  readonly #programs: readonly LiveProgram[];
  readonly #declared: readonly string[];
  readonly #structOps: readonly LiveStructOps[];
  readonly #ownership: Ownership;

  constructor(
    name: string,
    ownership: Ownership,
    { maps, data, programs, declared, structOps, verifierLogs }: LiveParts,
  ) {
    this.name = name;
    this.maps = maps;
    this.data = data;
    this.verifierLogs = verifierLogs;
    this.#programs = programs;
    this.#declared = declared;
    this.#structOps = structOps;
    this.progs = new Map(programs.map(({ program }) => [program.name, program]));
    this.links = this.#links;
    this.#ownership = ownership;
  }

  /**
   * Attaches every program whose SEC() says where, as libbpf's bpf_object__attach_skeleton. Programs that need an
   * argument, such as a device, are left to their own `attach`. On failure what was attached by this call is detached
   * again and the error is thrown, unless the program is `optional`: then the report has the error.
   *
   * @example
   * const { failed } = live.attach({ optional: ['on_new_hook'] });
   * for (const { program, error } of failed) console.error(`${program} is left out: ${error.message}`);
   */
  attach(options: AttachOptions = {}): AttachReport {
    this.#ownership.assertLive('attach');
    const names = [...this.#declared, ...this.#structOps.map(({ name }) => name)];
    checkOptional(this.name, options, names);
    const waiting = this.#attachables().filter(({ name }) => !this.#links.has(name));
    return attachEach(waiting, options, (name, link) => {
      this.#links.set(name, link);
      link.onDetach(() => this.#links.delete(name));
    });
  }

  /** Programs in the object's order, then struct_ops maps, which need theirs. */
  #attachables(): readonly Attachable[] {
    const programs = this.#programs.filter(({ open }) => open.autoattach);
    return [
      ...programs.map(({ program, open }) => ({
        name: program.name,
        attach: () => open.meaning?.kind.autoAttach?.(program),
      })),
      ...this.#structOps,
    ];
  }

  /**
   * Detaches every link, those made by hand included; maps and programs stay. Streams of records deliver what is left
   * in their buffers and end.
   */
  detach(): void {
    this.#ownership.detachAll();
  }

  /** Detaches, ends streams and mappings, closes every descriptor. Idempotent. */
  destroy(): void {
    this.#ownership.destroy();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }
}
