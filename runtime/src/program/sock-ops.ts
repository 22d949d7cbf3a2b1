import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { CgroupProgram } from './cgroup.js';
import { kind } from './program.js';

/**
 * A program that runs as TCP sockets of a cgroup connect, listen, accept and change state, and may set their options.
 * `SEC("sockops")`, Linux 4.13.
 */
export class SockOpsProgram extends CgroupProgram {}

/** `SEC("sockops")`. */
export const sockOps = kind({
  kindName: 'sockOps',
  sections: [
    {
      match: 'sockops',
      type: BPF_PROG_TYPE.SOCK_OPS,
      attachType: BPF_ATTACH_TYPE.CGROUP_SOCK_OPS,
      attachTypeOptional: true,
    },
  ],
  program: SockOpsProgram,
});
