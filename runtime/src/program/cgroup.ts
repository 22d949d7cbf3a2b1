import { printable } from '../errors.js';
import type { Fd, Kernel } from '../kernel/kernel.js';
import { errnoOf, refusal } from '../link/attach-error.js';
import { attachCgroup, type CgroupOptions } from '../link/cgroup.js';
import { type CgroupPrograms, queryCgroup } from '../link/cgroup-programs.js';
import { whyBadCgroup, whyNoCgroup } from '../link/cgroup-refusal.js';
import { type FileTarget, nameOfTarget, openTarget } from '../link/file-target.js';
import { whyRefused } from '../link/privilege.js';
import { UpdatableLink } from '../link/updatable-link.js';
import { Program } from './program.js';

/** A program that runs for the processes of a cgroup and of its descendants. */
export class CgroupProgram extends Program {
  /**
   * Attaches to a cgroup of version 2: its directory by path, or by a descriptor that is open. By default any number of
   * programs share the cgroup, and each call makes one more link.
   *
   * Throws a BpfError that says why not: not such a cgroup, programs there or above that let no other in, a missing
   * capability, an order this kernel does not have. On kernels before 5.7, in modes `override` and `single`, and with
   * `replace`, the program stays in the cgroup when the process dies without detaching.
   *
   * @example using link = skel.progs.deny_connect.attach('/sys/fs/cgroup/shop');
   */
  attach(cgroup: FileTarget, options: CgroupOptions = {}): UpdatableLink {
    return this.attachAs(this.handle.expectedAttachType, '', cgroup, options);
  }

  /**
   * The programs of this kind in a cgroup, those attached to it and those that run there. Linux 4.15; needs
   * CAP_NET_ADMIN.
   */
  query(cgroup: FileTarget): CgroupPrograms {
    return this.queryAs(this.handle.expectedAttachType, cgroup);
  }

  /** `detail` follows the section in the target's name, where that does not say everything. */
  protected attachAs(
    attachType: number,
    detail: string,
    cgroup: FileTarget,
    options: CgroupOptions,
  ): UpdatableLink {
    const { kernel } = this.handle;
    const target = `${this.section}${detail} ${nameOfTarget(cgroup)}`;
    const hold = attachCgroup({
      kernel,
      program: this.name,
      target,
      prog: this.fd,
      attachType,
      cgroup,
      options,
    });
    const link = new UpdatableLink({ kernel, program: this.name, target }, hold);
    this.handle.own(link);
    return link;
  }

  protected queryAs(attachType: number, cgroup: FileTarget): CgroupPrograms {
    const { kernel } = this.handle;
    let fd: Fd | undefined;
    try {
      fd = openTarget(kernel, cgroup);
      return queryCgroup(kernel, fd, attachType);
    } catch (error) {
      throw queryError(kernel, cgroup, error);
    } finally {
      if (fd !== undefined) kernel.close(fd);
    }
  }
}

function queryError(kernel: Kernel, cgroup: FileTarget, error: unknown): Error {
  const head = `query the programs of ${printable(nameOfTarget(cgroup))}`;
  const errno = errnoOf(error) ?? '';
  if (['EPERM', 'EACCES'].includes(errno)) return refusal(head, error, whyRefused(kernel, ['CAP_NET_ADMIN']));
  return refusal(head, error, errno === 'EBADF' ? whyBadCgroup(kernel, cgroup) : whyNoCgroup(kernel, cgroup));
}
