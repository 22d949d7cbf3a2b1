import type { Watch } from '../kernel/kernel.js';
import type { MapHandle } from './map.js';
import type { Reservation, UserRing } from './user-ring.js';

/** How to wait for room in a user ring buffer. */
export interface RoomOptions {
  /** Ends the wait, which is then rejected with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Milliseconds after which to look even if nothing woke the process: for programs that drain with BPF_RB_NO_WAKEUP. */
  readonly pollInterval?: number;
}

/** One who waits. Each function is called at most once. */
interface Waiting {
  readonly size: number;
  resolve(reservation: Reservation): void;
  reject(reason: unknown): void;
}

/** Those who wait for room in a user ring buffer, first come, first served. */
export class RoomQueue {
  readonly #handle: MapHandle;
  readonly #ring: UserRing;
  readonly #waiting: Waiting[] = [];
  #watch: Watch | undefined;

  constructor(handle: MapHandle, ring: UserRing) {
    this.#handle = handle;
    this.#ring = ring;
  }

  async wait(size: number, { signal, pollInterval }: RoomOptions): Promise<Reservation> {
    this.#ring.check(size);
    signal?.throwIfAborted();
    const now = this.#waiting.length === 0 ? this.#ring.reserve(size) : undefined;
    if (now !== undefined) return now;
    return new Promise((resolve, reject) => {
      const timer = pollInterval === undefined ? undefined : setInterval(() => this.#serve(), pollInterval);
      const ended = () => {
        clearInterval(timer);
        signal?.removeEventListener('abort', abort);
      };
      const waiting: Waiting = {
        size,
        resolve(reservation) {
          ended();
          resolve(reservation);
        },
        reject(reason) {
          ended();
          reject(reason);
        },
      };
      const abort = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        waiting.reject(signal?.reason);
        // Those behind may want less.
        this.#serve();
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiting.push(waiting);
      this.#start();
    });
  }

  /** Rejects everybody. */
  close(reason: unknown): void {
    this.#stop();
    for (const waiting of this.#waiting.splice(0)) waiting.reject(reason);
  }

  #start(): void {
    try {
      // It is called at once if there is room by now, even too little: what was drained meanwhile is seen.
      this.#watch ??= this.#handle.kernel.watch(this.#handle.fd(), () => this.#serve(), 'writable');
    } catch (error) {
      this.close(error);
    }
  }

  #stop(): void {
    this.#watch?.stop();
    this.#watch = undefined;
  }

  #serve(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const reservation = this.#ring.reserve(first.size);
      if (reservation === undefined) return;
      this.#waiting.shift();
      first.resolve(reservation);
    }
    this.#stop();
  }
}
