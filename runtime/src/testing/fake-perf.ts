import { alignUp } from '../bytes.js';
import type { PerfEvent } from '../kernel/kernel.js';
import { PERF_RECORD_LOST, PERF_RECORD_SAMPLE } from '../uapi.js';
import { Readable } from './readable.js';

const HEAD = 1024 / 8;
const TAIL = 1032 / 8;
const LOST_SIZE = 24;

/** One perf event: what was asked for, what was attached, and its buffer once it is mapped. */
export class FakePerfEvent extends Readable {
  readonly event: Readonly<PerfEvent>;
  enabled: boolean;
  /** While true nothing is written to the buffer. */
  paused = false;
  /** Id of the program that PERF_EVENT_IOC_SET_BPF attached. */
  programId: number | undefined;
  readonly #pageSize: number;
  readonly #littleEndian: boolean;
  #buffer: ArrayBuffer | undefined;
  #dropped = 0;

  constructor(event: PerfEvent, pageSize: number, littleEndian: boolean) {
    // Linux forgets that an event is readable as soon as somebody looked.
    super(false);
    this.event = event;
    this.enabled = event.disabled !== true;
    this.#pageSize = pageSize;
    this.#littleEndian = littleEndian;
  }

  /**
   * mmap(2) of the event: `length` is one page and a power of two of them. Undefined when it is not. The buffer of an event
   * that writes backwards must be read-only here: then Linux overwrites what is old.
   */
  map(length: number, writable: boolean): ArrayBuffer | undefined {
    if (writable === this.#backward) return undefined;
    const pages = length / this.#pageSize - 1;
    if (!(Number.isInteger(pages) && pages > 0 && (pages & (pages - 1)) === 0)) return undefined;
    this.#buffer ??= new ArrayBuffer(length);
    return this.#buffer;
  }

  override readable(): boolean {
    const positions = this.#positions();
    return positions !== undefined && positions[HEAD] !== positions[TAIL];
  }

  /** bpf_perf_event_output on the event's CPU. False when nobody listens or the buffer is full. */
  output(bytes: Uint8Array): boolean {
    if (this.#buffer === undefined || !this.enabled) return false;
    if (this.paused) {
      this.#dropped++;
      return false;
    }
    const size = alignUp(8 + 4 + bytes.length, 8);
    const record = new Uint8Array(size);
    const view = new DataView(record.buffer);
    this.#header(view, PERF_RECORD_SAMPLE, size);
    view.setUint32(8, size - 12, this.#littleEndian);
    record.set(bytes, 12);
    const lost = this.#dropped > 0 ? LOST_SIZE : 0;
    if (!this.#backward && this.#room() < size + lost) {
      this.#dropped++;
      return false;
    }
    if (lost > 0) this.#writeLost();
    this.#write(record);
    this.wake();
    return true;
  }

  #writeLost(): void {
    const record = new Uint8Array(LOST_SIZE);
    const view = new DataView(record.buffer);
    this.#header(view, PERF_RECORD_LOST, LOST_SIZE);
    view.setBigUint64(16, BigInt(this.#dropped), this.#littleEndian);
    this.#dropped = 0;
    this.#write(record);
  }

  #header(view: DataView, type: number, size: number): void {
    view.setUint32(0, type, this.#littleEndian);
    view.setUint16(6, size, this.#littleEndian);
  }

  get #backward(): boolean {
    return this.event.writeBackward === true;
  }

  #positions(): BigUint64Array | undefined {
    return this.#buffer && new BigUint64Array(this.#buffer, 0, TAIL + 1);
  }

  #room(): number {
    const [data, positions] = [this.#data(), this.#positions()];
    return data.length - Number((positions?.[HEAD] ?? 0n) - (positions?.[TAIL] ?? 0n));
  }

  #data(): Uint8Array {
    return this.#buffer === undefined ? new Uint8Array(0) : new Uint8Array(this.#buffer, this.#pageSize);
  }

  #write(record: Uint8Array): void {
    const [data, positions] = [this.#data(), this.#positions()];
    if (positions === undefined) return;
    const head = BigInt.asUintN(
      64,
      Atomics.load(positions, HEAD) - (this.#backward ? BigInt(record.length) : 0n),
    );
    const at = Number(head % BigInt(data.length));
    const first = Math.min(record.length, data.length - at);
    data.set(record.subarray(0, first), at);
    data.set(record.subarray(first), 0);
    Atomics.store(positions, HEAD, this.#backward ? head : head + BigInt(record.length));
  }
}
