import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { CgroupProgram } from './cgroup.js';
import { kind } from './program.js';

/**
 * A program that decides when a process of a cgroup reads or writes a file of /proc/sys: 1 allows, 0 refuses with EPERM.
 * `SEC("cgroup/sysctl")`, Linux 5.2.
 */
export class CgroupSysctlProgram extends CgroupProgram {}

/** `SEC("cgroup/sysctl")`. */
export const cgroupSysctl = kind({
  kindName: 'cgroupSysctl',
  sections: [
    {
      match: 'cgroup/sysctl',
      type: BPF_PROG_TYPE.CGROUP_SYSCTL,
      attachType: BPF_ATTACH_TYPE.CGROUP_SYSCTL,
    },
  ],
  program: CgroupSysctlProgram,
});
