import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { CgroupProgram } from './cgroup.js';
import { kind, type SectionRule } from './program.js';

/**
 * A program that sees the address a process of a cgroup gives to a socket call, or gets from it, and may change it: bind,
 * connect and sendmsg (Linux 4.17, 4.18), recvmsg (5.2), getpeername and getsockname (5.8), Unix sockets (6.7). 1 lets the
 * call go on, 0 refuses it with EPERM; recvmsg, getpeername and getsockname cannot be refused. `SEC("cgroup/connect4")`.
 *
 * @example using link = skel.progs.to_proxy.attach('/sys/fs/cgroup/shop');
 */
export class CgroupSockAddrProgram extends CgroupProgram {}

const row = (call: string, attachType: keyof typeof BPF_ATTACH_TYPE): SectionRule => ({
  match: `cgroup/${call}`,
  type: BPF_PROG_TYPE.CGROUP_SOCK_ADDR,
  attachType: BPF_ATTACH_TYPE[attachType],
});

/**
 * `SEC("cgroup/CALL4")` and `SEC("cgroup/CALL6")` for bind, connect, sendmsg, recvmsg, getpeername and getsockname;
 * `SEC("cgroup/CALL_unix")` for all of them but bind.
 */
export const cgroupSockAddr = kind({
  kindName: 'cgroupSockAddr',
  sections: [
    row('bind4', 'CGROUP_INET4_BIND'),
    row('bind6', 'CGROUP_INET6_BIND'),
    row('connect4', 'CGROUP_INET4_CONNECT'),
    row('connect6', 'CGROUP_INET6_CONNECT'),
    row('connect_unix', 'CGROUP_UNIX_CONNECT'),
    row('sendmsg4', 'CGROUP_UDP4_SENDMSG'),
    row('sendmsg6', 'CGROUP_UDP6_SENDMSG'),
    row('sendmsg_unix', 'CGROUP_UNIX_SENDMSG'),
    row('recvmsg4', 'CGROUP_UDP4_RECVMSG'),
    row('recvmsg6', 'CGROUP_UDP6_RECVMSG'),
    row('recvmsg_unix', 'CGROUP_UNIX_RECVMSG'),
    row('getpeername4', 'CGROUP_INET4_GETPEERNAME'),
    row('getpeername6', 'CGROUP_INET6_GETPEERNAME'),
    row('getpeername_unix', 'CGROUP_UNIX_GETPEERNAME'),
    row('getsockname4', 'CGROUP_INET4_GETSOCKNAME'),
    row('getsockname6', 'CGROUP_INET6_GETSOCKNAME'),
    row('getsockname_unix', 'CGROUP_UNIX_GETSOCKNAME'),
  ],
  program: CgroupSockAddrProgram,
});
