import { BpfError } from '../errors.js';
import type { RecordReader } from './record-reader.js';
import type { RecordErrorListener, Source } from './record-source.js';

/**
 * Gets one record and its bytes; the bytes are valid until the function returns. A function that declares `record` as its
 * only parameter is not given bytes, which would cost more than all the rest of a delivery.
 */
export type RecordListener<T> = (record: T, bytes: Uint8Array) => void;

/** Any listener, once it is known what it may be called with. */
type AnyListener<T> = (record: T, bytes?: Uint8Array, cpu?: number) => void;

/** Hands records to a listener. */
export class Delivery<T> {
  readonly #source: Source<T>;
  readonly #listener: AnyListener<T>;
  readonly #onError: RecordErrorListener | undefined;
  readonly #wantsBytes: boolean;

  constructor(source: Source<T>, listener: RecordListener<T>, onError: RecordErrorListener | undefined) {
    this.#source = source;
    // The class of the map typed it by what the records of that map come with.
    this.#listener = listener as AnyListener<T>;
    this.#onError = onError;
    this.#wantsBytes = listener.length !== 1;
  }

  /**
   * Decodes the record that `reader` is at and hands it on. What the listener throws goes to the caller; so does a
   * decoding error where nobody takes it.
   */
  deliver(reader: RecordReader): void {
    let record: T;
    try {
      record = this.#source.decode(reader);
    } catch (error) {
      handOn(error, reader, this.#onError);
      return;
    }
    // Not as a method: `this` of the listener is its own affair.
    const listener = this.#listener;
    if (!this.#wantsBytes) listener(record);
    else if (reader.cpu < 0) listener(record, bytesOf(reader));
    else listener(record, bytesOf(reader), reader.cpu);
  }
}

/** Gives a decoding error to `onError`, with a copy of the record's bytes; throws it where there is none. */
export function handOn(error: unknown, reader: RecordReader, onError: RecordErrorListener | undefined): void {
  if (onError === undefined || !(error instanceof BpfError)) throw error;
  onError(error, bytesOf(reader).slice());
}

function bytesOf({ view, start, end }: RecordReader): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + start, end - start);
}
