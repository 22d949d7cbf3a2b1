import { BpfError } from '../errors.js';
import type { Fd } from '../kernel/kernel.js';
import type { MapHandle } from './map.js';
import { mapText, operationError } from './map-error.js';

/** A descriptor, or something that has one: a program, a map, a socket of one's own. */
export type HasFd = Fd | { readonly fd: Fd };

/**
 * The descriptor of `thing`.
 * @throws BpfError ERR_BPF_ARGUMENT when it has none, as sockets of Node have
 */
export function fdOf(handle: MapHandle, thing: HasFd): Fd {
  const fd: unknown = typeof thing === 'object' && thing !== null ? thing.fd : thing;
  if (typeof fd === 'number' && Number.isInteger(fd)) return fd;
  throw new BpfError(
    'ERR_BPF_ARGUMENT',
    `put something into ${mapText(handle)}: it takes a descriptor, or an object whose fd is one; sockets of Node do not tell theirs`,
  );
}

/** Calls `use` with a descriptor: that of `thing`, or one of the file or directory at a path, which is closed again. */
export function withFd<T>(handle: MapHandle, thing: HasFd | string, use: (fd: Fd) => T): T {
  const { kernel } = handle;
  if (typeof thing !== 'string') return use(fdOf(handle, thing));
  const fd = open(handle, thing);
  try {
    return use(fd);
  } finally {
    kernel.close(fd);
  }
}

function open(handle: MapHandle, path: string): Fd {
  try {
    return handle.kernel.openFile(path);
  } catch (error) {
    throw operationError(handle, error, 'use a path with');
  }
}
