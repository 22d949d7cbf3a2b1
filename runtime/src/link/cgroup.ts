import type { Fd, Kernel } from '../kernel/kernel.js';
import { BPF_F_ALLOW_MULTI, BPF_F_PREORDER, BPF_F_REPLACE } from '../uapi.js';
import { type Attachment, attachError, cannotAttach, errnoOf } from './attach-error.js';
import { type CgroupMode, modeFlags, modeOf } from './cgroup-programs.js';
import { whyNoCgroup, whyNotInCgroup } from './cgroup-refusal.js';
import { type FileTarget, openTarget } from './file-target.js';
import { HeldProgram } from './held-program.js';
import { isOrdered, type OrderOptions, type Place, placeOf } from './order.js';
import { describeProgram } from './program-name.js';
import { failAfter, releaseAll } from './release.js';
import { type DirectHold, type Hold, holdLink } from './updatable-link.js';

/** How a program is attached to a cgroup. An order, and `expectedRevision`, take Linux 6.17. */
export interface CgroupOptions extends OrderOptions {
  /**
   * How it shares the cgroup with other programs of its kind: `multi` when absent, which is what a bpf_link does. The
   * programs of one cgroup all share it in the same way. `override` and `single` are attached without a bpf_link.
   */
  readonly mode?: CgroupMode;
  /**
   * Takes the place of a program that is there and that no bpf_link holds: in mode `multi` of this one (Linux 5.6), in
   * the others, with `true`, of the only one. It does not come back on detach.
   */
  readonly replace?: true | { readonly fd: Fd };
  /** Runs before the programs of descendants instead of after them. Linux 6.15. */
  readonly preorder?: boolean;
}

/** A program on its way into a cgroup. */
export interface CgroupAttachment extends Attachment {
  readonly kernel: Kernel;
  readonly prog: Fd;
  /** `enum bpf_attach_type`. */
  readonly attachType: number;
  readonly cgroup: FileTarget;
  readonly options: CgroupOptions;
}

/** A cgroup that is open, and how to go into it. */
interface Entry extends CgroupAttachment {
  readonly fd: Fd;
  readonly mode: CgroupMode;
  readonly place: Place;
}

/**
 * Attaches by bpf_link (Linux 5.7), as libbpf's bpf_program__attach_cgroup_opts; in the modes a link does not have, with
 * `replace`, and on older kernels by BPF_PROG_ATTACH, as bpf_prog_attach_opts.
 */
export function attachCgroup(attachment: CgroupAttachment): Hold {
  const { kernel, options, cgroup } = attachment;
  const { mode = 'multi', preorder = false } = options;
  checkOptions(attachment, mode);
  const order = placeOf(attachment, options);
  const place = preorder ? { ...order, flags: order.flags | BPF_F_PREORDER } : order;
  let fd: Fd;
  try {
    fd = openTarget(kernel, cgroup);
  } catch (error) {
    throw attachError(attachment, error, whyNoCgroup(kernel, cgroup));
  }
  const entry: Entry = { ...attachment, fd, mode, place };
  try {
    const link = createLink(entry);
    if (link === undefined) return attachDirectly(entry);
    kernel.close(fd);
    return link;
  } catch (error) {
    failAfter(attachError(attachment, error, whyNotInCgroup(entry, error)), () => kernel.close(fd));
  }
}

function checkOptions(attachment: CgroupAttachment, mode: CgroupMode): void {
  const { replace, preorder } = attachment.options;
  const refuse = (why: string): never => {
    throw cannotAttach(attachment, 'ERR_BPF_ARGUMENT', { why });
  };
  const multi = mode === 'multi';
  const ordered = isOrdered(attachment.options);
  if (!multi && (ordered || preorder === true)) refuse(`mode ${mode} has one program, and so no order`);
  if (multi && replace === true) refuse('of several programs, { replace } must name the one to replace');
  if (!multi && replace !== undefined && replace !== true)
    refuse(`mode ${mode} has one program: { replace: true } replaces it`);
  if (ordered && replace !== undefined)
    refuse('a program that replaces another takes its place in the order');
}

/** Undefined when it takes BPF_PROG_ATTACH: no links in this kernel, or not for what was asked. */
function createLink({ kernel, prog, attachType, fd, mode, place, options }: Entry): Hold | undefined {
  if (mode !== 'multi' || options.replace !== undefined) return undefined;
  const { flags, ...rest } = place;
  try {
    const link = kernel.linkCreate({
      prog,
      attachType,
      target: { fd },
      flags,
      options: { kind: 'ordered', ...rest },
    });
    return holdLink(kernel, link);
  } catch (error) {
    // Before 5.7 without links, before 6.17 without their order: BPF_PROG_ATTACH may do, or says EINVAL again.
    if (errnoOf(error) !== 'EINVAL') throw error;
    return undefined;
  }
}

function attachDirectly(entry: Entry): Hold {
  const { kernel, prog, attachType, fd, mode, place, options } = entry;
  const { replace } = options;
  if (mode !== 'multi' && replace === undefined) refuseToReplace(entry);
  const base = modeFlags[mode] | place.flags;
  const request = { target: fd, prog, attachType };
  if (typeof replace === 'object') {
    kernel.progAttach({ ...request, flags: base | BPF_F_REPLACE, replace: replace.fd });
  } else {
    kernel.progAttach({ ...request, ...place, flags: base });
  }
  return new AttachedHold(entry);
}

/** An only program is replaced without a word by the kernel; here it takes `replace`. */
function refuseToReplace(entry: Entry): void {
  const { kernel, attachType, fd, mode } = entry;
  const there = kernel.progQuery({ target: { fd }, attachType });
  const [first] = there.programs;
  // Another mode is the kernel's to refuse.
  if (first === undefined || modeOf(there) !== mode) return;
  throw cannotAttach(entry, 'EEXIST', {
    why: `the cgroup already has program ${describeProgram(kernel, first.id)}, in mode ${mode}`,
    hint: 'Detach it where it was attached, or pass { replace: true }',
  });
}

/** A program that BPF_PROG_ATTACH attached: it would stay in the cgroup without its process. */
class AttachedHold implements DirectHold {
  readonly #entry: Entry;
  readonly #held: HeldProgram;

  constructor(entry: Entry) {
    this.#entry = entry;
    this.#held = new HeldProgram(entry.kernel, entry.prog);
  }

  update(next: Fd, expected: Fd | undefined): void {
    const { kernel, attachType, fd: target, mode } = this.#entry;
    const held = this.#held;
    const place =
      mode === 'multi'
        ? { flags: BPF_F_ALLOW_MULTI | BPF_F_REPLACE, replace: held.fd }
        : { flags: modeFlags[mode] };
    held.exchange(next, expected, (prog) => kernel.progAttach({ target, prog, attachType, ...place }));
  }

  release(): void {
    const { kernel, fd } = this.#entry;
    releaseAll(
      () => this.#detach(),
      () => this.#held.close(),
      () => kernel.close(fd),
    );
  }

  /** In peace when the program, or its cgroup, is gone already. */
  #detach(): void {
    const { kernel, attachType, fd: target, mode } = this.#entry;
    try {
      // The kernel does not compare where there is one program only.
      if (mode !== 'multi' && !this.#isThere()) return;
      kernel.progDetach({ target, prog: this.#held.fd, attachType });
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }

  #isThere(): boolean {
    const { kernel, attachType, fd } = this.#entry;
    const { id } = kernel.progInfo(this.#held.fd);
    return kernel.progQuery({ target: { fd }, attachType }).programs.some((program) => program.id === id);
  }
}
