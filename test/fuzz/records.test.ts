// Whatever the memory of a ring or perf buffer says: records or a BpfError, soon. The kernel writes it, but other
// processes may write to the positions of a pinned map, and a length that is wrong must not be followed.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { raw } from '../../runtime/src/codec/raw.js';
import { BpfError } from '../../runtime/src/errors.js';
import { PerfCpuReader } from '../../runtime/src/map/perf-reader.js';
import { PerfSnapshots } from '../../runtime/src/map/perf-snapshot.js';
import type { RecordReader } from '../../runtime/src/map/record-reader.js';
import { RingReader } from '../../runtime/src/map/ring-reader.js';
import { FakeRingMap } from '../../runtime/src/testing/fake-queue.js';
import { fakeKernel } from '../../runtime/src/testing/index.js';
import { BPF_MAP_TYPE } from '../../runtime/src/uapi.js';
import { liveHandle } from '../unit/live-map.js';

const SIZE = 4096;

/** Reads until there is nothing, or an error. A record takes 8 bytes at least, so there are only so many. */
function drain(reader: RecordReader): void {
  try {
    for (let count = 0; reader.next(); count++) {
      expect(count).toBeLessThan(SIZE / 8);
      expect(raw.read(reader.view, reader.start, reader.end)).toHaveLength(reader.end - reader.start);
    }
    reader.release();
  } catch (error) {
    if (!(error instanceof BpfError)) throw error;
  }
}

/** Words that mean something somewhere, among others. */
const word = fc.oneof(
  fc.constantFrom(
    0,
    8,
    16,
    17,
    9,
    2,
    0x40000000,
    0x80000000,
    0x3fffffff,
    0xffffffff,
    0x7fffffff,
    SIZE,
    SIZE - 8,
  ),
  fc.integer({ min: 0, max: 64 }),
  fc.nat({ max: 0xffffffff }),
);
const words = fc.array(word, { minLength: 1, maxLength: 64 });
const position = fc.oneof(
  fc.bigInt({ min: 0n, max: 8192n }),
  fc.bigInt({ min: 2n ** 64n - 8192n, max: 2n ** 64n - 1n }),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);

/** Fills memory with the words again and again. */
function scribble(memory: ArrayBuffer, from: number, pattern: readonly number[]): void {
  const all = new Uint32Array(memory, from);
  for (let i = 0; i < all.length; i++) all[i] = pattern[i % pattern.length] ?? 0;
}

describe('memory that anybody may have written', () => {
  it('of a ring buffer gives records or an error', () => {
    const kernel = fakeKernel();
    const attributes = { type: BPF_MAP_TYPE.RINGBUF, name: 'r', keySize: 0, valueSize: 0, maxEntries: SIZE };
    const { handle } = liveHandle(kernel, attributes);
    const map = kernel.map('r');
    if (!(map instanceof FakeRingMap)) throw new Error('not a ring');
    const { ring } = map;
    fc.assert(
      fc.property(words, position, position, (pattern, consumer, producer) => {
        scribble(ring.dataPages, SIZE, pattern);
        new BigUint64Array(ring.consumerPage)[0] = consumer;
        new BigUint64Array(ring.dataPages)[0] = producer;
        drain(new RingReader(handle));
      }),
      { numRuns: 2000 },
    );
  });

  it('of a perf buffer gives records or an error', () => {
    const kernel = fakeKernel();
    const fd = kernel.perfEventOpen({ type: 1, config: 10n, pid: -1, cpu: 0 });
    const memory = kernel.mmap(fd, 0, 2 * SIZE, true).buffer;
    fc.assert(
      fc.property(words, position, position, (pattern, tail, head) => {
        scribble(memory, SIZE, pattern);
        const positions = new BigUint64Array(memory, 1024, 2);
        positions[0] = head;
        positions[1] = tail;
        drain(new PerfCpuReader(kernel, { fd, cpu: 0 }, 1, 'buffer', () => undefined));
      }),
      { numRuns: 2000 },
    );
  });

  it('of an overwritable perf buffer gives records or an error', () => {
    const kernel = fakeKernel();
    const fd = kernel.perfEventOpen({ type: 1, config: 10n, writeBackward: true, pid: -1, cpu: 0 });
    const memory = kernel.mmap(fd, 0, 2 * SIZE, false).buffer;
    const buffer = new PerfSnapshots(kernel, { fd, cpu: 0 }, 1, 'buffer');
    fc.assert(
      fc.property(words, position, (pattern, head) => {
        scribble(memory, SIZE, pattern);
        new BigUint64Array(memory, 1024, 1)[0] = head;
        try {
          expect(buffer.take().length).toBeLessThanOrEqual(SIZE / 12);
        } catch (error) {
          if (!(error instanceof BpfError)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });
});
