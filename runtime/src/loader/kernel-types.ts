import { Btf } from '../btf/btf.js';
import { CoreKind } from '../core/kinds.js';
import { coreNames } from '../core/relocate.js';
import { CoreTarget } from '../core/target.js';
import { BpfError, printable } from '../errors.js';
import type { Fd, Kernel } from '../kernel/kernel.js';
import { whyNoType } from '../link/why-not-probed.js';
import type { FunctionSpec, ObjectSpec } from '../object/spec.js';
import { findAttachTarget } from '../program/attach-target.js';
import { BPF_PROG_TYPE } from '../uapi.js';
import { kernelBtf, type ModuleBtf, moduleBtfs, userBtf } from './kernel-btf.js';
import type { OpenProgram, ProgramTarget } from './open-program.js';

/** A module of the kernel whose types a program refers to. */
export interface ModuleFd {
  readonly fd: Fd;
  /** Its place in the array of descriptors that calls of kfuncs count in; from 1. */
  readonly index: number;
}

/** The kernel type, function or struct member a program is verified against. */
export interface AttachTarget {
  readonly btfId: number;
  /** BTF of the module that `btfId` counts in. */
  readonly btfObjFd?: Fd;
  /** The program that `btfId` counts in the BTF of. */
  readonly attachProgFd?: Fd;
  /** struct_ops: index of the member. */
  readonly expectedAttachType?: number;
}

/** A variable or function of the kernel. */
export interface FoundType {
  readonly btf: Btf;
  readonly id: number;
  /** Absent for vmlinux. */
  readonly module: ModuleFd | undefined;
}

/**
 * The kernel's types as one load() needs them. Nothing is read before something asks: an object without CO-RE
 * relocations loads on a kernel without BTF.
 */
export class KernelTypes {
  readonly #kernel: Kernel;
  readonly #user: string | Uint8Array | undefined;
  readonly #warn: (sentence: string) => void;
  readonly #moduleFds = new Map<string, ModuleFd>();
  #modules: readonly ModuleBtf[] | undefined;
  #core: CoreTarget | undefined;

  /**
   * @param user BTF for CO-RE in place of the running kernel's; attach targets are always the running kernel's
   * @param warn is told which modules' types cannot be read
   */
  constructor(
    kernel: Kernel,
    user: string | Uint8Array | undefined,
    warn: (sentence: string) => void = () => undefined,
  ) {
    this.#kernel = kernel;
    this.#user = user;
    this.#warn = warn;
  }

  /** What CO-RE relocates against. `functions` are announced at once, so that one pass finds every type. */
  coreTarget({ btf }: ObjectSpec, functions: Iterable<FunctionSpec>): CoreTarget {
    const user = this.#user;
    const main = user === undefined ? () => this.#vmlinux() : once(() => userBtf(user, this.#kernel));
    const modules = () => this.#moduleBtfs().map((module) => module.btf);
    this.#core ??= new CoreTarget(main, user === undefined ? modules : undefined);
    // Read now: that there are no types is no fault of any one relocation.
    if ([...functions].some(needsKernel)) main();
    if (btf) for (const fn of functions) this.#core.want(coreNames(fn.coreRelocations, btf));
    return this.#core;
  }

  /**
   * The kernel type or function a program is verified against: undefined for kinds that have none, and for sections
   * that leave it open.
   */
  attachTarget({ name, section, meaning, attachTarget }: OpenProgram): AttachTarget | undefined {
    if (attachTarget !== undefined && meaning?.rule.attachBtf !== undefined) {
      return this.#functionOf(name, attachTarget, meaning.target);
    }
    const rule = meaning?.rule.attachBtf;
    if (rule === undefined || meaning === undefined || meaning.target === '') return undefined;
    // Its target is in another program, not in the kernel.
    if (meaning.rule.type === BPF_PROG_TYPE.EXT) return undefined;
    const found = findAttachTarget(rule, meaning.target, {
      vmlinux: this.#vmlinux(),
      modules: () => this.#moduleBtfs(),
    });
    if ('missing' in found) {
      const head = `load program "${printable(name)}": SEC("${printable(section)}")`;
      const absent = rule.prefix === '' ? whyNoType(this.#kernel, meaning.target) : undefined;
      throw new BpfError('ESRCH', `${head}: ${absent ?? found.missing}`, { errno: 3 });
    }
    if (found.module === undefined) return { btfId: found.btfId };
    return { btfId: found.btfId, btfObjFd: this.#moduleFd(found.module).fd };
  }

  /** A global function of another program, in that program's own BTF (libbpf: libbpf_find_prog_btf_id). */
  #functionOf(name: string, { program, function: wanted }: ProgramTarget, named: string): AttachTarget {
    const kernel = this.#kernel;
    const attachProgFd = typeof program === 'number' ? program : program.fd;
    const target = wanted ?? named;
    const info = kernel.progInfo(attachProgFd);
    const fail = (why: string) =>
      new BpfError('ESRCH', `load program "${printable(name)}": program "${printable(info.name)}" ${why}`, {
        errno: 3,
      });
    if (info.btfId === 0) throw fail('was loaded without BTF, so its functions cannot be named');
    const fd = kernel.btfById(info.btfId);
    try {
      const btf = Btf.parse(kernel.btfBytes(fd), { label: `BTF of program ${printable(info.name)}` });
      const btfId = btf.find(target, 'func');
      if (btfId === undefined) throw fail(`has no function "${printable(target)}"`);
      return { btfId, attachProgFd };
    } finally {
      kernel.close(fd);
    }
  }

  /** A variable, function or struct of the kernel by name, vmlinux before modules (libbpf: find_ksym_btf_id). */
  find(name: string, kind: 'var' | 'func' | 'struct'): FoundType | undefined {
    const btf = this.#vmlinux();
    const id = btf.find(name, kind);
    if (id !== undefined) return { btf, id, module: undefined };
    for (const module of this.#moduleBtfs()) {
      const own = module.btf.findOwn(name, kind);
      if (own !== undefined) return { btf: module.btf, id: own, module: this.#moduleFd(module.name) };
    }
    return undefined;
  }

  /** Descriptors of the modules that find() met, at their indices; undefined when it met none. */
  fdArray(): Int32Array | undefined {
    if (this.#moduleFds.size === 0) return undefined;
    const fds = new Int32Array(this.#moduleFds.size + 1);
    for (const { fd, index } of this.#moduleFds.values()) fds[index] = fd;
    return fds;
  }

  /** Closes the modules' descriptors; loaded programs hold what they need. */
  close(): void {
    for (const { fd } of this.#moduleFds.values()) this.#kernel.close(fd);
    this.#moduleFds.clear();
  }

  #moduleFd(name: string): ModuleFd {
    const known = this.#moduleFds.get(name);
    if (known !== undefined) return known;
    const object = this.#kernel.btfObjects().find((each) => each.kernel && each.name === name);
    if (object === undefined) {
      throw new BpfError('ESRCH', `open the types of module ${printable(name)}: it was unloaded meanwhile`, {
        errno: 3,
      });
    }
    const module = { fd: this.#kernel.btfById(object.id), index: this.#moduleFds.size + 1 };
    this.#moduleFds.set(name, module);
    return module;
  }

  #vmlinux(): Btf {
    return kernelBtf(this.#kernel);
  }

  #moduleBtfs(): readonly ModuleBtf[] {
    // A module whose types cannot be read is as good as not loaded: what needs them says that it found nothing.
    this.#modules ??= moduleBtfs(this.#kernel, this.#vmlinux(), this.#warn);
    return this.#modules;
  }
}

function needsKernel({ coreRelocations }: FunctionSpec): boolean {
  return coreRelocations.some(({ kind }) => kind !== CoreKind.TYPE_ID_LOCAL);
}

function once<T>(make: () => T): () => T {
  let made: { readonly it: T } | undefined;
  return () => {
    made ??= { it: make() };
    return made.it;
  };
}
