import type { Libc } from './libc.js';

const SIG_BLOCK = 0;
const SIG_SETMASK = 2;

/** sigset_t of glibc and of musl. */
const SIGSET_SIZE = 128;

const ALL = new Uint8Array(SIGSET_SIZE).fill(0xff);

/**
 * Holds this thread's signals back until `call` is over. The kernel gives up work that takes long when a signal waits,
 * and the signals of a profiler come faster than it can start over. Signals for the process go to other threads, and
 * SIGKILL and SIGSTOP cannot be held back.
 */
export function withoutSignals<T>(libc: Libc, call: () => T): T {
  const before = new Uint8Array(SIGSET_SIZE);
  libc.signalMask(SIG_BLOCK, ALL, before);
  try {
    return call();
  } finally {
    libc.signalMask(SIG_SETMASK, before, null);
  }
}
