import type { Codec } from '../codec/codec.js';
import { BpfError } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import type { MapHandle } from './map.js';
import { mapText } from './map-error.js';
import type { LostListener, RecordReader } from './record-reader.js';

/** What a stream of records has seen. */
export interface RecordStats {
  /** Bytes of the buffer; for perf buffers, of all CPUs together. */
  readonly size: number;
  /** Bytes that wait to be taken, headers included. */
  readonly available: number;
  /** Records delivered. */
  readonly records: number;
  /** Bytes of those, without their headers. */
  readonly bytes: number;
  /** Records that their program reserved and then discarded. */
  readonly discarded: number;
  /** How often the next record was one that its program was still writing: later ones wait for it. */
  readonly busy: number;
  /** Records that could not be decoded. */
  readonly errors: number;
  /** How often a waiting consumer was woken. */
  readonly wakeups: number;
}

/** Whoever takes the records at present. */
export interface Consumer {
  /** Deliver what is left and end: the object was detached, or (`closing`) its memory goes right after this call. */
  finish(closing: boolean): void;
}

/** Where a consumer takes records from: one map, or several at once. */
export interface Source<T> {
  readonly kernel: Kernel;
  /** Records delivered so far. */
  readonly records: number;
  /** The memory of the records. @throws BpfError ERR_BPF_STATE once the object is destroyed. */
  reader(): RecordReader;
  /** Makes `consumer` the one that gets the records. @throws BpfError ERR_BPF_BUSY when there is another. */
  claim(consumer: Consumer, onLost?: LostListener): void;
  unclaim(consumer: Consumer): void;
  /** Decodes the record that `reader` is at. @throws BpfError ERR_BPF_RECORD when it does not fit the type. */
  decode(reader: RecordReader): T;
  /** Counts a wake-up. */
  woken(): void;
}

/** Called for a record that cannot be decoded; `bytes` is a copy. */
export type RecordErrorListener = (error: BpfError, bytes: Uint8Array) => void;

/** The records of one map: opens their memory on first use, decodes, counts, and lets one consumer at a time in. */
export class RecordSource<T> implements Source<T> {
  readonly handle: MapHandle;
  readonly #codec: Codec<T>;
  readonly #openReader: (onLost: LostListener) => RecordReader;
  #reader: RecordReader | undefined;
  #consumer: Consumer | undefined;
  #onLost: LostListener | undefined;
  #errors = 0;
  records = 0;
  bytes = 0;
  #wakeups = 0;

  constructor(handle: MapHandle, codec: Codec<T>, openReader: (onLost: LostListener) => RecordReader) {
    this.handle = handle;
    this.#codec = codec;
    this.#openReader = openReader;
    handle.onDetach?.(() => this.#consumer?.finish(false));
    handle.onClose(() => this.#close());
  }

  get kernel(): Kernel {
    return this.handle.kernel;
  }

  reader(): RecordReader {
    this.#reader ??= this.#openReader((count, cpu) => this.#onLost?.(count, cpu));
    return this.#reader;
  }

  claim(consumer: Consumer, onLost?: LostListener): void {
    if (this.#consumer !== undefined && this.#consumer !== consumer) {
      throw new BpfError(
        'ERR_BPF_BUSY',
        `read ${mapText(this.handle)}: it already has a consumer, and two would each miss what the other takes; end that one first, or pass its records on`,
      );
    }
    this.#consumer = consumer;
    this.#onLost = onLost;
  }

  unclaim(consumer: Consumer): void {
    if (this.#consumer === consumer) this.#consumer = undefined;
  }

  decode(reader: RecordReader): T {
    const length = reader.end - reader.start;
    try {
      if (length >= this.#codec.size) {
        const record = this.#codec.read(reader.view, reader.start, reader.end);
        this.records++;
        this.bytes += length;
        return record;
      }
    } catch (cause) {
      this.#errors++;
      const text = cause instanceof Error ? cause.message : String(cause);
      throw new BpfError('ERR_BPF_RECORD', `decode a record of ${mapText(this.handle)}: ${text}`, { cause });
    }
    this.#errors++;
    throw new BpfError(
      'ERR_BPF_RECORD',
      `decode a record of ${mapText(this.handle)}: it has ${length} bytes, and its type ${this.#codec.size}`,
    );
  }

  woken(): void {
    this.#wakeups++;
  }

  stats(): RecordStats {
    const reader = this.reader();
    return {
      size: reader.size,
      available: reader.available(),
      records: this.records,
      bytes: this.bytes,
      discarded: reader.discarded,
      busy: reader.busy,
      errors: this.#errors,
      wakeups: this.#wakeups,
    };
  }

  #close(): void {
    try {
      this.#consumer?.finish(true);
    } finally {
      this.#consumer = undefined;
      this.#reader?.close();
      this.#reader = undefined;
    }
  }
}
