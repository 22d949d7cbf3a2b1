import type { BpfError } from '../errors.js';
import { Delivery, type RecordListener } from './delivery.js';
import { RecordIterator, type Records } from './record-iterator.js';
import type { Consumer, Source } from './record-source.js';
import { type StreamOptions, Subscription } from './subscription.js';

/**
 * Records that programs write and this process takes, of one map or of several. One consumer at a time: a record goes to
 * whoever takes it. Records that no consumer takes stay in the buffer until it is full; then programs lose new ones.
 */
export interface RecordStream<T, Options extends StreamOptions = StreamOptions> extends AsyncIterable<T> {
  /**
   * Calls `listener` with every record until the subscription is stopped, the signal aborts, or the object is detached
   * or destroyed (after it got what was left in the buffer). An error it throws is an uncaught exception, as in an event
   * listener, and the stream goes on behind that record; so is, without `onError`, a record that does not fit its type.
   * @throws BpfError ERR_BPF_BUSY when there is a consumer.
   */
  subscribe(listener: RecordListener<T>, options?: Options): Subscription<T>;

  /**
   * Records for `for await`, until `break`, `return`, an abort of the signal, or the object is detached or destroyed (after
   * what was left in the buffer); each ends the loop without an error. A record that does not fit its type goes to
   * `onError`; without it the loop throws, and another loop over the stream goes on behind that record.
   */
  records(options?: Options): Records<T>;

  /** `records()` without options. */
  [Symbol.asyncIterator](): Records<T>;

  /**
   * Takes what is in the buffer now, without waiting and whether or not the program wanted a wake-up. A record that does
   * not fit its type goes to `onError`; without it, it is thrown in its turn: after the records before it were returned.
   * @throws BpfError ERR_BPF_BUSY when there is a consumer: a subscription has `flush()`.
   */
  consume(): T[];
  /** Hands the records to `listener` and returns how many there were. */
  consume(listener: RecordListener<T>, options?: Pick<Options, 'onError'>): number;
}

/** The records of a source. */
export class SourceStream<T, Options extends StreamOptions> implements RecordStream<T, Options> {
  readonly #source: Source<T>;
  /** Of the record behind those that the last consume() returned. */
  #held: BpfError | undefined;

  constructor(source: Source<T>) {
    this.#source = source;
  }

  subscribe(listener: RecordListener<T>, options?: Options): Subscription<T> {
    return new Subscription(this.#source, listener, options ?? {});
  }

  records(options?: Options): Records<T> {
    return new RecordIterator(this.#source, options ?? {});
  }

  [Symbol.asyncIterator](): Records<T> {
    return this.records();
  }

  consume(): T[];
  consume(listener: RecordListener<T>, options?: Pick<Options, 'onError'>): number;
  consume(listener?: RecordListener<T>, options: Pick<StreamOptions, 'onError'> = {}): T[] | number {
    if (listener !== undefined) return this.#drain(listener, options);
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) throw held;
    const records: T[] = [];
    try {
      this.#drain((record) => records.push(record), options);
    } catch (error) {
      if (records.length === 0) throw error;
      // Only errors of this package end a drain of records into an array.
      this.#held = error as BpfError;
    }
    return records;
  }

  #drain(listener: RecordListener<T>, { onError }: Pick<StreamOptions, 'onError'>): number {
    const source = this.#source;
    const reader = source.reader();
    const delivery = new Delivery(source, listener, onError);
    let ended = false;
    const consumer: Consumer = {
      finish() {
        ended = true;
      },
    };
    source.claim(consumer);
    const before = source.records;
    // Producers may be faster: what they add from here on is left for the next call.
    let left = reader.available();
    try {
      while (!ended && left > 0 && reader.next()) {
        left -= reader.end - reader.start + 8;
        delivery.deliver(reader);
      }
    } finally {
      reader.release();
      source.unclaim(consumer);
    }
    return source.records - before;
  }
}
