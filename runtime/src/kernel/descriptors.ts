import { ERRNO, syscallError } from './errno.js';
import type { Kernel } from './kernel.js';
import type { Libc } from './libc.js';

const F_DUPFD_CLOEXEC = 1030;
const O_RDWR = 2;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;

/** Number of the first descriptor that is not one of the standard streams. */
const FIRST_FD = 3;

/** A duplicate of `fd`, close-on-exec and never 0-2. */
export function duplicate(libc: Libc, fd: number): number {
  const copy = libc.fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD);
  if (copy < 0) throw syscallError('fcntl(F_DUPFD_CLOEXEC)', libc.errno());
  return copy;
}

/**
 * The result of a call that makes a descriptor: refusals throw, and a descriptor among the standard streams (they
 * can be closed) is moved, because bpf(2) reads 0 as "none". libbpf does the same in ensure_good_fd.
 */
export function goodFd(libc: Libc, syscall: string, fd: number, subject?: string): number {
  if (fd < 0) throw syscallError(syscall, libc.errno(), subject);
  if (fd >= FIRST_FD) return fd;
  try {
    return duplicate(libc, fd);
  } finally {
    libc.close(fd);
  }
}

export function descriptorCalls(
  libc: Libc,
): Pick<Kernel, 'close' | 'duplicate' | 'openFile' | 'pidfdOpen' | 'read'> {
  return {
    close(fd) {
      // Linux has closed the descriptor even when it says EINTR.
      if (libc.close(fd) < 0 && libc.errno() !== ERRNO.EINTR) throw syscallError('close', libc.errno());
    },

    duplicate: (fd) => duplicate(libc, fd),

    openFile(path, write = false) {
      const flags = O_NONBLOCK | O_CLOEXEC | (write ? O_RDWR : 0);
      return goodFd(libc, 'open', libc.open(path, flags, 0), path);
    },

    // Close-on-exec by itself.
    pidfdOpen: (pid) => goodFd(libc, 'pidfd_open', libc.pidfdOpen(pid, 0), `process ${pid}`),

    read(fd, buffer) {
      for (;;) {
        const count = libc.read(fd, buffer, buffer.length);
        if (count >= 0) return count;
        const errno = libc.errno();
        if (errno === ERRNO.EAGAIN) return 0;
        if (errno !== ERRNO.EINTR) throw syscallError('read', errno);
      }
    },
  };
}
