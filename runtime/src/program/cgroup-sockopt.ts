import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { CgroupProgram } from './cgroup.js';
import { kind } from './program.js';

/**
 * A program that sees the socket options processes of a cgroup set or get, and may change or refuse them (0: EPERM).
 * `SEC("cgroup/setsockopt")`, `SEC("cgroup/getsockopt")`, Linux 5.3.
 */
export class CgroupSockoptProgram extends CgroupProgram {}

/** `SEC("cgroup/getsockopt")`, `SEC("cgroup/setsockopt")`. */
export const cgroupSockopt = kind({
  kindName: 'cgroupSockopt',
  sections: [
    {
      match: 'cgroup/getsockopt',
      type: BPF_PROG_TYPE.CGROUP_SOCKOPT,
      attachType: BPF_ATTACH_TYPE.CGROUP_GETSOCKOPT,
    },
    {
      match: 'cgroup/setsockopt',
      type: BPF_PROG_TYPE.CGROUP_SOCKOPT,
      attachType: BPF_ATTACH_TYPE.CGROUP_SETSOCKOPT,
    },
  ],
  program: CgroupSockoptProgram,
});
