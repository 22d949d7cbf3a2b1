import type { Fd } from '../kernel/kernel.js';
import type { RecordReader } from './record-reader.js';

/** Records that one buffer may give before the next one has its turn. */
const TURN = 64;

/**
 * Several buffers as one. They take turns, so that one that is never empty does not keep the others waiting; there is no
 * order between records of different ones.
 */
export class ReaderGroup implements RecordReader {
  readonly fds: readonly Fd[];
  readonly size: number;
  readonly #readers: readonly RecordReader[];
  readonly #onClose: () => void;
  #current: RecordReader;
  #index = 0;
  /** Records until the turn is over. */
  #left = TURN;

  /** `onClose` runs after the buffers were closed. */
  constructor(readers: readonly [RecordReader, ...RecordReader[]], onClose: () => void = () => undefined) {
    this.#readers = readers;
    this.#onClose = onClose;
    this.#current = readers[0];
    this.fds = readers.flatMap(({ fds }) => fds);
    this.size = readers.reduce((total, { size }) => total + size, 0);
  }

  get view(): DataView {
    return this.#current.view;
  }

  get start(): number {
    return this.#current.start;
  }

  get end(): number {
    return this.#current.end;
  }

  get cpu(): number {
    return this.#current.cpu;
  }

  get index(): number {
    return this.#index;
  }

  get discarded(): number {
    return this.#sum(({ discarded }) => discarded);
  }

  get busy(): number {
    return this.#sum(({ busy }) => busy);
  }

  get lost(): number {
    return this.#sum(({ lost }) => lost);
  }

  available(): number {
    return this.#sum((reader) => reader.available());
  }

  next(): boolean {
    // Once more than there are buffers: the first comes again when its turn was over.
    for (let tried = 0; tried <= this.#readers.length; tried++) {
      if (this.#left > 0 && this.#current.next()) {
        this.#left--;
        return true;
      }
      this.#index = (this.#index + 1) % this.#readers.length;
      this.#current = this.#readers[this.#index] ?? this.#current;
      this.#left = TURN;
    }
    return false;
  }

  release(): void {
    for (const reader of this.#readers) reader.release();
  }

  close(): void {
    for (const reader of this.#readers) reader.close();
    this.#onClose();
  }

  #sum(count: (reader: RecordReader) => number): number {
    return this.#readers.reduce((total, reader) => total + count(reader), 0);
  }
}
