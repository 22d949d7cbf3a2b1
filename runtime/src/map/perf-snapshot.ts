import { MalformedError } from '../errors.js';
import type { Kernel, Mapping } from '../kernel/kernel.js';
import { PERF_RECORD_SAMPLE } from '../uapi.js';
import type { PerfCpuEvent } from './perf-buffers.js';

// struct perf_event_mmap_page: data_head at byte 1024.
const HEAD = 1024 / 8;
const HEADER_SIZE = 8;

/**
 * One CPU's overwritable perf buffer (perf_event_attr.write_backward): the kernel writes each record in front of the one
 * before, so that whatever is whole can be read from the newest on, and laps itself. Mapped read-only, which is what tells
 * the kernel to overwrite.
 */
export class PerfSnapshots {
  readonly cpu: number;
  readonly size: number;
  readonly #event: PerfCpuEvent;
  readonly #what: string;
  readonly #kernel: Kernel;
  readonly #mapping: Mapping;
  readonly #head: BigUint64Array;
  readonly #data: Uint8Array;

  /** `what` names the buffer in errors; `pages` is a power of two. Owns the mapping, not the descriptor. */
  constructor(kernel: Kernel, event: PerfCpuEvent, pages: number, what: string) {
    this.cpu = event.cpu;
    this.size = pages * kernel.pageSize;
    this.#event = event;
    this.#what = what;
    this.#kernel = kernel;
    this.#mapping = kernel.mmap(event.fd, 0, kernel.pageSize + this.size, false);
    this.#head = new BigUint64Array(this.#mapping.buffer, 0, HEAD + 1);
    this.#data = new Uint8Array(this.#mapping.buffer, kernel.pageSize, this.size);
  }

  /** Copies of the records that the buffer holds now, oldest first. It takes no new ones while they are copied. */
  take(): Uint8Array[] {
    const { fd } = this.#event;
    this.#kernel.perfEventPauseOutput(fd, true);
    try {
      return this.#records(this.#copy());
    } finally {
      this.#kernel.perfEventPauseOutput(fd, false);
    }
  }

  close(): void {
    this.#mapping.close();
  }

  /** What was written and not overwritten, newest first. The last record may be cut off. */
  #copy(): Uint8Array {
    // It began at 0 and counts down.
    const head = Atomics.load(this.#head, HEAD);
    const written = BigInt.asUintN(64, -head);
    const at = Number(head & BigInt(this.size - 1));
    const copy = new Uint8Array(this.size);
    copy.set(this.#data.subarray(at));
    copy.set(this.#data.subarray(0, at), this.size - at);
    return written < BigInt(this.size) ? copy.subarray(0, Number(written)) : copy;
  }

  #records(bytes: Uint8Array): Uint8Array[] {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const { littleEndian } = this.#kernel;
    const records: Uint8Array[] = [];
    for (let at = 0; at + HEADER_SIZE <= bytes.length; ) {
      const type = view.getUint32(at, littleEndian);
      const size = view.getUint16(at + 6, littleEndian);
      // The oldest record, whose end was overwritten.
      if (at + size > bytes.length) break;
      if (size < HEADER_SIZE) throw this.#corrupt(at, size);
      if (type === PERF_RECORD_SAMPLE) {
        const length = size < HEADER_SIZE + 4 ? -1 : view.getUint32(at + HEADER_SIZE, littleEndian);
        if (length < 0 || length > size - HEADER_SIZE - 4) throw this.#corrupt(at, size);
        records.push(bytes.subarray(at + HEADER_SIZE + 4, at + HEADER_SIZE + 4 + length));
      }
      at += size;
    }
    return records.reverse();
  }

  #corrupt(at: number, size: number): MalformedError {
    return new MalformedError(this.#what, at, `a record of ${size} bytes cannot be`);
  }
}
