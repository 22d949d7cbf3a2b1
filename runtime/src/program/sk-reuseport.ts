import type { Link } from '../link/link.js';
import { attachReuseport } from '../link/reuseport.js';
import { type SocketTarget, socketFd } from '../link/socket-target.js';
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { kind, Program } from './program.js';

/**
 * A program that chooses which of the sockets that share a port (SO_REUSEPORT) gets a connection or datagram, from a map
 * REUSEPORT_SOCKARRAY. `SEC("sk_reuseport")`, Linux 4.19; `SEC("sk_reuseport/migrate")` also where the connections of a
 * socket that closes go, Linux 5.14.
 */
export class SkReuseportProgram extends Program {
  /**
   * Attaches to the group of a socket, in place of a program before it: one program chooses for all of them. Detach the
   * link before closing the socket. Throws a BpfError when the socket is in no group, or not of TCP or UDP.
   */
  attach(socket: SocketTarget): Link {
    const { kernel } = this.handle;
    const fd = socketFd(socket);
    const target = `the group of socket ${fd}`;
    return this.handle.own(
      attachReuseport({ kernel, program: this.name, target, prog: this.fd, socket: fd }),
    );
  }
}

/** `SEC("sk_reuseport")`, `SEC("sk_reuseport/migrate")`. */
export const skReuseport = kind({
  kindName: 'skReuseport',
  sections: [
    {
      match: 'sk_reuseport/migrate',
      type: BPF_PROG_TYPE.SK_REUSEPORT,
      attachType: BPF_ATTACH_TYPE.SK_REUSEPORT_SELECT_OR_MIGRATE,
    },
    {
      match: 'sk_reuseport',
      type: BPF_PROG_TYPE.SK_REUSEPORT,
      attachType: BPF_ATTACH_TYPE.SK_REUSEPORT_SELECT,
    },
  ],
  program: SkReuseportProgram,
});
