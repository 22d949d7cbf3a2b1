import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Codec } from '../../runtime/src/codec/codec.js';
import { mergeRecords } from '../../runtime/src/map/merge-records.js';
import { perfEventArray } from '../../runtime/src/map/perf-event-array.js';
import { ringbuf } from '../../runtime/src/map/ringbuf.js';
import { type FakeKernel, fakeKernel } from '../../runtime/src/testing/index.js';
import { BPF_MAP_TYPE } from '../../runtime/src/uapi.js';
import { liveMap, Sample, sample, u32 } from './live-map.js';

/** Milliseconds that a busy machine may need. */
const PATIENCE = 15_000;

const ending: (() => void)[] = [];
afterEach(() => {
  for (const end of ending.splice(0)) end();
});

const ring = <T>(kernel: FakeKernel, name: string, codec: Codec<T>) => {
  const attributes = { type: BPF_MAP_TYPE.RINGBUF, name, keySize: 0, valueSize: 0, maxEntries: 65_536 };
  const live = liveMap(kernel, ringbuf(codec), attributes);
  ending.push(live.destroy);
  return live;
};

function open() {
  const kernel = fakeKernel();
  const execs = ring(kernel, 'execs', Sample);
  const counts = ring(kernel, 'counts', u32);
  const all = mergeRecords({ execs: execs.map, counts: counts.map });
  const exec = (...pids: number[]) => {
    for (const pid of pids) kernel.emit('execs', Sample, sample(pid));
  };
  const count = (...values: number[]) => {
    for (const value of values) kernel.emit('counts', u32, value);
  };
  return { kernel, execs, counts, all, exec, count };
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 1));
const exec = (pid: number) => ({ map: 'execs', record: sample(pid) });
const count = (record: number) => ({ map: 'counts', record });

describe('mergeRecords()', () => {
  it('gives records with the names of their maps to consume()', () => {
    const opened = open();
    opened.exec(1, 2);
    opened.count(3);
    expect(opened.all.consume()).toEqual([exec(1), exec(2), count(3)]);
    expect(opened.execs.map.stats()).toMatchObject({ records: 2, bytes: 32, available: 0 });
    expect(opened.counts.map.stats()).toMatchObject({ records: 1, bytes: 4, available: 0 });
  });

  it('gives them to a listener and to for await, as they come', async () => {
    const opened = open();
    const seen: unknown[] = [];
    const subscription = opened.all.subscribe((record) => seen.push(record));
    opened.exec(1);
    await turn();
    opened.count(2);
    await turn();
    subscription.stop();
    setTimeout(() => opened.count(3), 1);
    setTimeout(() => opened.exec(4), 2);
    for await (const one of opened.all) {
      seen.push(one);
      if (one.map === 'execs' && one.record.pid === 4) break;
    }
    expect(seen).toEqual([exec(1), count(2), count(3), exec(4)]);
  });

  it('shows a listener the bytes of each record', () => {
    const opened = open();
    opened.exec(1);
    opened.count(2);
    const lengths: number[] = [];
    opened.all.consume((_, bytes) => lengths.push(bytes.length));
    expect(lengths).toEqual([16, 4]);
  });

  it('lets a map have its turn while another is never empty', async () => {
    const opened = open();
    opened.exec(0);
    opened.count(1);
    let before: number | undefined;
    let delivered = 0;
    const subscription = opened.all.subscribe(({ map }) => {
      delivered++;
      if (map === 'counts') before = delivered;
      else opened.exec(delivered);
    });
    await vi.waitFor(() => expect(delivered).toBeGreaterThan(128), PATIENCE);
    subscription.stop();
    expect(before).toBe(65);
  });

  it('takes a map that is left to its own again when the stream ends', () => {
    const opened = open();
    const subscription = opened.all.subscribe(() => undefined);
    expect(() => opened.counts.map.consume()).toThrow(expect.objectContaining({ code: 'ERR_BPF_BUSY' }));
    subscription.stop();
    expect(opened.counts.map.consume()).toEqual([]);
  });

  it('keeps no map when one of them has a consumer', () => {
    const opened = open();
    const subscription = opened.counts.map.subscribe(() => undefined);
    expect(() => opened.all.subscribe(() => undefined)).toThrow(
      /read map "counts": it already has a consumer/,
    );
    expect(opened.execs.map.consume()).toEqual([]);
    expect(subscription.active).toBe(true);
  });

  it.each<[string, (opened: ReturnType<typeof open>) => void]>([
    ['detached', ({ execs, counts }) => [execs, counts].map((live) => live.detach())],
    ['destroyed', ({ execs, counts }) => [execs, counts].map((live) => live.destroy())],
  ])('delivers what is left of all when their object is %s', async (_how, end) => {
    const opened = open();
    const heard: unknown[] = [];
    const subscription = opened.all.subscribe((one) => heard.push(one));
    opened.exec(1);
    opened.count(2);
    end(opened);
    expect(heard).toEqual([exec(1), count(2)]);
    expect(subscription.active).toBe(false);

    const again = open();
    const looped: unknown[] = [];
    setTimeout(() => {
      again.exec(1);
      again.count(2);
      end(again);
    }, 1);
    for await (const one of again.all) looped.push(one);
    // Whose turn it is depends on who was looked at last.
    expect(new Set(looped)).toEqual(new Set([exec(1), count(2)]));
  });

  it('goes on behind a record that does not fit its type', () => {
    const opened = open();
    opened.kernel.emit('execs', u32, 5);
    opened.count(2);
    const onError = vi.fn();
    const seen: unknown[] = [];
    opened.all.consume((one) => seen.push(one), { onError });
    expect(seen).toEqual([count(2)]);
    expect(onError).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ message: 'decode a record of map "execs": it has 4 bytes, and its type 16' }),
      new Uint8Array([5, 0, 0, 0]),
    );
  });

  it('reads ring and perf buffers together, and hears what the latter lost', async () => {
    const kernel = fakeKernel({ cpus: 1 });
    const rings = ring(kernel, 'rings', u32);
    const perf = liveMap(kernel, perfEventArray(u32), {
      type: BPF_MAP_TYPE.PERF_EVENT_ARRAY,
      name: 'perf',
      keySize: 4,
      valueSize: 4,
      maxEntries: 1,
    });
    ending.push(perf.destroy);
    perf.map.open({ pages: 1 });
    while (kernel.emit('perf', u32, 1));
    const onLost = vi.fn();
    let seen = 0;
    mergeRecords({ rings: rings.map, perf: perf.map }).subscribe(() => seen++, { onLost });
    kernel.emit('rings', u32, 2);
    await turn();
    kernel.emit('perf', u32, 3);
    await turn();
    expect(onLost).toHaveBeenCalledExactlyOnceWith(1, 0);
    expect(seen).toBe(rings.map.stats().records + perf.map.stats().records);
    expect(rings.map.stats().records).toBe(1);
  });

  it.each<[string, () => unknown]>([
    ['no map was given', () => mergeRecords({})],
    [
      'a map was given twice',
      () => {
        const { map } = open().execs;
        return mergeRecords({ a: map, b: map });
      },
    ],
  ])('refuses: %s', (what, merge) => {
    expect(merge).toThrow(
      expect.objectContaining({ code: 'ERR_BPF_ARGUMENT', message: `merge records: ${what}` }),
    );
  });
});
