import { alignUp } from '../bytes.js';
import { BPF_RINGBUF_BUSY_BIT, BPF_RINGBUF_DISCARD_BIT, BPF_RINGBUF_HDR_SZ } from '../uapi.js';
import { Readable } from './readable.js';

/** Room in a ring for a record that is not readable yet; `bytes` is where to write it. */
export interface Reservation {
  readonly bytes: Uint8Array;
  /** Makes the record readable. Without `wakeup` (BPF_RB_NO_WAKEUP) nobody is told. */
  submit(options?: { wakeup?: boolean }): void;
  /** Gives the record up: readers pass over it. */
  discard(): void;
}

/** The memory of a ring buffer and the programs' side of it, as kernel/bpf/ringbuf.c. */
export class FakeRing extends Readable {
  readonly size: number;
  /** The consumer's page, and the producer's page followed by the data twice. */
  readonly consumerPage: ArrayBuffer;
  readonly dataPages: ArrayBuffer;
  /** Records for which there was no room. */
  lost = 0;
  readonly #consumer: BigUint64Array;
  readonly #producer: BigUint64Array;
  readonly #data: Uint8Array;
  readonly #headers: Int32Array;

  constructor(size: number, pageSize: number) {
    super();
    this.size = size;
    this.consumerPage = new ArrayBuffer(pageSize);
    this.dataPages = new ArrayBuffer(pageSize + 2 * size);
    this.#consumer = new BigUint64Array(this.consumerPage, 0, 1);
    this.#producer = new BigUint64Array(this.dataPages, 0, 1);
    this.#data = new Uint8Array(this.dataPages, pageSize);
    this.#headers = new Int32Array(this.dataPages, pageSize);
  }

  /** Bytes that nobody has taken yet. */
  get pending(): number {
    return Number(BigInt.asUintN(64, Atomics.load(this.#producer, 0) - Atomics.load(this.#consumer, 0)));
  }

  override readable(): boolean {
    return this.pending > 0;
  }

  /** Starts both positions elsewhere, for tests of what happens when they wrap. Only while the ring is empty. */
  startAt(position: bigint): void {
    this.#consumer[0] = position;
    this.#producer[0] = position;
  }

  /** bpf_ringbuf_reserve: undefined when there is no room. */
  reserve(length: number): Reservation | undefined {
    const total = alignUp(length + BPF_RINGBUF_HDR_SZ, 8);
    if (this.pending + total > this.size - 1) {
      this.lost++;
      return undefined;
    }
    const position = Atomics.load(this.#producer, 0);
    const at = Number(position & BigInt(this.size - 1));
    this.#header(at, length | BPF_RINGBUF_BUSY_BIT);
    Atomics.store(this.#producer, 0, BigInt.asUintN(64, position + BigInt(total)));
    const start = at + BPF_RINGBUF_HDR_SZ;
    return {
      bytes: this.#data.subarray(start, start + length),
      submit: ({ wakeup = true } = {}) => {
        this.#mirror(start, length);
        this.#header(at, length);
        if (wakeup) this.wake();
      },
      discard: () => {
        this.#header(at, length | BPF_RINGBUF_DISCARD_BIT);
        this.wake();
      },
    };
  }

  /** Writes `header` where a record's length stands: to play a kernel that has gone wrong. */
  corrupt(offset: number, header: number): void {
    this.#header(offset, header);
  }

  #header(at: number, value: number): void {
    Atomics.store(this.#headers, at >> 2, value | 0);
    Atomics.store(this.#headers, (at + this.size) >> 2, value | 0);
  }

  /** Both images of the data show the same: what was written in one goes into the other. */
  #mirror(start: number, length: number): void {
    const end = start + length;
    const inFirst = Math.min(end, this.size);
    if (start < inFirst) this.#data.copyWithin(start + this.size, start, inFirst);
    const inSecond = Math.max(start, this.size);
    if (inSecond < end) this.#data.copyWithin(inSecond - this.size, inSecond, end);
  }
}
