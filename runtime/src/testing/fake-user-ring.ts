import { alignUp } from '../bytes.js';
import type { MapCreate } from '../kernel/kernel.js';
import { BPF_RINGBUF_BUSY_BIT, BPF_RINGBUF_DISCARD_BIT, BPF_RINGBUF_HDR_SZ } from '../uapi.js';
import { FakeMap, type FakeMapFacts } from './fake-map.js';
import { Readable } from './readable.js';
import { refusal } from './refusal.js';

/** A user ring buffer map, and the programs' side of it, as bpf_user_ringbuf_drain in kernel/bpf/ringbuf.c. */
export class FakeUserRingMap extends FakeMap {
  /** For those who wait until there is room. */
  readonly room: Readable;
  readonly #pageSize: number;
  readonly #consumerPage: ArrayBuffer;
  readonly #dataPages: ArrayBuffer;
  readonly #consumer: BigUint64Array;
  readonly #producer: BigUint64Array;

  constructor(attributes: MapCreate, facts: FakeMapFacts, pageSize: number) {
    super(attributes, facts);
    this.#pageSize = pageSize;
    this.#consumerPage = new ArrayBuffer(pageSize);
    this.#dataPages = new ArrayBuffer(pageSize + 2 * attributes.maxEntries);
    this.#consumer = new BigUint64Array(this.#consumerPage, 0, 1);
    this.#producer = new BigUint64Array(this.#dataPages, 0, 1);
    this.room = new Room(() => this.pending < this.maxEntries);
  }

  /** Bytes that were not drained yet, headers included. */
  get pending(): number {
    return Number(BigInt.asUintN(64, Atomics.load(this.#producer, 0) - Atomics.load(this.#consumer, 0)));
  }

  /** Starts both positions elsewhere, for tests of what happens when they wrap. Only while the ring is empty. */
  startAt(position: bigint): void {
    this.#consumer[0] = position;
    this.#producer[0] = position;
  }

  /** None: a ring has records. */
  override entries(): Iterable<[Uint8Array, Uint8Array]> {
    return [];
  }

  override memory(offset: number, length: number, writable: boolean): ArrayBuffer | undefined {
    if (offset === 0 && length === this.#pageSize) {
      if (writable) throw refusal('mmap', 'EPERM');
      return this.#consumerPage;
    }
    return offset === this.#pageSize && length === this.#dataPages.byteLength ? this.#dataPages : undefined;
  }

  /** Takes up to `most` records; `wakeup` tells those who wait for room. */
  drain(most: number, wakeup: boolean): Uint8Array[] {
    const records: Uint8Array[] = [];
    let seen = 0;
    for (; seen < most; seen++) {
      const position = Atomics.load(this.#consumer, 0);
      if (Atomics.load(this.#producer, 0) === position) break;
      const at = this.#pageSize + Number(position & BigInt(this.maxEntries - 1));
      const header = Atomics.load(new Int32Array(this.#dataPages), at >> 2);
      const length = header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
      const total = alignUp(length + BPF_RINGBUF_HDR_SZ, 8);
      if (total > this.pending) throw refusal('bpf_user_ringbuf_drain', 'EINVAL');
      const discarded = (header & BPF_RINGBUF_DISCARD_BIT) !== 0;
      if (!discarded && header < 0) break;
      if (!discarded) records.push(new Uint8Array(this.#dataPages, at + BPF_RINGBUF_HDR_SZ, length).slice());
      Atomics.store(this.#consumer, 0, BigInt.asUintN(64, position + BigInt(total)));
    }
    if (wakeup && seen > 0) this.room.wake();
    return records;
  }
}

class Room extends Readable {
  readonly #there: () => boolean;

  constructor(there: () => boolean) {
    // Linux tells of each drain, and not that there is still room.
    super(false);
    this.#there = there;
  }

  override readable(): boolean {
    return this.#there();
  }
}
