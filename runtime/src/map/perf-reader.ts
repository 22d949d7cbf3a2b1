import { MalformedError } from '../errors.js';
import type { Fd, Kernel, Mapping } from '../kernel/kernel.js';
import { PERF_RECORD_LOST, PERF_RECORD_SAMPLE } from '../uapi.js';
import type { PerfCpuEvent } from './perf-buffers.js';
import type { LostListener, RecordReader } from './record-reader.js';

// struct perf_event_mmap_page: positions at bytes 1024 and 1032.
const HEAD = 1024 / 8;
const TAIL = 1032 / 8;
const HEADER_SIZE = 8;

/**
 * One CPU's perf buffer (perf_event_open(2), "MMAP layout"). Records are whole multiples of 8 bytes and may wrap around
 * the end of the buffer; those are copied out. Positions only grow.
 */
export class PerfCpuReader implements RecordReader {
  readonly fds: readonly Fd[];
  readonly size: number;
  view: DataView;
  start = 0;
  end = 0;
  readonly index = 0;
  readonly discarded = 0;
  readonly busy = 0;
  lost = 0;
  readonly cpu: number;
  readonly #what: string;
  readonly #onLost: LostListener;
  readonly #littleEndian: boolean;
  readonly #mapping: Mapping;
  readonly #positions: BigUint64Array;
  readonly #data: DataView;
  #scratch = new DataView(new ArrayBuffer(0));
  #position = 0n;
  #base = 0;
  #written = 0;
  #taken = 0;
  #released = 0;
  #closed = false;

  /** `what` names the buffer in errors; `pages` is a power of two. Owns the mapping, not the descriptor. */
  constructor(kernel: Kernel, event: PerfCpuEvent, pages: number, what: string, onLost: LostListener) {
    const { cpu, fd } = event;
    this.fds = [fd];
    this.size = pages * kernel.pageSize;
    this.cpu = cpu;
    this.#what = what;
    this.#onLost = onLost;
    this.#littleEndian = kernel.littleEndian;
    this.#mapping = kernel.mmap(fd, 0, kernel.pageSize + this.size, true);
    this.#positions = new BigUint64Array(this.#mapping.buffer, 0, TAIL + 1);
    this.#data = new DataView(this.#mapping.buffer, kernel.pageSize, this.size);
    this.view = this.#data;
  }

  available(): number {
    const tail = Atomics.load(this.#positions, TAIL);
    return Number(BigInt.asUintN(64, Atomics.load(this.#positions, HEAD) - tail));
  }

  next(): boolean {
    if (this.#taken - this.#released >= this.size / 8) this.release();
    for (;;) {
      if (this.#taken === this.#written && !this.#recount()) return false;
      const at = (this.#base + this.#taken) & (this.size - 1);
      const type = this.#data.getUint32(at, this.#littleEndian);
      const size = this.#data.getUint16(at + 6, this.#littleEndian);
      const left = this.#written - this.#taken;
      if (size < HEADER_SIZE || size > left || (size & 7) !== 0) throw this.#corrupt(at, size);
      this.#taken += size;
      if (this.#read(type, at, size)) return true;
    }
  }

  release(): void {
    if (this.#released === this.#taken || this.#closed) return;
    this.#released = this.#taken;
    Atomics.store(this.#positions, TAIL, BigInt.asUintN(64, this.#position + BigInt(this.#taken)));
  }

  close(): void {
    if (this.#closed) return;
    this.release();
    this.#closed = true;
    this.#taken = this.#written;
    this.#mapping.close();
  }

  #recount(): boolean {
    this.release();
    if (this.#closed) return false;
    this.#position = Atomics.load(this.#positions, TAIL);
    const ahead = BigInt.asUintN(64, Atomics.load(this.#positions, HEAD) - this.#position);
    this.#base = Number(this.#position & BigInt(this.size - 1));
    this.#taken = 0;
    this.#released = 0;
    this.#written = 0;
    if (ahead > BigInt(this.size) || (this.#base & 7) !== 0) {
      throw new MalformedError(
        this.#what,
        this.#base,
        `${ahead} bytes cannot wait in a buffer of ${this.size}`,
      );
    }
    this.#written = Number(ahead);
    return this.#written > 0;
  }

  /** True when it is a sample, which is then at hand. */
  #read(type: number, at: number, size: number): boolean {
    if (type === PERF_RECORD_SAMPLE) {
      this.#unwrap(at, size);
      const length = size < HEADER_SIZE + 4 ? -1 : this.view.getUint32(this.start + 8, this.#littleEndian);
      if (length < 0 || length > size - HEADER_SIZE - 4) throw this.#corrupt(at, size);
      this.start += HEADER_SIZE + 4;
      this.end = this.start + length;
      return true;
    }
    if (type === PERF_RECORD_LOST && size >= 24) {
      this.#unwrap(at, size);
      const count = Number(this.view.getBigUint64(this.start + 16, this.#littleEndian));
      this.lost += count;
      this.#onLost(count, this.cpu);
    }
    // Other records, such as throttling, are about sampling, which a BPF output event does not do.
    return false;
  }

  /** Points `view` and `start` at a record that is in one piece. */
  #unwrap(at: number, size: number): void {
    this.view = this.#data;
    this.start = at;
    const tail = this.size - at;
    if (tail >= size) return;
    if (this.#scratch.byteLength < size) this.#scratch = new DataView(new ArrayBuffer(0x10000));
    const scratch = new Uint8Array(this.#scratch.buffer);
    const { buffer, byteOffset } = this.#data;
    scratch.set(new Uint8Array(buffer, byteOffset + at, tail));
    scratch.set(new Uint8Array(buffer, byteOffset, size - tail), tail);
    this.view = this.#scratch;
    this.start = 0;
  }

  #corrupt(at: number, size: number): MalformedError {
    const left = this.#written - this.#taken;
    return new MalformedError(
      this.#what,
      at,
      `a record of ${size} bytes cannot be: ${left} more are written`,
    );
  }
}
