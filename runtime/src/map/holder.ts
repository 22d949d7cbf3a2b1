import type { Fd } from '../kernel/kernel.js';
import type { MapHandle } from './map.js';

/** A descriptor, or something that has one: a program, a map, a socket of one's own. */
export type HasFd = Fd | { readonly fd: Fd };

/** The descriptor of `thing`. */
export function fdOf(thing: HasFd): Fd {
  return typeof thing === 'number' ? thing : thing.fd;
}

/** Calls `use` with a descriptor: that of `thing`, or one of the file or directory at a path, which is closed again. */
export function withFd<T>({ kernel }: MapHandle, thing: HasFd | string, use: (fd: Fd) => T): T {
  if (typeof thing !== 'string') return use(fdOf(thing));
  const fd = kernel.openFile(thing);
  try {
    return use(fd);
  } finally {
    kernel.close(fd);
  }
}
