import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openObject } from '@bpfskel/runtime';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { PerfEventArray, perfEventArray } from '../../runtime/src/map/perf-event-array.js';
import { BPF_MAP_TYPE } from '../../runtime/src/uapi.js';
import { liveMap, Sample } from '../unit/live-map.js';
import { perfSender } from './sender.js';

/** Milliseconds that a busy machine may need. */
const PATIENCE = 15_000;

const kernel = linuxKernel();
const ending: (() => void)[] = [];
afterEach(() => {
  for (const end of ending.splice(0)) end();
});

function open() {
  const maxEntries = kernel.possibleCpus();
  const attributes = {
    type: BPF_MAP_TYPE.PERF_EVENT_ARRAY,
    name: 'events',
    keySize: 4,
    valueSize: 4,
    maxEntries,
  };
  const live = liveMap(kernel, perfEventArray(Sample), attributes);
  const sender = perfSender(live.fd);
  ending.push(live.destroy, () => sender.close());
  return { ...live, sender };
}

describe('a perf event array of this kernel', () => {
  it('is drained by consume()', () => {
    const { map, sender } = open();
    map.open();
    sender.send(100);
    // The test may move to another CPU meanwhile: order holds for each alone.
    const numbers = map.consume().map(({ pid }) => pid);
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  it('shows the bytes that the kernel pads', () => {
    const { map, sender } = open();
    map.open();
    sender.send(1);
    const lengths: number[] = [];
    map.consume((_record, bytes) => lengths.push(bytes.length));
    expect(lengths).toEqual([20]);
  });

  it('wakes a listener and for await, every time', async () => {
    const { map, sender } = open();
    let seen = 0;
    const subscription = map.subscribe(() => seen++);
    for (let round = 1; round <= 20; round++) {
      sender.send(3);
      await vi.waitFor(() => expect(seen).toBe(3 * round), PATIENCE);
    }
    subscription.stop();
    setTimeout(() => sender.send(2), 5);
    let looped = 0;
    for await (const { ns } of map) {
      expect(ns).toBeGreaterThan(0n);
      if (++looped === 2) break;
    }
    expect(looped).toBe(2);
  });

  it('delivers more than one turn of the event loop takes', async () => {
    const { map, sender } = open();
    map.open({ pages: 1024 });
    let seen = 0;
    map.subscribe(() => {
      seen++;
    });
    sender.send(50_000);
    await vi.waitFor(() => expect(seen).toBe(50_000), PATIENCE);
  });

  it('counts what is lost', async () => {
    const { map, sender } = open();
    map.open({ pages: 1 });
    sender.send(10_000);
    let lost = 0;
    let seen = 0;
    map.subscribe(() => seen++, { onLost: (count) => (lost += count) });
    // The kernel tells with the next record that fits, on the same CPU: the test may have moved to another since, where
    // as many are lost again.
    await vi.waitFor(() => {
      sender.send(10_000);
      expect(lost).toBeGreaterThan(9_000);
    }, PATIENCE);
    await vi.waitFor(() => expect(map.stats().available).toBe(0), PATIENCE);
    expect(map.stats().lost).toBe(lost);
    expect(seen).toBeGreaterThan(100);
  });

  it('tells which CPU a record is from, and which lost some', () => {
    const { map, sender } = open();
    map.open({ pages: 1 });
    const online = kernel.onlineCpus();
    const cpus = new Set<number>();
    const see = (_record: Sample, _bytes: Uint8Array, cpu: number) => cpus.add(cpu);
    const run = () => {
      sender.send(10_000);
      map.consume(see);
    };
    // The kernel tells of the lost with the next record that fits.
    for (let i = 0; i < 100 && map.stats().lost === 0; i++) run();
    const { lost, lostOn } = map.stats();
    expect(lost).toBeGreaterThan(0);
    expect([...lostOn.values()].reduce((sum, count) => sum + count, 0)).toBe(lost);
    expect(online).toEqual(expect.arrayContaining([...cpus, ...lostOn.keys()]));
  });

  it('takes the records of chosen CPUs', () => {
    const { map, sender } = open();
    const [first = 0] = kernel.onlineCpus();
    map.open({ cpus: [first], pages: 512 });
    sender.send(1000);
    const cpus = new Set<number>();
    const seen = map.consume((_record, _bytes, cpu) => cpus.add(cpu));
    expect([...cpus]).toEqual(seen === 0 ? [] : [first]);
    expect(map.stats().size).toBe(512 * kernel.pageSize);
  });

  it('wakes a listener after so many records, and flush() gives the others', async () => {
    const { map, sender } = open();
    map.open({ wakeupEvents: 1000, pages: 512 });
    let seen = 0;
    sender.send(1);
    const subscription = map.subscribe(() => seen++);
    // By the first look, which is not for a wake-up.
    await vi.waitFor(() => expect(seen).toBe(1), PATIENCE);
    sender.send(10);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(seen).toBe(1);
    expect(subscription.flush()).toBe(10);
    const wakeups = map.stats().wakeups;
    // On each CPU that the test may move to.
    sender.send(1000 * kernel.onlineCpus().length);
    await vi.waitFor(() => expect(seen).toBeGreaterThan(1000), PATIENCE);
    expect(map.stats().wakeups).toBeGreaterThan(wakeups);
  });

  it('keeps the newest records when it is overwritable', () => {
    const { map, sender } = open();
    map.open({ pages: 1, overwritable: true });
    sender.send(10_000);
    const byCpu = new Map<number, number[]>();
    for (const { cpu, record } of map.snapshot()) {
      byCpu.set(cpu, [...(byCpu.get(cpu) ?? []), record.pid]);
    }
    // 16 bytes make a record of 32. The newest is there, whichever CPU has it.
    expect(Math.max(...[...byCpu.values()].flat())).toBe(9_999);
    for (const numbers of byCpu.values()) {
      expect(numbers.length).toBeLessThanOrEqual(kernel.pageSize / 32);
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    }
    const most = Math.max(...[...byCpu.values()].map((numbers) => numbers.length));
    expect(most).toBeGreaterThan(50);
    sender.send(1);
    expect(map.snapshot().some(({ record }) => record.pid === 10_000)).toBe(true);
  });

  it('lets programs read counters', () => {
    const object = openObject(fileURLToPath(new URL('../testdata/perf_counter.o', import.meta.url)));
    using live = object.load({ shapes: new Map([['counters', perfEventArray()]]) });
    const counters = live.maps.get('counters');
    const bss = live.data.get('.bss');
    const program = live.progs.get('read_counter');
    if (!(counters instanceof PerfEventArray && bss && program))
      throw new Error('the object is not what it was');
    const run = () => {
      kernel.progTestRun(program.fd, {});
      return [bss.view().getBigInt64(0, true), bss.view().getBigUint64(8, true)] as const;
    };
    const ENOENT = -2n;
    expect(run()[0]).toBe(ENOENT);
    counters.count({ type: 'software', config: 'cpu-clock' });
    const [error, first] = run();
    expect(error).toBe(0n);
    expect(first).toBeGreaterThan(0n);
  });

  it('leaves no descriptor', () => {
    const before = readdirSync('/proc/self/fd').length;
    const { map } = open();
    map.open();
    for (const end of ending.splice(0)) end();
    expect(readdirSync('/proc/self/fd').length).toBe(before);
  });
});
