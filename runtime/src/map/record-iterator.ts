import { BpfError } from '../errors.js';
import { handOn } from './delivery.js';
import type { RecordReader } from './record-reader.js';
import type { Consumer, Source } from './record-source.js';
import type { AnyStreamOptions } from './subscription.js';
import { Turn, Waiter } from './waiter.js';

interface Waiting<T> {
  resolve(result: IteratorResult<T, undefined>): void;
  reject(error: unknown): void;
}

/**
 * Records in turn, for `for await`. As AsyncIterableIterator, which takes another number of type arguments since TypeScript
 * 5.6.
 */
export interface Records<T> extends AsyncIterator<T, undefined> {
  next(): Promise<IteratorResult<T, undefined>>;
  return(): Promise<IteratorResult<T, undefined>>;
  [Symbol.asyncIterator](): Records<T>;
}

/**
 * Records for `for await`, decoded one at a time straight from the buffer: what a loop has not asked for stays there.
 * The process stays alive while the loop waits for a record.
 */
export class RecordIterator<T> implements Records<T>, Consumer {
  readonly #source: Source<T>;
  readonly #options: AnyStreamOptions;
  readonly #turn = new Turn();
  readonly #abort = () => this.#end();
  #resting: ReturnType<typeof setImmediate> | undefined;
  #reader: RecordReader | undefined;
  #waiter: Waiter | undefined;
  /** Calls of next() that wait, oldest first. `for await` never has more than one. */
  readonly #waiting: Waiting<T>[] = [];
  /** What was in the buffer when its memory went, last record first. */
  #left: T[] = [];
  /** Nothing more will be written: end when the buffer is empty. */
  #last = false;
  #done: boolean;
  /** The event loop is due before the next record. */
  #yield = false;

  constructor(source: Source<T>, options: AnyStreamOptions) {
    this.#source = source;
    this.#options = options;
    this.#done = options.signal?.aborted ?? false;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    try {
      const left = this.#left.pop();
      if (left !== undefined) return Promise.resolve({ value: left, done: false });
      if (this.#done || this.#options.signal?.aborted) return this.return();
      this.#start();
      const result = this.#waiting.length === 0 && !this.#yield ? this.#pull() : undefined;
      if (result?.done) this.#end();
      if (result !== undefined) {
        this.#rest();
        return Promise.resolve(result);
      }
      return new Promise((resolve, reject) => {
        this.#waiting.push({ resolve, reject });
        this.#wait();
      });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** What `break` calls: ends the stream and leaves the buffer to the next consumer. */
  return(): Promise<IteratorResult<T, undefined>> {
    this.#left = [];
    this.#end();
    return Promise.resolve({ value: undefined, done: true });
  }

  /** Part of how the object ends; leave the loop instead. */
  finish(closing: boolean): void {
    this.#last = true;
    this.#serve();
    if (closing && !this.#done) {
      // The loop cannot run before the memory is gone.
      for (let result = this.#tryPull(); result !== undefined && !result.done; result = this.#tryPull()) {
        this.#left.push(result.value);
      }
      this.#left.reverse();
      this.#end();
    }
  }

  /** Becomes the consumer, when a record is first asked for and again after an error. */
  #start(): void {
    this.#source.claim(this, this.#options.onLost);
    if (this.#reader !== undefined) return;
    try {
      this.#reader = this.#source.reader();
      const { fds } = this.#reader;
      this.#waiter = new Waiter(this.#source.kernel, fds, this.#options.pollInterval, () => this.#ready());
      this.#options.signal?.addEventListener('abort', this.#abort, { once: true });
    } catch (error) {
      this.#source.unclaim(this);
      throw error;
    }
  }

  /**
   * The next record if there is one. An error ends the loop that gets it, but not the stream: another `for await` over
   * the map goes on behind the bad record.
   */
  #pull(): IteratorResult<T, undefined> | undefined {
    const reader = this.#reader;
    const { onError } = this.#options;
    try {
      while (reader?.next()) {
        if (this.#turn.over()) this.#yield = true;
        try {
          return { value: this.#source.decode(reader), done: false };
        } catch (error) {
          handOn(error, reader, onError);
        }
      }
    } catch (error) {
      reader?.release();
      this.#waiter?.stop();
      this.#source.unclaim(this);
      throw error;
    }
    reader?.release();
    return this.#last ? { value: undefined, done: true } : undefined;
  }

  /** As #pull, for records that nobody waits for: the bad ones among them are only counted. */
  #tryPull(): IteratorResult<T, undefined> | undefined {
    for (;;) {
      try {
        return this.#pull();
      } catch (error) {
        // A record that does not decode: RecordSource counted it. Anything else would come again.
        if (!(error instanceof BpfError && error.code === 'ERR_BPF_RECORD')) return undefined;
      }
    }
  }

  #wait(): void {
    if (this.#yield) {
      this.#waiter?.again();
      return;
    }
    try {
      this.#waiter?.start();
    } catch (error) {
      this.#source.unclaim(this);
      for (const { reject } of this.#waiting.splice(0)) reject(error);
      return;
    }
    // What came between the look and the wait may not wake it.
    if ((this.#reader?.available() ?? 0) > 0) this.#waiter?.again();
  }

  #ready(): void {
    this.#source.woken();
    this.#yield = false;
    this.#turn.begin();
    this.#serve();
  }

  /** Gives records to those who wait. With nobody waiting there is nothing to be woken for. */
  #serve(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      try {
        const result = this.#pull();
        if (result === undefined) {
          this.#wait();
          return;
        }
        if (result.done) {
          this.#end();
          return;
        }
        this.#waiting.shift();
        first.resolve(result);
      } catch (error) {
        this.#waiting.shift();
        first.reject(error);
      }
    }
    this.#rest();
  }

  /**
   * Gives back the room of what was taken and stops waiting, unless the loop asks for the next record right away: to stop
   * and start again costs system calls.
   */
  #rest(): void {
    this.#resting ??= setImmediate(() => {
      this.#resting = undefined;
      this.#reader?.release();
      if (this.#waiting.length === 0) this.#waiter?.stop();
    });
  }

  #end(): void {
    this.#done = true;
    this.#options.signal?.removeEventListener('abort', this.#abort);
    this.#waiter?.stop();
    if (this.#reader !== undefined) {
      this.#reader.release();
      this.#reader = undefined;
      this.#source.unclaim(this);
    }
    for (const { resolve } of this.#waiting.splice(0)) resolve({ value: undefined, done: true });
  }
}
