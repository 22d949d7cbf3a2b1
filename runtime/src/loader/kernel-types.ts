import type { Btf } from '../btf/btf.js';
import { coreNames } from '../core/relocate.js';
import { CoreTarget } from '../core/target.js';
import { BpfError, NotSupportedError, printable } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import type { FunctionSpec, ObjectSpec } from '../object/spec.js';
import { findAttachTarget } from '../program/attach-target.js';
import { kernelBtf, type ModuleBtf, moduleBtfs, userBtf } from './kernel-btf.js';
import type { OpenProgram } from './open-object.js';

/**
 * The kernel's types as one load() needs them. Nothing is read before something asks: an object without CO-RE
 * relocations loads on a kernel without BTF.
 */
export class KernelTypes {
  readonly #kernel: Kernel;
  readonly #user: string | Uint8Array | undefined;
  #modules: readonly ModuleBtf[] | undefined;
  #core: CoreTarget | undefined;

  /** @param user BTF for CO-RE in place of the running kernel's; attach targets are always the running kernel's. */
  constructor(kernel: Kernel, user: string | Uint8Array | undefined) {
    this.#kernel = kernel;
    this.#user = user;
  }

  /** What CO-RE relocates against. `functions` are announced at once, so that one pass finds every type. */
  coreTarget({ btf }: ObjectSpec, functions: Iterable<FunctionSpec>): CoreTarget {
    const user = this.#user;
    this.#core ??=
      user === undefined
        ? new CoreTarget(
            () => this.#vmlinux(),
            () => this.#moduleBtfs().map((module) => module.btf),
          )
        : new CoreTarget(() => userBtf(user, this.#kernel));
    if (btf) for (const fn of functions) this.#core.want(coreNames(fn.coreRelocations, btf));
    return this.#core;
  }

  /**
   * The kernel type or function a program is verified against: undefined for kinds that have none, and for sections
   * that leave it open.
   */
  attachTarget({ name, section, meaning }: OpenProgram): { readonly btfId: number } | undefined {
    const rule = meaning?.rule.attachBtf;
    if (rule === undefined || meaning === undefined || meaning.target === '') return undefined;
    const found = findAttachTarget(rule, meaning.target, {
      vmlinux: this.#vmlinux(),
      modules: () => this.#moduleBtfs(),
    });
    const head = `load program "${printable(name)}": SEC("${printable(section)}")`;
    if ('missing' in found) throw new BpfError('ESRCH', `${head}: ${found.missing}`, { errno: 3 });
    if (found.module !== undefined) {
      throw new NotSupportedError(
        'module attach targets',
        `${head} names a function of module ${printable(found.module)}; attaching inside modules is not supported yet`,
      );
    }
    return { btfId: found.btfId };
  }

  #vmlinux(): Btf {
    return kernelBtf(this.#kernel);
  }

  #moduleBtfs(): readonly ModuleBtf[] {
    // A module whose types cannot be read is as good as not loaded: what needs them says that it found nothing.
    this.#modules ??= moduleBtfs(this.#kernel, this.#vmlinux(), () => undefined);
    return this.#modules;
  }
}
