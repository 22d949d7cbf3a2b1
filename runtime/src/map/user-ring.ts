import { BpfError } from '../errors.js';
import type { Mapping } from '../kernel/kernel.js';
import { BPF_RINGBUF_BUSY_BIT, BPF_RINGBUF_DISCARD_BIT, BPF_RINGBUF_HDR_SZ } from '../uapi.js';
import type { MapHandle } from './map.js';
import { mapText } from './map-error.js';

/** The longest record that programs can be shown (kernel/bpf/helpers.c): they see it as a dynptr. */
const DYNPTR_MAX_SIZE = 0xffffff;

/**
 * Room for one record in a user ring buffer. Programs get it once it is submitted; `using` discards it unless it was.
 */
export class Reservation implements Disposable {
  /** The record: write to it before submit(), and not after. */
  readonly bytes: Uint8Array;
  readonly #ring: UserRing;
  readonly #header: number;
  #open = true;

  constructor(ring: UserRing, bytes: Uint8Array, header: number) {
    this.#ring = ring;
    this.bytes = bytes;
    this.#header = header;
  }

  /** The same bytes, to write numbers to. */
  get view(): DataView {
    const { buffer, byteOffset, length } = this.bytes;
    return new DataView(buffer, byteOffset, length);
  }

  /** Hands the record to the programs. @throws BpfError ERR_BPF_STATE when it was submitted or discarded before. */
  submit(): void {
    if (!this.#open) {
      throw new BpfError('ERR_BPF_STATE', 'submit a record: it was submitted or discarded before');
    }
    this.#open = false;
    this.#ring.commit(this.#header, this.bytes.length, false);
  }

  /** Gives the record up: programs pass over it. Idempotent; nothing after submit(). */
  discard(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#ring.commit(this.#header, this.bytes.length, true);
  }

  [Symbol.dispose](): void {
    this.discard();
  }
}

/**
 * The user space side of a BPF_MAP_TYPE_USER_RINGBUF (libbpf: user_ring_buffer__reserve and its kin). The kernel lets us
 * write the producer's page and the data, which it maps twice in a row, and only read the consumer's page.
 */
export class UserRing {
  readonly size: number;
  records = 0;
  bytes = 0;
  discarded = 0;
  readonly #handle: MapHandle;
  readonly #consumerPage: Mapping;
  readonly #dataPages: Mapping;
  readonly #consumer: BigUint64Array;
  readonly #producer: BigUint64Array;
  readonly #headers: Int32Array;
  readonly #data: Uint8Array;
  #closed = false;

  constructor(handle: MapHandle) {
    const { kernel, maxEntries: size } = handle;
    const fd = handle.fd();
    this.#handle = handle;
    this.size = size;
    this.#consumerPage = kernel.mmap(fd, 0, kernel.pageSize, false);
    try {
      this.#dataPages = kernel.mmap(fd, kernel.pageSize, kernel.pageSize + 2 * size, true);
    } catch (error) {
      this.#consumerPage.close();
      throw error;
    }
    const { buffer } = this.#dataPages;
    this.#consumer = new BigUint64Array(this.#consumerPage.buffer, 0, 1);
    this.#producer = new BigUint64Array(buffer, 0, 1);
    this.#headers = new Int32Array(buffer, kernel.pageSize, size / 2);
    this.#data = new Uint8Array(buffer, kernel.pageSize, 2 * size);
  }

  /** Bytes that programs have not drained yet. */
  get pending(): number {
    const consumed = Atomics.load(this.#consumer, 0);
    return Number(BigInt.asUintN(64, Atomics.load(this.#producer, 0) - consumed));
  }

  /** Throws unless a record of `length` bytes can ever have room. */
  check(length: number): void {
    const most = Math.min(this.size - BPF_RINGBUF_HDR_SZ, DYNPTR_MAX_SIZE);
    if (Number.isInteger(length) && length >= 0 && length <= most) return;
    // At one that is too long the kernel would stop draining for good (E2BIG).
    throw new BpfError(
      'ERR_BPF_RANGE',
      `reserve ${length} bytes in ${mapText(this.#handle)}: its records have 0 to ${most} bytes`,
    );
  }

  reserve(length: number): Reservation | undefined {
    this.check(length);
    const total = (length + BPF_RINGBUF_HDR_SZ + 7) & ~7;
    if (this.size - this.pending < total) return undefined;
    const position = Atomics.load(this.#producer, 0);
    const at = Number(position & BigInt(this.size - 1));
    // The second word, which would be a page offset in the other direction.
    this.#headers[(at >> 2) + 1] = 0;
    Atomics.store(this.#headers, at >> 2, length | BPF_RINGBUF_BUSY_BIT);
    const bytes = this.#data.subarray(at + BPF_RINGBUF_HDR_SZ, at + BPF_RINGBUF_HDR_SZ + length);
    bytes.fill(0);
    Atomics.store(this.#producer, 0, BigInt.asUintN(64, position + BigInt(total)));
    return new Reservation(this, bytes, at >> 2);
  }

  /** Ends a reservation. The store comes after what was written to the record. */
  commit(header: number, length: number, discard: boolean): void {
    if (discard) this.discarded++;
    else {
      this.records++;
      this.bytes += length;
    }
    if (!this.#closed)
      Atomics.store(this.#headers, header, discard ? length | BPF_RINGBUF_DISCARD_BIT : length);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#dataPages.close();
    this.#consumerPage.close();
  }
}
