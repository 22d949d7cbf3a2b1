import { readlinkSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { duplicate, goodFd } from './descriptors.js';
import { ERRNO, syscallError } from './errno.js';
import { Fields } from './fields.js';
import type { Fd, Readiness, Watch } from './kernel.js';
import type { Libc } from './libc.js';

const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLLIN = 1;
const EPOLLOUT = 4;
const EPOLLET = 0x80000000;

/** What epoll is asked for. A user ring buffer that is not quite full is always writable: only changes tell something. */
const wanted: Readonly<Record<Readiness, number>> = { readable: EPOLLIN, writable: EPOLLOUT | EPOLLET };

/** `struct epoll_event` is packed on x64 only. */
const EVENT = process.arch === 'x64' ? { token: 4, size: 12 } : { token: 8, size: 16 };
const EVENTS_AT_ONCE = 64;

/** Watches descriptors for the whole thread. */
export interface Poller {
  /** Calls `ready` while `fd` is readable; for a perf event, whenever it may be. Or whenever it becomes writable. */
  watch(fd: Fd, ready: () => void, when?: Readiness): Watch;
}

/** How one descriptor is waited for: `ready` is called on the event loop, at least once after each `resume`. */
interface Waiter {
  /** Waits, and keeps the event loop alive meanwhile. */
  resume(): void;
  /** Stops waiting and lets the event loop end. */
  pause(): void;
}

/** Makes the waiter for the one epoll descriptor of this thread. */
type WaiterFor = (libc: Libc, fd: Fd, ready: () => void) => Waiter;

/**
 * One epoll descriptor holds everything watched, so the event loop waits for one descriptor however many rings there
 * are, with libuv where that works and on a thread of the pool elsewhere. Nothing exists before the first watch.
 */
export function createPoller(libc: Libc, waiterFor: WaiterFor = bestWaiter(libc)): Poller {
  let set: EpollSet | undefined;
  return {
    watch(fd, ready, when = 'readable') {
      set ??= new EpollSet(libc, waiterFor);
      return set.add(fd, ready, when);
    },
  };
}

class EpollSet {
  readonly #libc: Libc;
  readonly #epoll: Fd;
  readonly #waiter: Waiter;
  /** What to call, by the token epoll gives back. Descriptor numbers would come again. */
  readonly #watched = new Map<number, () => void>();
  readonly #events = new Fields(EVENT.size * EVENTS_AT_ONCE);
  readonly #forgetful = new Set<number>();
  #looksLater = false;
  #nextToken = 1;

  constructor(libc: Libc, waiterFor: WaiterFor) {
    this.#libc = libc;
    this.#epoll = goodFd(libc, 'epoll_create1', libc.epollCreate(EPOLL_CLOEXEC));
    this.#waiter = waiterFor(libc, this.#epoll, () => this.#dispatch());
  }

  add(fd: Fd, ready: () => void, when: Readiness): Watch {
    // A duplicate of our own: epoll reports a closed descriptor for as long as its file lives elsewhere (a mapped
    // ring does that) and then lets nobody remove it. It also allows two watches of one descriptor.
    const own = duplicate(this.#libc, fd);
    const token = this.#nextToken++;
    const event = new Fields(EVENT.size).u32(0, wanted[when]).u32(EVENT.token, token);
    if (this.#libc.epollControl(this.#epoll, EPOLL_CTL_ADD, own, event.bytes) < 0) {
      const error = syscallError('epoll_ctl(EPOLL_CTL_ADD)', this.#libc.errno());
      this.#libc.close(own);
      throw error;
    }
    if (isForgetful(own)) {
      this.#forgetful.add(token);
      this.#lookLater();
    }
    this.#watched.set(token, ready);
    if (this.#watched.size === 1) this.#waiter.resume();
    return { stop: () => this.#remove(token, own) };
  }

  #remove(token: number, own: Fd): void {
    if (!this.#watched.delete(token)) return;
    this.#forgetful.delete(token);
    this.#libc.epollControl(this.#epoll, EPOLL_CTL_DEL, own, new Uint8Array(EVENT.size));
    this.#libc.close(own);
    if (this.#watched.size === 0) this.#waiter.pause();
  }

  /**
   * Calls what is ready. An exception leaves at once and becomes an uncaught one; what it kept from being called is
   * still ready, and epoll puts it first next time.
   */
  #dispatch(): void {
    const count = this.#libc.epollWait(this.#epoll, this.#events.bytes, EVENTS_AT_ONCE, 0);
    if (count < 0) {
      const errno = this.#libc.errno();
      if (errno === ERRNO.EINTR) return;
      throw syscallError('epoll_wait', errno);
    }
    const tokens: number[] = [];
    for (let i = 0; i < count; i++) tokens.push(this.#events.readU32(i * EVENT.size + EVENT.token));
    // Looked up late: a callback may stop the watches behind it.
    for (const token of tokens) this.#watched.get(token)?.();
    this.#callForgetful(tokens);
  }

  /**
   * libuv begins to wait in this turn of the event loop or the next, and begins by looking, which uses up what came
   * before: so have a look of our own after that.
   */
  #lookLater(): void {
    if (this.#looksLater) return;
    this.#looksLater = true;
    setImmediate(() =>
      setImmediate(() => {
        this.#looksLater = false;
        this.#callForgetful([]);
      }),
    );
  }

  /** Calls those who may have been woken without a trace, each function once however many descriptors it watches. */
  #callForgetful(called: readonly number[]): void {
    if (this.#forgetful.size === 0) return;
    const done = new Set<(() => void) | undefined>(called.map((token) => this.#watched.get(token)));
    for (const token of [...this.#forgetful]) {
      const ready = this.#watched.get(token);
      if (done.has(ready)) continue;
      done.add(ready);
      ready?.();
    }
  }
}

/**
 * A perf event says only once that there is something to read (perf_poll in kernel/events/core.c), and epoll inside
 * epoll looks twice: what the outer one was told, the inner one does not hear any more.
 */
function isForgetful(fd: Fd): boolean {
  return readlinkSync(`/proc/self/fd/${fd}`) === 'anon_inode:[perf_event]';
}

function bestWaiter(libc: Libc): WaiterFor {
  // A libuv handle of koffi that is open when a worker thread ends takes the process with it.
  return libc.uvPoll !== undefined && isMainThread ? uvWaiter : poolWaiter;
}

/** Waits in the event loop itself: no thread, no timer, no CPU while idle. */
export const uvWaiter: WaiterFor = (libc, fd, ready) => {
  const { uvPoll } = libc;
  if (uvPoll === undefined) throw new TypeError('this runtime has no uv_poll');
  let waiting = false;
  let scheduled = false;
  let handle: ReturnType<typeof uvPoll> | undefined;

  const run = (): void => {
    scheduled = false;
    if (waiting) ready();
  };
  // In setImmediate, which runs in the same turn of the loop: exceptions thrown inside a native callback are
  // swallowed, and promises resolved there wait for other work (Node 26).
  const signalled = (): void => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(run);
  };

  return {
    resume() {
      waiting = true;
      // Kept for the life of the process: a collected handle stops silently, and a second one for the same
      // descriptor aborts.
      if (handle === undefined) handle = uvPoll(fd, signalled);
      else handle.start(signalled);
    },
    pause() {
      waiting = false;
      handle?.stop();
    },
  };
};

const POLLIN = 1;
const POLL_FD = { events: 4, size: 8 } as const;
const EFD_CLOEXEC_NONBLOCK = 0o2004000;
/** A thread inside poll(2) cannot be cancelled and a process does not end before it returns. */
const LONGEST_POLL_MS = 200;

/** Waits on a thread of libuv's pool: for Bun, Deno and worker threads. */
export const poolWaiter: WaiterFor = (libc, fd, ready) => {
  const wake = goodFd(libc, 'eventfd', libc.eventfd(0, EFD_CLOEXEC_NONBLOCK));
  if (!isMainThread) {
    process.once('exit', () => {
      libc.close(wake);
      libc.close(fd);
    });
  }
  const fds = new Fields(2 * POLL_FD.size)
    .u32(0, fd)
    .u16(POLL_FD.events, POLLIN)
    .u32(POLL_FD.size, wake)
    .u16(POLL_FD.size + POLL_FD.events, POLLIN).bytes;
  const one = new Fields(8).u64(0, 1n).bytes;
  const counter = new Uint8Array(8);
  let waiting = false;
  let polling = false;

  const poll = (): void => {
    if (!waiting || polling) return;
    polling = true;
    libc.pollLater(fds, 2, LONGEST_POLL_MS, () => setImmediate(polled));
  };
  const polled = (): void => {
    polling = false;
    libc.read(wake, counter, counter.length);
    try {
      if (waiting) ready();
    } finally {
      poll();
    }
  };

  return {
    resume() {
      waiting = true;
      poll();
    },
    pause() {
      waiting = false;
      if (polling) libc.write(wake, one, one.length);
    },
  };
};
