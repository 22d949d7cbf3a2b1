import { afterEach, describe, expect, it, vi } from 'vitest';
import { perfEventArray } from '../../runtime/src/map/perf-event-array.js';
import { PerfCpuReader } from '../../runtime/src/map/perf-reader.js';
import { fakeKernel } from '../../runtime/src/testing/index.js';
import { BPF_MAP_TYPE } from '../../runtime/src/uapi.js';
import { liveMap, Sample, sample } from './live-map.js';

const attributes = {
  type: BPF_MAP_TYPE.PERF_EVENT_ARRAY,
  name: 'events',
  keySize: 4,
  valueSize: 4,
  maxEntries: 4,
};
const ending: (() => void)[] = [];
afterEach(() => {
  for (const end of ending.splice(0)) end();
});

function open(options: Parameters<typeof fakeKernel>[0] = {}, maxEntries = 4) {
  const kernel = fakeKernel(options);
  const live = liveMap(kernel, perfEventArray(Sample), { ...attributes, maxEntries });
  ending.push(live.destroy);
  const emit = (pid: number, cpu = 0) => kernel.emit('events', Sample, sample(pid), { cpu });
  return { kernel, ...live, emit };
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 1));
const eventsOf = (kernel: ReturnType<typeof fakeKernel>) =>
  kernel.openFds.filter(({ of }) => of === 'perf_event').length;

describe('a perf event array', () => {
  it('misses what comes before it is open, and nothing after', () => {
    const { map, emit } = open();
    expect(emit(1)).toBe(false);
    map.open();
    expect(emit(2)).toBe(true);
    expect(map.consume()).toEqual([sample(2)]);
  });

  it('has a buffer for each CPU that is online and has a slot', () => {
    const { map, kernel, emit } = open({ cpus: 8, online: [0, 2, 3, 7] }, 4);
    map.open();
    expect(eventsOf(kernel)).toBe(3);
    expect([0, 1, 2, 3, 7].map((cpu) => emit(cpu, cpu))).toEqual([true, false, true, true, false]);
    expect(map.consume().map(({ pid }) => pid)).toEqual([0, 2, 3]);
  });

  it('asks for raw samples of BPF output and a wake-up for each', () => {
    const { map, kernel } = open({ cpus: 1 });
    const opened = vi.spyOn(kernel, 'perfEventOpen');
    map.open();
    expect(opened).toHaveBeenCalledExactlyOnceWith({
      type: 1,
      config: 10n,
      sampleType: 0x400n,
      samplePeriod: 1n,
      wakeupEvents: 1,
      pid: -1,
      cpu: 0,
    });
  });

  it('delivers to a listener and to for await', async () => {
    const { map, emit } = open();
    const seen: number[] = [];
    const subscription = map.subscribe(({ pid }) => seen.push(pid));
    emit(1, 0);
    emit(2, 3);
    await turn();
    expect(seen).toEqual([1, 2]);
    subscription.stop();
    emit(3, 1);
    for await (const { pid } of map) {
      expect(pid).toBe(3);
      break;
    }
  });

  it('keeps what is sent between records() and the loop', async () => {
    const { map, emit } = open();
    const records = map.records();
    emit(1);
    expect((await records.next()).value).toEqual(sample(1));
    await records.return?.();
  });

  it('shows the padding that the kernel adds to the bytes of a record', () => {
    const { map, kernel } = open();
    map.open();
    kernel.emit('events', new Uint8Array(17).fill(1));
    const lengths: number[] = [];
    map.consume((_record, bytes) => lengths.push(bytes.length));
    expect(lengths).toEqual([20]);
  });

  it('puts records together that wrap around the end of the buffer', () => {
    const { map, kernel } = open({ cpus: 1 });
    map.open({ pages: 1 });
    for (let i = 0; i < 500; i++) {
      // 40 bytes with what goes before them: no divisor of a page.
      const sent = Uint8Array.from({ length: 28 }, (_, at) => (i + at) & 0xff);
      kernel.emit('events', sent);
      kernel.emit('events', sent);
      const seen: number[][] = [];
      map.consume((_record, bytes) => seen.push([...bytes]));
      expect(seen).toEqual([[...sent], [...sent]]);
    }
  });

  it('goes on behind a record whose listener throws, though the kernel wakes it no more', async () => {
    const { map, emit } = open();
    const seen: number[] = [];
    const uncaught = new Promise((resolve) => {
      const others = process.listeners('uncaughtException');
      process.removeAllListeners('uncaughtException');
      process.once('uncaughtException', (error) => {
        for (const other of others) process.on('uncaughtException', other);
        resolve(error);
      });
    });
    map.subscribe(({ pid }) => {
      if (pid === 1) throw new Error('mine');
      seen.push(pid);
    });
    emit(1);
    emit(2);
    expect(await uncaught).toMatchObject({ message: 'mine' });
    await turn();
    expect(seen).toEqual([2]);
  });

  it('counts what was lost, and tells on which CPU', async () => {
    const { map, emit } = open({ cpus: 2 });
    map.open({ pages: 1 });
    let sent = 0;
    while (emit(sent, 1)) sent++;
    emit(0, 1);
    emit(0, 1);
    const onLost = vi.fn();
    let seen = 0;
    const subscription = map.subscribe(() => seen++, { onLost });
    await turn();
    emit(0, 1);
    await turn();
    subscription.stop();
    expect(onLost).toHaveBeenCalledExactlyOnceWith(3, 1);
    expect(seen).toBe(sent + 1);
    expect(map.stats()).toMatchObject({ lost: 3, records: sent + 1, size: 2 * 4096 });
  });

  it('has one consumer at a time', () => {
    const { map } = open();
    const subscription = map.subscribe(() => undefined);
    expect(() => map.consume()).toThrow(expect.objectContaining({ code: 'ERR_BPF_BUSY' }));
    subscription.stop();
  });

  it('closes its events with its object', () => {
    const { map, kernel, destroy } = open();
    map.open();
    destroy();
    expect(kernel.openFds).toEqual([]);
    expect(() => map.open()).toThrow(expect.objectContaining({ code: 'ERR_BPF_STATE' }));
  });

  it.each([
    ['perfEventOpen', 'EACCES'],
    ['mmap', 'EPERM'],
    ['mapUpdate', 'EBUSY'],
  ] as const)('leaves nothing open when %s fails', (call, errno) => {
    const { map, kernel } = open();
    kernel.failing(call, errno);
    expect(() => map.subscribe(() => undefined)).toThrow(
      expect.objectContaining({
        code: errno,
        message: expect.stringMatching(/^open the perf buffers of map "events": /),
      }),
    );
    expect(eventsOf(kernel)).toBe(0);
  });

  it('refuses other sizes than powers of two, and a change of mind', () => {
    const { map } = open();
    expect(() => map.open({ pages: 3 })).toThrow('open map "events": 3 pages is not a power of two');
    map.open({ pages: 4 });
    map.open({ pages: 4 });
    expect(() => map.open({ pages: 8 })).toThrow(/its buffers have 4 pages already/);
  });

  it('refuses to open without a CPU', () => {
    expect(() => open({ cpus: 4, online: [3] }, 2).map.open()).toThrow(
      'no online CPU is below its max_entries',
    );
  });
});

describe('a perf buffer whose memory makes no sense', () => {
  const reader = () => {
    const kernel = fakeKernel();
    const fd = kernel.perfEventOpen({ type: 1, config: 10n, pid: -1, cpu: 0 });
    const cpu = new PerfCpuReader(kernel, fd, 0, 1, 'buffer', () => undefined);
    const page = kernel.mmap(fd, 0, 8192, true).buffer;
    return { cpu, head: new BigUint64Array(page, 1024, 1), data: new DataView(page, 4096) };
  };

  it.each([
    ['a record of no size', 9, 0, 16n],
    ['a record beyond what is written', 9, 64, 16n],
    ['a sample without its length', 9, 8, 8n],
    ['more than the buffer holds', 9, 8, 8192n],
  ])('is an error: %s', (_what, type, size, head) => {
    const fake = reader();
    fake.data.setUint32(0, type, true);
    fake.data.setUint16(6, size, true);
    fake.head[0] = head;
    expect(() => fake.cpu.next()).toThrow(
      expect.objectContaining({ code: 'ERR_BPF_MALFORMED', section: 'buffer' }),
    );
  });

  it('passes over records of other types', () => {
    const fake = reader();
    fake.data.setUint32(0, 5, true);
    fake.data.setUint16(6, 32, true);
    fake.head[0] = 32n;
    expect(fake.cpu.next()).toBe(false);
    fake.cpu.release();
    expect(fake.cpu.available()).toBe(0);
  });
});
