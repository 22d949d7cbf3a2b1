import type { Watch } from '../kernel/kernel.js';

// Longest delay a timer takes: it only has to exist.
const FOREVER = 0x7fffffff;

/** Something one can wait on as with epoll. */
export abstract class Readable {
  readonly #watches = new Set<() => void>();
  readonly #repeats: boolean;

  /** `repeats`: callbacks go on, one a turn, while there is something to read. Else there is one for each wake-up. */
  constructor(repeats = true) {
    this.#repeats = repeats;
  }

  abstract readable(): boolean;

  /** Tells those who wait. */
  wake(): void {
    for (const schedule of this.#watches) schedule();
  }

  watch(ready: () => void): Watch {
    let due: ReturnType<typeof setImmediate> | undefined;
    const schedule = () => {
      due ??= setImmediate(() => {
        due = undefined;
        if (!this.readable()) return;
        // Before the callback, which may throw: it stays readable then.
        if (this.#repeats) schedule();
        ready();
      });
    };
    // As a real descriptor, it keeps the process alive while somebody waits.
    const alive = setInterval(() => undefined, FOREVER);
    this.#watches.add(schedule);
    if (this.readable()) schedule();
    return {
      stop: () => {
        this.#watches.delete(schedule);
        clearInterval(alive);
        clearImmediate(due);
      },
    };
  }
}
