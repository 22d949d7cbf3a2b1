import { isBpfError } from '../errors.js';
import type { Fd, Kernel } from '../kernel/kernel.js';

/**
 * A file or directory to attach to: by path, by a descriptor that is open, or by what has one, such as the FileHandle of
 * `node:fs/promises`. The descriptor stays the caller's, and may be closed once `attach` returns.
 */
export type FileTarget = string | Fd | { readonly fd: Fd };

/** How a target is called in messages. */
export function nameOfTarget(target: FileTarget): string {
  return typeof target === 'string' ? target : `descriptor ${fdOf(target)}`;
}

/** A path under which the target can be looked at. */
export function pathOfTarget(target: FileTarget): string {
  return typeof target === 'string' ? target : `/proc/self/fd/${fdOf(target)}`;
}

/** A descriptor of the target that is ours to close. A path is opened to read, or also to `write`. */
export function openTarget(kernel: Kernel, target: FileTarget, write = false): Fd {
  return typeof target === 'string' ? kernel.openFile(target, write) : kernel.duplicate(fdOf(target));
}

/** Magic number of the file system a path lies in; undefined when there is no such path, 0 when this process may not look. */
export function fileSystemOf(kernel: Kernel, path: string): number | undefined {
  try {
    return kernel.fileSystem(path);
  } catch (error) {
    if (!isBpfError(error)) throw error;
    return 0;
  }
}

function fdOf(target: Fd | { readonly fd: Fd }): Fd {
  return typeof target === 'number' ? target : target.fd;
}
