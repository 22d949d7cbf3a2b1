import type { Fd, Kernel } from '../kernel/kernel.js';
import { type Attachment, attachError, errnoOf, type Reason } from './attach-error.js';
import { Link } from './link.js';

/** A program on its way to a group of sockets that share a port. */
export interface ReuseportAttachment extends Attachment {
  readonly kernel: Kernel;
  readonly prog: Fd;
  /** Any of the group. */
  readonly socket: Fd;
}

/** SO_ATTACH_REUSEPORT_EBPF, and SO_DETACH_REUSEPORT_BPF in the end (Linux 5.3). */
export function attachReuseport(attachment: ReuseportAttachment): Link {
  const { kernel, prog, program, target, socket } = attachment;
  try {
    kernel.reuseportAttach(socket, prog);
  } catch (error) {
    throw attachError(attachment, error, whyNot(error));
  }
  return new Link({ kernel, program, target, release: () => detach(kernel, socket) });
}

/** In peace when the program is gone, or the socket, which took its place in the group along. */
function detach(kernel: Kernel, socket: Fd): void {
  try {
    kernel.reuseportDetach(socket);
  } catch (error) {
    const errno = errnoOf(error) ?? '';
    if (!['ENOENT', 'EBADF', 'ENOTSOCK'].includes(errno)) throw error;
  }
}

/** What each errno stands for in sock_setsockopt, sk_reuseport_attach_bpf and reuseport_attach_prog. */
function whyNot(error: unknown): Reason | undefined {
  switch (errnoOf(error)) {
    case 'EINVAL':
      return {
        why: 'the socket shares its port with no other',
        hint: 'Set SO_REUSEPORT on it before it is bound',
      };
    case 'EOPNOTSUPP':
    case 'ENOTSUPP':
      return { why: 'only TCP and UDP sockets over IPv4 and IPv6 share a port' };
    case 'EBADF':
    case 'ENOTSOCK':
      return { why: 'the descriptor is not of a socket' };
    default:
      return undefined;
  }
}
