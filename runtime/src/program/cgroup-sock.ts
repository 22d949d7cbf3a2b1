import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { CgroupProgram } from './cgroup.js';
import { kind } from './program.js';

/**
 * A program that decides when a process of a cgroup makes a socket (Linux 4.10), has bound it (4.17), or gives it back
 * (5.9): 1 allows, 0 refuses with EPERM. `SEC("cgroup/sock_create")`, `SEC("cgroup/post_bind4")`.
 *
 * @example using link = skel.progs.no_raw_sockets.attach('/sys/fs/cgroup/shop');
 */
export class CgroupSockProgram extends CgroupProgram {}

const type = BPF_PROG_TYPE.CGROUP_SOCK;

/** `SEC("cgroup/sock_create")` (also `cgroup/sock`), `cgroup/sock_release`, `cgroup/post_bind4`, `cgroup/post_bind6`. */
export const cgroupSock = kind({
  kindName: 'cgroupSock',
  sections: [
    { match: 'cgroup/sock_create', type, attachType: BPF_ATTACH_TYPE.CGROUP_INET_SOCK_CREATE },
    { match: 'cgroup/sock_release', type, attachType: BPF_ATTACH_TYPE.CGROUP_INET_SOCK_RELEASE },
    {
      match: 'cgroup/sock',
      type,
      attachType: BPF_ATTACH_TYPE.CGROUP_INET_SOCK_CREATE,
      attachTypeOptional: true,
    },
    { match: 'cgroup/post_bind4', type, attachType: BPF_ATTACH_TYPE.CGROUP_INET4_POST_BIND },
    { match: 'cgroup/post_bind6', type, attachType: BPF_ATTACH_TYPE.CGROUP_INET6_POST_BIND },
  ],
  program: CgroupSockProgram,
});
