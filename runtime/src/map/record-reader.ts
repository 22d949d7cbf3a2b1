import type { Fd } from '../kernel/kernel.js';

/**
 * Takes records out of memory that the kernel fills. After `next()` returned true the record lies in `view` from
 * `start` to `end`, until the next call of any method.
 */
export interface RecordReader {
  /** Readable while there is something to take. */
  readonly fds: readonly Fd[];
  readonly view: DataView;
  readonly start: number;
  readonly end: number;
  /** The CPU whose program wrote the record, where each has a buffer; -1 elsewhere. */
  readonly cpu: number;
  /** Which of the buffers the record is from, where there are several. */
  readonly index: number;
  /** Records that were reserved and then given up by their program. */
  readonly discarded: number;
  /** How often there was nothing to take but a record that its program is still writing. */
  readonly busy: number;
  /** Records that the kernel dropped for want of room, where it counts them. */
  readonly lost: number;
  /** Bytes of the buffer, without its headers. */
  readonly size: number;
  /** Bytes that wait to be taken. */
  available(): number;
  /**
   * Steps to the next record; false when there is none now.
   * @throws MalformedError when the memory cannot be what the kernel writes.
   */
  next(): boolean;
  /** Gives the room of the records taken so far back to the kernel. */
  release(): void;
  close(): void;
}

/** Hears how many records the kernel had no room for, and on which CPU. */
export type LostListener = (count: number, cpu: number) => void;
