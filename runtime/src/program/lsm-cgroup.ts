import { assertBpfLsm } from '../link/bpf-lsm.js';
import type { CgroupOptions } from '../link/cgroup.js';
import { type FileTarget, nameOfTarget } from '../link/file-target.js';
import type { UpdatableLink } from '../link/updatable-link.js';
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { CgroupProgram } from './cgroup.js';
import { kind } from './program.js';

/**
 * A program that decides at a security hook for the processes of a cgroup: 1 allows, 0 refuses with EPERM.
 * `SEC("lsm_cgroup/socket_bind")`, Linux 6.0. A query answers for all hooks together.
 */
export class LsmCgroupProgram extends CgroupProgram {
  /** Throws also when the kernel was booted without the BPF LSM: it would take the link and never run the program. */
  override attach(cgroup: FileTarget, options: CgroupOptions = {}): UpdatableLink {
    const target = `${this.section} ${nameOfTarget(cgroup)}`;
    assertBpfLsm(this.handle.kernel, { program: this.name, target });
    return super.attach(cgroup, options);
  }
}

/** `SEC("lsm_cgroup/hook")`. */
export const lsmCgroup = kind({
  kindName: 'lsmCgroup',
  sections: [
    {
      match: 'lsm_cgroup+',
      type: BPF_PROG_TYPE.LSM,
      attachType: BPF_ATTACH_TYPE.LSM_CGROUP,
      attachBtf: { prefix: 'bpf_lsm_', kind: 'func' },
    },
  ],
  program: LsmCgroupProgram,
});
