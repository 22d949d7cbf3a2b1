import type { Fd } from '../kernel/kernel.js';

/**
 * A socket by its descriptor, which stays the caller's. Node keeps those of its sockets to itself (`server._handle.fd`
 * is there, but no promise): take one that was given to the process and to Node as a number, `server.listen({ fd: 3 })`,
 * as systemd's socket activation does.
 */
export type SocketTarget = Fd | { readonly fd: Fd };

export function socketFd(socket: SocketTarget): Fd {
  return typeof socket === 'number' ? socket : socket.fd;
}
