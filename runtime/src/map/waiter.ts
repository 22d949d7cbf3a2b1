import type { Fd, Kernel, Watch } from '../kernel/kernel.js';

/**
 * Waits on the event loop until there may be records. Keeps the process alive while it waits. `pollInterval`
 * (milliseconds) looks by the clock as well, for records whose program suppresses the wake-up.
 */
export class Waiter {
  readonly #kernel: Kernel;
  readonly #fds: readonly Fd[];
  readonly #interval: number | undefined;
  readonly #ready: () => void;
  #watches: Watch[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;
  #next: ReturnType<typeof setImmediate> | undefined;

  constructor(kernel: Kernel, fds: readonly Fd[], interval: number | undefined, ready: () => void) {
    this.#kernel = kernel;
    this.#fds = fds;
    this.#interval = interval;
    this.#ready = ready;
  }

  start(): void {
    if (this.#watches.length > 0) return;
    // A wake-up while a turn is already due has nothing to add.
    const woken = () => {
      if (this.#next === undefined) this.#ready();
    };
    try {
      for (const fd of this.#fds) this.#watches.push(this.#kernel.watch(fd, woken));
      if (this.#interval !== undefined) this.#timer = setInterval(woken, this.#interval);
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  /** Calls back in the next turn of the event loop, whether or not anything becomes readable. */
  again(): void {
    this.#next ??= setImmediate(() => {
      this.#next = undefined;
      this.#ready();
    });
  }

  stop(): void {
    const watches = this.#watches;
    this.#watches = [];
    for (const watch of watches) watch.stop();
    clearInterval(this.#timer);
    this.#timer = undefined;
    clearImmediate(this.#next);
    this.#next = undefined;
  }
}

// Longest time in milliseconds that records may hold up everything else on the event loop, and how often to look at
// the clock.
const TURN = 5;
const CHECK_EVERY = 64;

/** Tells when a loop over records has to let the event loop go on. */
export class Turn {
  #count = 0;
  #began = performance.now();

  begin(): void {
    this.#count = 0;
    this.#began = performance.now();
  }

  /** Counts one record; true when the turn has lasted long enough. */
  over(): boolean {
    return ++this.#count % CHECK_EVERY === 0 && performance.now() - this.#began > TURN;
  }
}
