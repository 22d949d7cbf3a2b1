import { afterEach, describe, expect, it, vi } from 'vitest';
import { RingReader } from '../../runtime/src/map/ring-reader.js';
import { ringbuf } from '../../runtime/src/map/ringbuf.js';
import { FakeRingMap } from '../../runtime/src/testing/fake-queue.js';
import { fakeKernel } from '../../runtime/src/testing/index.js';
import { BPF_MAP_TYPE } from '../../runtime/src/uapi.js';
import { liveMap, Sample, sample, u32 } from './live-map.js';

/** Milliseconds that a busy machine may need. */
const PATIENCE = 15_000;

const attributes = { type: BPF_MAP_TYPE.RINGBUF, name: 'events', keySize: 0, valueSize: 0 };
const busy = { code: 'ERR_BPF_BUSY' };
const ending: (() => void)[] = [];
afterEach(() => {
  for (const end of ending.splice(0)) end();
});

function open(maxEntries = 65_536, shape = ringbuf(Sample)) {
  const kernel = fakeKernel();
  const live = liveMap(kernel, shape, { ...attributes, maxEntries });
  ending.push(live.destroy);
  const fake = kernel.map('events');
  if (!(fake instanceof FakeRingMap)) throw new Error('not a ring');
  const emit = (...pids: number[]) => pids.every((pid) => kernel.emit('events', Sample, sample(pid)));
  return { kernel, ...live, emit, ring: fake.ring };
}

/** One turn of the event loop, and what follows from it. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 1));

/** As kernel.emit, for many records. */
const emitter = (ring: FakeRingMap['ring']) => {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  return (pid: number) => {
    const reservation = ring.reserve(16);
    Sample.write(view, 0, sample(pid));
    reservation?.bytes.set(bytes);
    reservation?.submit();
    return reservation !== undefined;
  };
};

const pids = (records: readonly Sample[]) => records.map(({ pid }) => pid);

describe('consume()', () => {
  it('takes what is there, in order, and then nothing', () => {
    const { map, emit } = open();
    emit(1, 2, 3);
    expect(map.consume()).toEqual([sample(1), sample(2), sample(3)]);
    expect(map.consume()).toEqual([]);
  });

  it('sees records that wake nobody', () => {
    const { map, kernel } = open();
    kernel.emit('events', Sample, sample(1), { wakeup: false });
    expect(pids(map.consume())).toEqual([1]);
  });

  it('hands records to a function, with their bytes', () => {
    const { map, emit } = open();
    emit(7, 8);
    const seen: [number, number, number | undefined][] = [];
    expect(map.consume((record, bytes) => seen.push([record.pid, bytes.length, bytes[0]]))).toBe(2);
    expect(seen).toEqual([
      [7, 16, 7],
      [8, 16, 8],
    ]);
  });

  it('makes no view of the bytes for a function that has no parameter for them', () => {
    const { map, emit } = open();
    const given: number[] = [];
    const count = (list: unknown[]) => given.push(list.length);
    emit(1, 2, 3);
    map.consume(function (_record) {
      // biome-ignore lint/complexity/noArguments: what is given beyond the parameters is the question
      count([...arguments]);
    });
    emit(1);
    map.consume((...all) => count(all));
    expect(given).toEqual([1, 1, 1, 2]);
  });

  it('calls a function without a `this`', () => {
    const { map, emit } = open();
    emit(1, 2);
    const seen: unknown[] = [];
    map.consume(function (this: unknown, _record) {
      seen.push(this);
    });
    emit(3);
    map.consume(function (this: unknown, _record, _bytes) {
      seen.push(this);
    });
    expect(seen).toEqual([undefined, undefined, undefined]);
  });

  it('stops at a record that is being written, and goes on when it is done', () => {
    const { map, emit, kernel } = open();
    emit(1);
    const reservation = kernel.reserve('events', 16);
    emit(3);
    expect(pids(map.consume())).toEqual([1]);
    expect(map.stats()).toMatchObject({ busy: 1, available: 48, produced: 72n, consumed: 24n });
    Sample.write(
      new DataView(reservation?.bytes.buffer ?? new ArrayBuffer(0), reservation?.bytes.byteOffset),
      0,
      sample(2),
    );
    reservation?.submit();
    expect(pids(map.consume())).toEqual([2, 3]);
  });

  it('passes over discarded records', () => {
    const { map, emit, kernel } = open();
    emit(1);
    kernel.reserve('events', 100)?.discard();
    emit(2);
    expect(pids(map.consume())).toEqual([1, 2]);
    expect(map.stats()).toMatchObject({ records: 2, bytes: 32, discarded: 1, available: 0, size: 65_536 });
  });

  it('reads records across the end of the buffer', () => {
    const { map, emit } = open(4096);
    let next = 0;
    for (let round = 0; round < 500; round++) {
      const some = [next++, next++, next++];
      emit(...some);
      expect(pids(map.consume())).toEqual(some);
    }
  });

  it.each([
    ['2^64', 2n ** 64n - 48n],
    ['2^53', 2n ** 53n - 48n],
    ['2^31', 2n ** 31n - 48n],
  ])('follows positions past %s', (_what, position) => {
    const { map, emit, ring } = open(4096);
    ring.startAt(position);
    for (let i = 0; i < 10; i++) {
      emit(i, i + 1);
      expect(pids(map.consume())).toEqual([i, i + 1]);
    }
  });

  it('makes room for the producers', () => {
    const { map, emit, ring } = open(4096);
    let sent = 0;
    while (emit(sent)) sent++;
    expect(sent).toBe(Math.floor(4095 / 24));
    expect(map.consume()).toHaveLength(sent);
    expect(ring.pending).toBe(0);
    expect(emit(sent)).toBe(true);
  });

  it('gives raw bytes, as copies, when records have no type', () => {
    const { map, kernel } = open(4096, ringbuf() as never);
    kernel.emit('events', new Uint8Array([1, 2, 3]));
    kernel.emit('events', new Uint8Array(0));
    const [first, second] = map.consume() as unknown as Uint8Array[];
    while (kernel.emit('events', new Uint8Array(5).fill(9)));
    expect([...(first ?? [])]).toEqual([1, 2, 3]);
    expect(second).toHaveLength(0);
  });

  it('throws a record that does not fit its type in its turn, and goes on behind it', () => {
    const { map, emit, kernel } = open();
    emit(1);
    kernel.emit('events', new Uint8Array(12));
    emit(2);
    expect(pids(map.consume())).toEqual([1]);
    expect(() => map.consume()).toThrow(
      expect.objectContaining({
        code: 'ERR_BPF_RECORD',
        message: 'decode a record of map "events": it has 12 bytes, and its type 16',
      }),
    );
    expect(pids(map.consume())).toEqual([2]);
    expect(map.stats().errors).toBe(1);
  });

  it('gives such a record to onError', () => {
    const { map, emit, kernel } = open();
    kernel.emit('events', new Uint8Array([1, 2]));
    emit(2);
    const onError = vi.fn();
    const seen: number[] = [];
    expect(map.consume(({ pid }) => seen.push(pid), { onError })).toBe(1);
    expect(seen).toEqual([2]);
    expect(onError).toHaveBeenCalledWith(
      expect.objectContaining({ code: 'ERR_BPF_RECORD' }),
      new Uint8Array([1, 2]),
    );
  });

  it('wraps what a codec throws', () => {
    const broken = {
      ...Sample,
      read: () => {
        throw new RangeError('out of bounds');
      },
    };
    const { map, emit } = open(4096, ringbuf(broken));
    emit(1);
    expect(() => map.consume()).toThrow(
      expect.objectContaining({ code: 'ERR_BPF_RECORD', cause: expect.any(RangeError) }),
    );
  });

  it('goes on behind a record whose listener threw', () => {
    const { map, emit } = open();
    emit(1, 2);
    expect(() =>
      map.consume(() => {
        throw new Error('mine');
      }),
    ).toThrow('mine');
    expect(pids(map.consume())).toEqual([2]);
  });

  it('does not let a producer hold it forever', () => {
    const { map, emit } = open();
    emit(1);
    let count = 0;
    map.consume(() => {
      emit(++count);
    });
    expect(count).toBeLessThan(10);
  });

  it('gives room back before it is through', () => {
    const { map, emit } = open(4096);
    while (emit(0));
    let sent = 0;
    map.consume(() => {
      if (emit(1)) sent++;
    });
    expect(sent).toBeGreaterThan(50);
  });

  it('may be ended by its own listener', () => {
    const { map, emit, destroy } = open();
    emit(1, 2, 3);
    expect(map.consume(() => destroy())).toBe(1);
    expect(() => map.consume()).toThrow(expect.objectContaining({ code: 'ERR_BPF_STATE' }));
  });
});

describe('a closed reader', () => {
  it('has no records, and leaves the positions alone', () => {
    const { handle, emit, ring } = open();
    const reader = new RingReader(handle);
    emit(1, 2);
    expect(reader.next()).toBe(true);
    reader.close();
    expect(reader.next()).toBe(false);
    reader.release();
    reader.close();
    expect(ring.pending).toBe(24);
  });
});

describe('a ring whose memory makes no sense', () => {
  it.each([
    ['a length beyond what is written', (ring: FakeRingMap['ring']) => ring.corrupt(0, 0x3fffffff)],
    ['a length just beyond it', (ring: FakeRingMap['ring']) => ring.corrupt(0, 17 + 24)],
    [
      'a producer that is too far ahead',
      (ring: FakeRingMap['ring']) => {
        new BigUint64Array(ring.dataPages, 0, 1)[0] = 1n << 40n;
      },
    ],
    [
      'a producer behind the consumer',
      (ring: FakeRingMap['ring']) => {
        new BigUint64Array(ring.consumerPage, 0, 1)[0] = 1n << 20n;
      },
    ],
  ])('is an error: %s', async (_what, corrupt) => {
    const { map, emit, ring } = open(4096);
    emit(1, 2);
    corrupt(ring);
    const malformed = expect.objectContaining({
      code: 'ERR_BPF_MALFORMED',
      section: 'ring buffer of map "events"',
    });
    expect(() => map.consume()).toThrow(malformed);
    await expect(map.records().next()).rejects.toEqual(malformed);
  });
});

describe('subscribe()', () => {
  it('delivers what was there and what comes', async () => {
    const { map, emit } = open();
    const seen: number[] = [];
    emit(1, 2);
    const subscription = map.subscribe(({ pid }) => seen.push(pid));
    await turn();
    expect(seen).toEqual([1, 2]);
    emit(3);
    await turn();
    expect(seen).toEqual([1, 2, 3]);
    expect(subscription.active).toBe(true);
    subscription.stop();
  });

  it('shows the bytes of each record', async () => {
    const { map, emit } = open();
    const seen: number[][] = [];
    map.subscribe((_record, bytes) => seen.push([...bytes.subarray(0, 5)]));
    emit(258);
    await turn();
    expect(seen).toEqual([[2, 1, 0, 0, 2]]);
  });

  it.each<[string, (how: ReturnType<typeof open> & { stop(): void; abort(): void }) => void]>([
    ['stop()', ({ stop }) => stop()],
    ['its signal', ({ abort }) => abort()],
    ['detaching the object', ({ detach }) => detach()],
    ['destroying the object', ({ destroy }) => destroy()],
  ])('is ended by %s', async (_how, end) => {
    const opened = open();
    const abort = new AbortController();
    const subscription = opened.map.subscribe(() => undefined, { signal: abort.signal });
    end({ ...opened, stop: () => subscription.stop(), abort: () => abort.abort() });
    expect(subscription.active).toBe(false);
    subscription.stop();
  });

  it.each<[string, (how: ReturnType<typeof open>) => void]>([
    ['detached', ({ detach }) => detach()],
    ['destroyed', ({ destroy }) => destroy()],
  ])('delivers what is left when the object is %s', (_how, end) => {
    const opened = open();
    const seen: number[] = [];
    opened.map.subscribe(({ pid }) => seen.push(pid));
    opened.emit(1, 2, 3);
    end(opened);
    expect(seen).toEqual([1, 2, 3]);
  });

  it('leaves the rest in the buffer when it is stopped', async () => {
    const { map, emit } = open();
    emit(1, 2, 3);
    const subscription = map.subscribe(({ pid }) => {
      if (pid === 2) subscription.stop();
    });
    await turn();
    expect(pids(map.consume())).toEqual([3]);
  });

  it('does not begin with an aborted signal', async () => {
    const { map, emit } = open();
    emit(1);
    const listener = vi.fn();
    expect(map.subscribe(listener, { signal: AbortSignal.abort() }).active).toBe(false);
    await turn();
    expect(listener).not.toHaveBeenCalled();
    expect(pids(map.consume())).toEqual([1]);
  });

  it('may be ended by destroying the object from its listener', async () => {
    const { map, emit, destroy } = open();
    const seen: number[] = [];
    emit(1, 2);
    map.subscribe(({ pid }) => {
      seen.push(pid);
      destroy();
    });
    await turn();
    expect(seen).toEqual([1]);
  });

  it('delivers records without a wake-up on flush(), and by the clock with pollInterval', async () => {
    const { map, kernel } = open();
    const seen: number[] = [];
    const quietly = (pid: number) => kernel.emit('events', Sample, sample(pid), { wakeup: false });
    const first = map.subscribe(({ pid }) => seen.push(pid));
    quietly(1);
    await turn();
    expect(seen).toEqual([]);
    expect(first.flush()).toBe(1);
    expect(seen).toEqual([1]);
    first.stop();
    map.subscribe(({ pid }) => seen.push(pid), { pollInterval: 2 });
    quietly(2);
    await vi.waitFor(() => expect(seen).toEqual([1, 2]), PATIENCE);
  });

  it('lets the event loop go on when records do not end', async () => {
    const { map, emit } = open();
    let delivered = 0;
    emit(0);
    // Every record brings the next one.
    const subscription = map.subscribe(({ pid }) => {
      delivered++;
      emit(pid + 1);
    });
    // The clock of waitFor() needs the event loop.
    await vi.waitFor(() => expect(delivered).toBeGreaterThan(500), PATIENCE);
    subscription.stop();
  });

  it('goes on behind a record whose listener throws, which is an uncaught exception', async () => {
    const { map, emit } = open();
    const seen: number[] = [];
    const uncaught = await new Promise((resolve) => {
      const others = process.listeners('uncaughtException');
      process.removeAllListeners('uncaughtException');
      process.once('uncaughtException', (error) => {
        for (const other of others) process.on('uncaughtException', other);
        resolve(error);
      });
      emit(1, 2);
      map.subscribe(({ pid }) => {
        if (pid === 1) throw new Error('mine');
        seen.push(pid);
      });
    });
    await turn();
    expect(uncaught).toMatchObject({ message: 'mine' });
    expect(seen).toEqual([2]);
  });

  it('gives records that do not fit their type to onError', async () => {
    const { map, emit, kernel } = open();
    const onError = vi.fn();
    const seen: number[] = [];
    map.subscribe(({ pid }) => seen.push(pid), { onError });
    kernel.emit('events', u32, 5);
    emit(6);
    await turn();
    expect(onError).toHaveBeenCalledOnce();
    expect(seen).toEqual([6]);
  });

  it('keeps other consumers out while it is active', async () => {
    const { map, emit } = open();
    const subscription = map.subscribe(() => undefined);
    expect(() => map.subscribe(() => undefined)).toThrow(
      'read map "events": it already has a consumer, and two would each miss what the other takes; end that one first, or pass its records on',
    );
    expect(() => map.consume()).toThrow(expect.objectContaining(busy));
    await expect(map.records().next()).rejects.toMatchObject(busy);
    subscription.stop();
    emit(1);
    expect(pids(map.consume())).toEqual([1]);
  });
});

describe('for await', () => {
  it('gets records as they come, until break', async () => {
    const { map, emit } = open();
    const seen: number[] = [];
    emit(1);
    setTimeout(() => emit(2, 3, 4), 1);
    for await (const { pid } of map) {
      seen.push(pid);
      if (pid === 3) break;
    }
    expect(seen).toEqual([1, 2, 3]);
    expect(pids(map.consume())).toEqual([4]);
  });

  it.each<[string, (how: ReturnType<typeof open> & { abort(): void }) => void]>([
    ['its signal', ({ abort }) => abort()],
    ['detaching the object', ({ detach }) => detach()],
    ['destroying the object', ({ destroy }) => destroy()],
  ])('is ended by %s while it waits', async (_how, end) => {
    const opened = open();
    const abort = new AbortController();
    setTimeout(() => end({ ...opened, abort: () => abort.abort() }), 1);
    for await (const record of opened.map.records({ signal: abort.signal })) expect(record).toBeUndefined();
    expect(opened.kernel.openFds.length).toBeLessThan(2);
  });

  it.each<[string, (how: ReturnType<typeof open>) => void, number[]]>([
    ['detached', ({ detach }) => detach(), [1, 2, 3]],
    ['destroyed', ({ destroy }) => destroy(), [1, 2, 3]],
  ])('gets what is left when the object is %s', async (_how, end, expected) => {
    const opened = open();
    opened.emit(1, 2, 3);
    const seen: number[] = [];
    for await (const { pid } of opened.map) {
      seen.push(pid);
      if (pid === 1) end(opened);
    }
    expect(seen).toEqual(expected);
  });

  it('ends at once with an aborted signal', async () => {
    const { map, emit } = open();
    emit(1);
    for await (const record of map.records({ signal: AbortSignal.abort() })) expect(record).toBeUndefined();
    expect(pids(map.consume())).toEqual([1]);
  });

  it('throws a record that does not fit its type; the next loop goes on behind it', async () => {
    const { map, emit, kernel } = open();
    emit(1);
    kernel.emit('events', u32, 5);
    emit(2);
    const seen: number[] = [];
    const read = async () => {
      for await (const { pid } of map) {
        seen.push(pid);
        if (pid === 2) return;
      }
    };
    await expect(read()).rejects.toMatchObject({ code: 'ERR_BPF_RECORD' });
    await read();
    expect(seen).toEqual([1, 2]);
  });

  it('gives such records to onError and goes on', async () => {
    const { map, emit, kernel } = open();
    kernel.emit('events', u32, 5);
    emit(2);
    const onError = vi.fn();
    for await (const { pid } of map.records({ onError })) {
      expect(pid).toBe(2);
      break;
    }
    expect(onError).toHaveBeenCalledOnce();
  });

  it('leaves in the buffer what the loop has not asked for, and gives the room of the rest back meanwhile', async () => {
    const { map, emit, ring } = open(4096);
    emit(1, 2, 3);
    const seen: number[] = [];
    for await (const { pid } of map) {
      seen.push(pid);
      if (pid > 3) break;
      // The loop is busy with something else.
      await turn();
      if (pid < 3) expect(ring.pending).toBe(24 * (3 - pid));
      if (pid !== 3) continue;
      let sent = 4;
      while (emit(sent)) sent++;
      // As much as the whole buffer takes; programs lose what comes now.
      expect(sent - 4).toBe(Math.floor(4095 / 24));
      expect(map.stats()).toMatchObject({ records: 3, available: 24 * (sent - 4), wakeups: 0 });
    }
    expect(seen).toEqual([1, 2, 3, 4]);
  });

  it('answers several calls of next() in order', async () => {
    const { map, emit } = open();
    const records = map.records();
    const all = Promise.all([records.next(), records.next(), records.next()]);
    emit(1, 2);
    await turn();
    await records.return?.();
    expect((await all).map(({ value }) => value?.pid)).toEqual([1, 2, undefined]);
  });

  it('lets the event loop go on when records do not end', async () => {
    const { map, emit } = open();
    emit(0);
    let timer = false;
    setTimeout(() => {
      timer = true;
    }, 1);
    let delivered = 0;
    for await (const { pid } of map) {
      delivered++;
      emit(pid + 1);
      if (timer) break;
    }
    expect(delivered).toBeGreaterThan(1);
  });

  it('is refused while another loop runs, and welcome afterwards', async () => {
    const { map, emit } = open();
    const first = map.records();
    emit(1, 2);
    await first.next();
    await expect(map.records().next()).rejects.toMatchObject(busy);
    await first.return?.();
    for await (const { pid } of map) {
      expect(pid).toBe(2);
      break;
    }
  });

  it('throws when the object is destroyed already', async () => {
    const { map, destroy } = open();
    destroy();
    await expect(map.records().next()).rejects.toMatchObject({ code: 'ERR_BPF_STATE' });
  });
});

describe('a million records', () => {
  const million = 1_000_000;

  it('come in order to a listener, through a ring they do not fit in', async () => {
    const { map, ring } = open(1 << 20);
    const emit = emitter(ring);
    let sent = 0;
    let wrong = 0;
    let expected = 0;
    const subscription = map.subscribe(({ pid }) => {
      if (pid !== expected++) wrong++;
    });
    while (expected < million) {
      while (sent < million && emit(sent)) sent++;
      await new Promise(setImmediate);
    }
    subscription.stop();
    expect({ wrong, expected, sent }).toEqual({ wrong: 0, expected: million, sent: million });
    expect(map.stats()).toMatchObject({ records: million, errors: 0, available: 0 });
  });

  it('held by one ring come in order to for await', async () => {
    const { map, ring } = open(1 << 25);
    const emit = emitter(ring);
    for (let i = 0; i < million; i++) emit(i);
    let expected = 0;
    for await (const { pid } of map) {
      if (pid !== expected) throw new Error(`record ${pid} instead of ${expected}`);
      if (++expected === million) break;
    }
    expect(map.stats().available).toBe(0);
  });
});
