import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { CgroupProgram } from './cgroup.js';
import { kind } from './program.js';

/**
 * A program that decides which device files processes of a cgroup may open or make: 1 allows, 0 refuses with EPERM.
 * `SEC("cgroup/dev")`, Linux 4.15.
 */
export class CgroupDeviceProgram extends CgroupProgram {}

/** `SEC("cgroup/dev")`. */
export const cgroupDevice = kind({
  kindName: 'cgroupDevice',
  sections: [
    {
      match: 'cgroup/dev',
      type: BPF_PROG_TYPE.CGROUP_DEVICE,
      attachType: BPF_ATTACH_TYPE.CGROUP_DEVICE,
      attachTypeOptional: true,
    },
  ],
  program: CgroupDeviceProgram,
});
