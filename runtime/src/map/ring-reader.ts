import { MalformedError } from '../errors.js';
import type { Fd, Mapping } from '../kernel/kernel.js';
import { BPF_RINGBUF_DISCARD_BIT, BPF_RINGBUF_HDR_SZ } from '../uapi.js';
import type { MapHandle } from './map.js';
import { mapText } from './map-error.js';
import type { RecordReader } from './record-reader.js';

const LENGTH_MASK = 0x3fffffff;

/**
 * The user space side of kernel/bpf/ringbuf.c; takes records as libbpf's ringbuf_process_ring does. The positions only
 * grow (unsigned long, they may wrap); the kernel maps the data twice in a row, so no record is ever split.
 * Atomics give the ordering: a length is read before the data it announces, and the consumer position is stored after
 * the data was used.
 */
export class RingReader implements RecordReader {
  readonly fds: readonly Fd[];
  readonly view: DataView;
  readonly size: number;
  start = 0;
  end = 0;
  readonly cpu = -1;
  readonly index = 0;
  discarded = 0;
  busy = 0;
  readonly lost = 0;
  readonly #text: string;
  readonly #consumerPage: Mapping;
  readonly #dataPages: Mapping;
  readonly #consumer: BigUint64Array;
  readonly #producer: BigUint64Array;
  readonly #headers: Int32Array;
  readonly #mask: number;
  /** Give room back at the latest after so many bytes: rarely enough to cost nothing, soon enough for the producers. */
  readonly #stride: number;
  /** Consumer position as it was when the records at hand were counted, and the same as an offset into the data. */
  #position = 0n;
  #base = 0;
  /** Bytes from `#position`: what the kernel had written, what was taken, what was given back. */
  #written = 0;
  #taken = 0;
  #released = 0;
  #closed = false;

  constructor(handle: MapHandle) {
    const { kernel, maxEntries: size } = handle;
    const fd = handle.fd();
    this.fds = [fd];
    this.size = size;
    this.#text = `ring buffer of ${mapText(handle)}`;
    this.#mask = size - 1;
    this.#stride = size / 8;
    this.#consumerPage = kernel.mmap(fd, 0, kernel.pageSize, true);
    try {
      this.#dataPages = kernel.mmap(fd, kernel.pageSize, kernel.pageSize + 2 * size, false);
    } catch (error) {
      this.#consumerPage.close();
      throw error;
    }
    const { buffer } = this.#dataPages;
    this.#consumer = new BigUint64Array(this.#consumerPage.buffer, 0, 1);
    this.#producer = new BigUint64Array(buffer, 0, 1);
    this.#headers = new Int32Array(buffer, kernel.pageSize, size / 2);
    this.view = new DataView(buffer, kernel.pageSize, 2 * size);
  }

  /** Bytes that consumers have taken since the buffer was made; another process may be one. */
  get consumed(): bigint {
    return Atomics.load(this.#consumer, 0);
  }

  /** Bytes that programs have reserved since the buffer was made. */
  get produced(): bigint {
    return Atomics.load(this.#producer, 0);
  }

  available(): number {
    const { consumed } = this;
    return Number(BigInt.asUintN(64, this.produced - consumed));
  }

  next(): boolean {
    if (this.#taken - this.#released >= this.#stride) this.release();
    for (;;) {
      if (this.#taken === this.#written && !this.#recount()) return false;
      const at = (this.#base + this.#taken) & this.#mask;
      const header = Atomics.load(this.#headers, at >> 2);
      // The busy bit, which is the sign: its program is still writing, and the order of records is kept.
      if (header < 0) {
        this.busy++;
        return false;
      }
      const length = header & LENGTH_MASK;
      const total = (length + BPF_RINGBUF_HDR_SZ + 7) & ~7;
      if (total > this.#written - this.#taken) throw this.#corrupt(at, length);
      this.#taken += total;
      if ((header & BPF_RINGBUF_DISCARD_BIT) === 0) {
        this.start = at + BPF_RINGBUF_HDR_SZ;
        this.end = this.start + length;
        return true;
      }
      this.discarded++;
    }
  }

  release(): void {
    if (this.#released === this.#taken || this.#closed) return;
    this.#released = this.#taken;
    Atomics.store(this.#consumer, 0, BigInt.asUintN(64, this.#position + BigInt(this.#taken)));
  }

  close(): void {
    if (this.#closed) return;
    this.release();
    this.#closed = true;
    this.#taken = this.#written;
    this.#dataPages.close();
    this.#consumerPage.close();
  }

  /** Looks how far the kernel is by now. False when everything is taken. */
  #recount(): boolean {
    this.release();
    if (this.#closed) return false;
    // Read back rather than remembered: a map that is pinned may have another reader.
    this.#position = Atomics.load(this.#consumer, 0);
    const ahead = BigInt.asUintN(64, Atomics.load(this.#producer, 0) - this.#position);
    this.#base = Number(this.#position & BigInt(this.#mask));
    this.#taken = 0;
    this.#released = 0;
    this.#written = 0;
    if (ahead > BigInt(this.size)) {
      throw new MalformedError(
        this.#text,
        this.#base,
        `the producer is ${ahead} bytes ahead in a buffer of ${this.size}; is another process reading it?`,
      );
    }
    this.#written = Number(ahead);
    return this.#written > 0;
  }

  #corrupt(at: number, length: number): MalformedError {
    const left = this.#written - this.#taken;
    return new MalformedError(
      this.#text,
      at,
      `a record says it has ${length} bytes, but ${left} with its header are written; is another process reading it?`,
    );
  }
}
