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
    expect(map.stats().lostOn).toEqual(new Map([[1, 3]]));
  });

  it('tells a listener which CPU a record is from', async () => {
    const { map, emit } = open();
    map.open();
    const seen: [number, number, number][] = [];
    const see = ({ pid }: Sample, bytes: Uint8Array, cpu: number) => {
      seen.push([pid, bytes.length, cpu]);
    };
    emit(1, 3);
    emit(2, 0);
    map.consume(see);
    map.subscribe(see);
    emit(3, 2);
    await turn();
    expect(seen).toEqual([
      [2, 20, 0],
      [1, 20, 3],
      [3, 20, 2],
    ]);
  });

  it('takes records of chosen CPUs only', () => {
    const { map, kernel, emit } = open();
    map.open({ cpus: [1, 3] });
    expect(eventsOf(kernel)).toBe(2);
    expect([0, 1, 2, 3].map((cpu) => emit(cpu, cpu))).toEqual([false, true, false, true]);
  });

  it.each([
    ['so many records', { wakeupEvents: 10 }, { wakeupEvents: 10 }],
    ['so many bytes', { wakeupWatermark: 4096 }, { wakeupWatermark: 4096 }],
  ])('asks to be woken after %s', (_what, options, asked) => {
    const { map, kernel } = open({ cpus: 1 });
    const opened = vi.spyOn(kernel, 'perfEventOpen');
    map.open(options);
    expect(opened).toHaveBeenCalledExactlyOnceWith({
      type: 1,
      config: 10n,
      sampleType: 0x400n,
      samplePeriod: 1n,
      ...asked,
      pid: -1,
      cpu: 0,
    });
  });

  it.each([
    [{ wakeupEvents: 0 }, 'wakeupEvents is a positive integer, not 0'],
    [{ wakeupWatermark: 1.5 }, 'wakeupWatermark is a positive integer, not 1.5'],
    [{ wakeupEvents: 1, wakeupWatermark: 1 }, 'wakeupEvents and wakeupWatermark exclude each other'],
    [{ cpus: [0, 4] }, 'CPU 4 has no slot; the map has 4'],
    [{ cpus: [-1] }, 'CPU -1 has no slot'],
    [{ pages: 2 ** 33 }, '8589934592 pages is not a power of two'],
  ])('refuses %j', (options, message) => {
    expect(() => open().map.open(options)).toThrow(
      expect.objectContaining({ code: 'ERR_BPF_RANGE', message: expect.stringContaining(message) }),
    );
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
        message: expect.stringMatching(/^open the perf events of map "events": /),
      }),
    );
    expect(eventsOf(kernel)).toBe(0);
  });

  it('refuses other sizes than powers of two, and a change of mind', () => {
    const { map } = open();
    expect(() => map.open({ pages: 3 })).toThrow('open map "events": 3 pages is not a power of two');
    map.open({ pages: 4 });
    map.open({ pages: 4 });
    expect(() => map.open({ pages: 8 })).toThrow(
      'open map "events": its buffers are there already, with other pages; open it before the first consumer',
    );
    expect(() => map.open({ pages: 4, cpus: [0] })).toThrow(/with other cpus/);
  });

  it('refuses to open without a CPU', () => {
    expect(() => open({ cpus: 4, online: [3] }, 2).map.open()).toThrow(
      'no online CPU is below its max_entries',
    );
  });
});

describe('a perf event array of counters', () => {
  it('has an event in the slot of each CPU, until its object ends', () => {
    const { map, kernel, destroy } = open({ cpus: 3 });
    const opened = vi.spyOn(kernel, 'perfEventOpen');
    map.count({ type: 'software', config: 'task-clock' }, { cpus: [0, 2] });
    expect(opened.mock.calls).toEqual([
      [{ type: 1, config: 1n, pid: -1, cpu: 0 }],
      [{ type: 1, config: 1n, pid: -1, cpu: 2 }],
    ]);
    expect(eventsOf(kernel)).toBe(2);
    destroy();
    expect(kernel.openFds).toEqual([]);
  });

  it('has no records, and a map of records no counters', () => {
    const { map } = open();
    map.count({ type: 'hardware', config: 'cpu-cycles' });
    expect(() => map.subscribe(() => undefined)).toThrow('read map "events": it holds counters, not records');
    expect(() => map.count({ type: 'hardware', config: 'instructions' })).toThrow(
      /: it has perf events already$/,
    );
    const other = open();
    other.map.open();
    expect(() => other.map.count({ type: 'hardware', config: 'instructions' })).toThrow(
      expect.objectContaining({ code: 'ERR_BPF_STATE' }),
    );
  });

  it('says what it cannot count', () => {
    const { map, kernel } = open();
    expect(() => map.count({ type: 'software', config: 'task-clocks' as never })).toThrow(
      expect.objectContaining({
        code: 'ERR_BPF_ARGUMENT',
        message: expect.stringMatching(/^count .*task-clocks.* in map "events": /),
      }),
    );
    kernel.failing('perfEventOpen', 'ENOENT');
    expect(() => map.count({ type: 'hardware', config: 'cpu-cycles' })).toThrow(
      expect.objectContaining({
        code: 'ENOENT',
        message: expect.stringMatching(/^open the perf events of map "events": /),
      }),
    );
    expect(eventsOf(kernel)).toBe(0);
  });
});

describe('an overwritable perf event array', () => {
  const overwritable = (pages = 1, cpus = 2) => {
    const opened = open({ cpus });
    opened.map.open({ pages, overwritable: true });
    return opened;
  };

  it('gives snapshots of the newest records, oldest first, CPU by CPU', () => {
    const { map, emit } = overwritable();
    expect(map.snapshot()).toEqual([]);
    emit(1, 1);
    emit(2, 0);
    emit(3, 1);
    const expected = [
      { cpu: 0, record: sample(2) },
      { cpu: 1, record: sample(1) },
      { cpu: 1, record: sample(3) },
    ];
    expect(map.snapshot()).toEqual(expected);
    // They stay.
    expect(map.snapshot()).toEqual(expected);
  });

  it('forgets the oldest', () => {
    const { map, emit } = overwritable(1, 1);
    // 16 bytes make a record of 32.
    for (let last = 0; last < 1000; last++) {
      expect(emit(last)).toBe(true);
      const pids = map.snapshot().map(({ record }) => record.pid);
      const held = Math.min(last + 1, 4096 / 32);
      expect(pids).toEqual(Array.from({ length: held }, (_, i) => last - held + 1 + i));
    }
  });

  it('leaves a record out whose end is overwritten', () => {
    const { map, kernel } = overwritable(1, 1);
    // 40 bytes with what goes before them: no divisor of a page.
    for (let i = 0; i < 500; i++) kernel.emit('events', new Uint8Array(28).fill(i & 0xff));
    const records = map.snapshot();
    expect(records).toHaveLength(Math.floor(4096 / 40));
    expect(records.at(-1)?.record.tag).toBe(499 & 0xff);
    expect(records[0]?.record.tag).toBe((500 - 102) & 0xff);
  });

  it('takes no record while it is read, and goes on after', () => {
    const { map, kernel, emit } = overwritable(1, 1);
    emit(1);
    const paused: boolean[] = [];
    const real = kernel.perfEventPauseOutput.bind(kernel);
    vi.spyOn(kernel, 'perfEventPauseOutput').mockImplementation((fd, pause) => {
      real(fd, pause);
      paused.push(pause);
      if (pause) emit(2);
    });
    expect(map.snapshot()).toHaveLength(1);
    expect(paused).toEqual([true, false]);
    emit(3);
    expect(map.snapshot().map(({ record }) => record.pid)).toEqual([1, 3]);
  });

  it('has no stream', async () => {
    const { map } = overwritable();
    const refused = {
      code: 'ERR_BPF_STATE',
      message: 'read map "events": its buffers are overwritable; they have no stream, but a snapshot()',
    };
    expect(() => map.subscribe(() => undefined)).toThrow(expect.objectContaining(refused));
    expect(() => map.consume()).toThrow(expect.objectContaining(refused));
    expect(() => map.records()).toThrow(expect.objectContaining(refused));
  });

  it('must be made so', () => {
    const { map } = open();
    const refused = expect.objectContaining({
      code: 'ERR_BPF_STATE',
      message:
        'take a snapshot of map "events": its buffers are not overwritable; make them with open({ overwritable: true })',
    });
    expect(() => map.snapshot()).toThrow(refused);
    map.open();
    expect(() => map.snapshot()).toThrow(refused);
    expect(() => map.open({ overwritable: true })).toThrow(/with other overwritable/);
  });

  it('closes its events with its object', () => {
    const { map, kernel, destroy } = overwritable();
    destroy();
    expect(kernel.openFds).toEqual([]);
    expect(() => map.snapshot()).toThrow(expect.objectContaining({ code: 'ERR_BPF_STATE' }));
  });

  it.each([
    ['no size', 9, 0, 0],
    ['a length beyond it', 9, 16, 100],
    ['no length', 9, 8, 0],
  ])('is an error when it holds a record of %s', (_what, type, size, length) => {
    const { map, kernel } = overwritable(1, 1);
    const slot = kernel.openFds.find(({ of }) => of === 'perf_event');
    const page = kernel.mmap(slot?.fd ?? -1, 0, 8192, false).buffer;
    const data = new DataView(page, 4096 + 4096 - 64);
    data.setUint32(0, type, true);
    data.setUint16(6, size, true);
    data.setUint32(8, length, true);
    new BigUint64Array(page, 1024, 1)[0] = 2n ** 64n - 64n;
    expect(() => map.snapshot()).toThrow(
      expect.objectContaining({ code: 'ERR_BPF_MALFORMED', section: 'perf buffer of CPU 0 of map "events"' }),
    );
  });
});

describe('a perf buffer whose memory makes no sense', () => {
  const reader = () => {
    const kernel = fakeKernel();
    const fd = kernel.perfEventOpen({ type: 1, config: 10n, pid: -1, cpu: 0 });
    const cpu = new PerfCpuReader(kernel, { fd, cpu: 0 }, 1, 'buffer', () => undefined);
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
