import { MalformedError } from '../errors.js';
import { Delivery, type RecordListener } from './delivery.js';
import type { LostListener, RecordReader } from './record-reader.js';
import type { Consumer, RecordErrorListener, Source } from './record-source.js';
import { Turn, Waiter } from './waiter.js';

/** How a stream of records behaves. */
export interface StreamOptions {
  /** Ends the stream, without an error. */
  readonly signal?: AbortSignal;
  /** Takes the records that cannot be decoded, and the stream goes on. Without it they are thrown. */
  readonly onError?: RecordErrorListener;
  /**
   * Milliseconds after which to look even if nothing woke the process: for programs that submit with
   * BPF_RB_NO_WAKEUP. By default only the kernel's wake-ups count, and waiting costs no CPU time.
   */
  readonly pollInterval?: number;
}

/** Stream options of all kinds of buffers; which of them a map takes is for its class to say. */
export interface AnyStreamOptions extends StreamOptions {
  readonly onLost?: LostListener;
}

/** A function that gets records until it is stopped. While it is active the process stays alive. */
export class Subscription<T = unknown> implements Consumer, Disposable {
  readonly #source: Source<T>;
  readonly #delivery: Delivery<T>;
  readonly #options: AnyStreamOptions;
  readonly #reader: RecordReader;
  readonly #waiter: Waiter;
  readonly #turn = new Turn();
  readonly #abort = () => this.stop();
  #active = false;
  #draining = false;

  /** Starts at once, unless the signal is already aborted. */
  constructor(source: Source<T>, listener: RecordListener<T>, options: AnyStreamOptions) {
    this.#source = source;
    this.#delivery = new Delivery(source, listener, options.onError);
    this.#options = options;
    this.#reader = source.reader();
    this.#waiter = new Waiter(source.kernel, this.#reader.fds, options.pollInterval, () => this.#ready());
    if (options.signal?.aborted) return;
    source.claim(this, options.onLost);
    try {
      this.#waiter.start();
    } catch (error) {
      source.unclaim(this);
      throw error;
    }
    this.#active = true;
    // What came before the wait began may not wake it.
    if (this.#reader.available() > 0) this.#waiter.again();
    options.signal?.addEventListener('abort', this.#abort, { once: true });
  }

  get active(): boolean {
    return this.#active;
  }

  /** Ends the subscription. What was not delivered stays in the buffer. Idempotent. */
  stop(): void {
    if (!this.#active) return;
    this.#active = false;
    this.#options.signal?.removeEventListener('abort', this.#abort);
    this.#waiter.stop();
    this.#reader.release();
    this.#source.unclaim(this);
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  /**
   * Delivers what is in the buffer now, without waiting for the kernel to wake the process: records submitted with
   * BPF_RB_NO_WAKEUP. Returns how many.
   */
  flush(): number {
    // From within the listener: the loop that called it delivers the rest.
    if (this.#draining || !this.#active) return 0;
    const before = this.#source.records;
    const limit = this.#reader.available();
    // A producer may be faster than the listener: what comes after this point is left to the next wake-up.
    this.#drain((taken) => taken >= limit);
    return this.#source.records - before;
  }

  /** Part of how the object ends; call {@link stop} instead. */
  finish(): void {
    try {
      this.flush();
    } finally {
      this.stop();
    }
  }

  #ready(): void {
    if (!this.#active || this.#draining) return;
    this.#source.woken();
    this.#turn.begin();
    this.#drain(() => {
      if (!this.#turn.over()) return false;
      // A perf buffer wakes only once for what it holds: do not wait for another.
      this.#waiter.again();
      return true;
    });
  }

  /** Delivers until `enough` of the bytes taken, the buffer is empty, or the listener stops it. */
  #drain(enough: (taken: number) => boolean): void {
    const reader = this.#reader;
    const delivery = this.#delivery;
    let taken = 0;
    let complete = false;
    this.#draining = true;
    try {
      while (this.#active && this.#next()) {
        delivery.deliver(reader);
        // Room in the buffer that the record took, roughly: enough to end a drain.
        taken += reader.end - reader.start + 8;
        if (enough(taken)) break;
      }
      complete = true;
    } finally {
      this.#draining = false;
      reader.release();
      // The listener threw. That is the caller's to see, and the records after this one are still to come.
      if (!complete && this.#active) this.#waiter.again();
    }
  }

  /** A buffer whose contents make no sense cannot be read any further: that ends the subscription. */
  #next(): boolean {
    try {
      return this.#reader.next();
    } catch (error) {
      if (error instanceof MalformedError) this.stop();
      throw error;
    }
  }
}
