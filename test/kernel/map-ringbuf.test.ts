import { readdirSync } from 'node:fs';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { ringbuf } from '../../runtime/src/map/ringbuf.js';
import { BPF_MAP_TYPE } from '../../runtime/src/uapi.js';
import { liveMap, Sample } from '../unit/live-map.js';
import { runChild } from './child.js';
import { discardingSender, ringSender, type Sender } from './sender.js';

/** Milliseconds that a busy machine may need. */
const PATIENCE = 15_000;

const kernel = linuxKernel();
const ending: (() => void)[] = [];
afterEach(() => {
  for (const end of ending.splice(0)) end();
});

function open(maxEntries = 1 << 16) {
  const attributes = { type: BPF_MAP_TYPE.RINGBUF, name: 'events', keySize: 0, valueSize: 0, maxEntries };
  const live = liveMap(kernel, ringbuf(Sample), attributes);
  const own = (sender: Sender) => {
    ending.push(() => sender.close());
    return sender;
  };
  ending.push(live.destroy);
  return { ...live, sender: own(ringSender(live.fd)), own };
}

const turn = (milliseconds = 20) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);
const descriptors = () => readdirSync('/proc/self/fd').length;

beforeAll(async () => {
  // The first watch opens the epoll descriptor that the process keeps.
  const { map, sender } = open();
  map.subscribe(() => undefined);
  sender.send(1);
  await turn();
});

describe('a ring buffer of this kernel', () => {
  it('is drained by consume(), in order', () => {
    const { map, sender } = open();
    sender.send(100);
    const records = map.consume();
    expect(records.map(({ pid }) => pid)).toEqual(upTo(100));
    expect(records.every(({ ns }, i) => i === 0 || ns >= (records[i - 1]?.ns ?? 0n))).toBe(true);
    expect(map.stats()).toMatchObject({ records: 100, available: 0 });
  });

  it('passes over what programs discard', () => {
    const { map, fd, sender, own } = open();
    sender.send(1);
    own(discardingSender(fd)).send(5);
    sender.send(1);
    expect(map.consume().map(({ pid }) => pid)).toEqual([0, 1]);
    expect(map.stats().discarded).toBe(5);
  });

  it('wakes a listener', async () => {
    const { map, sender } = open();
    const seen: number[] = [];
    map.subscribe(({ pid }) => seen.push(pid));
    for (let round = 1; round <= 20; round++) {
      sender.send(3);
      await vi.waitFor(() => expect(seen).toHaveLength(3 * round), PATIENCE);
    }
    expect(seen).toEqual(upTo(60));
  });

  it('wakes for await, and each way to end it works', async () => {
    const { map, sender, detach } = open();
    const read = async (end: (pid: number) => boolean, signal?: AbortSignal) => {
      const seen: number[] = [];
      for await (const { pid } of map.records(signal ? { signal } : {})) {
        seen.push(pid);
        if (end(pid)) break;
      }
      return seen;
    };
    setTimeout(() => sender.send(3), 5);
    expect(await read((pid) => pid === 1)).toEqual([0, 1]);
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 30);
    expect(await read(() => false, abort.signal)).toEqual([2]);
    sender.send(2);
    setTimeout(detach, 30);
    expect(await read(() => false)).toEqual([3, 4]);
  });

  it('keeps records that wake nobody for consume(), flush() and the clock', async () => {
    const { map, fd, own } = open();
    const quiet = own(ringSender(fd, { wakeup: false }));
    quiet.send(2);
    expect(map.consume()).toHaveLength(2);
    const seen: number[] = [];
    const subscription = map.subscribe(({ pid }) => seen.push(pid));
    await turn();
    quiet.send(1);
    expect(subscription.flush()).toBe(1);
    subscription.stop();
    map.subscribe(({ pid }) => seen.push(pid), { pollInterval: 5 });
    await turn();
    quiet.send(1);
    await vi.waitFor(() => expect(seen).toEqual([2, 3]), PATIENCE);
  });

  it('costs no CPU time while it waits', async () => {
    const { map } = open();
    map.subscribe(() => undefined);
    await turn();
    const before = process.cpuUsage();
    await turn(500);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(100);
  });

  it('loses records when nobody takes them, and goes on afterwards', () => {
    const { map, sender } = open(4096);
    sender.send(1000);
    const first = map.consume().map(({ pid }) => pid);
    expect(first).toEqual(upTo(first.length));
    expect(first.length).toBeLessThan(171);
    sender.send(1);
    expect(map.consume().map(({ pid }) => pid)).toEqual([1000]);
  });

  it('delivers a million records in order while timers run', async () => {
    const { map, sender } = open(1 << 22);
    const million = 1_000_000;
    const batch = 100_000;
    let expected = 0;
    let wrong = 0;
    map.subscribe(({ pid }) => {
      if (pid !== expected++) wrong++;
    });
    while (expected < million) {
      const goal = expected + batch;
      sender.send(batch);
      while (expected < goal) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    expect({ expected, wrong }).toEqual({ expected: million, wrong: 0 });
  });

  it('leaves no descriptor and no mapping', async () => {
    const before = descriptors();
    const { map, sender, destroy } = open();
    map.subscribe(() => undefined);
    sender.send(1);
    await turn();
    destroy();
    for (const end of ending.splice(0)) end();
    expect(descriptors()).toBe(before);
  });
});

describe('a process with a ring buffer', () => {
  const start = `
    import { ringbuf } from '${new URL('../../runtime/dist/map/ringbuf.js', import.meta.url).href}';
    const codec = { size: 0, read: () => 0, write() {} };
    const fd = kernel.mapCreate({ type: 27, keySize: 0, valueSize: 0, maxEntries: 65536 });
    const shape = ringbuf(codec);
    const map = shape.kind.open({ kernel, name: 'r', type: 27, keySize: 0, valueSize: 0, maxEntries: 65536,
      flags: 0, fd: () => fd, onClose() {} }, undefined, codec);
    process.on('exit', () => console.log('exit'));
    const late = setTimeout(() => { console.log('alive'); process.exit(); }, 1500);
    late.unref();`;

  it.each([
    ['stays alive while a listener waits', 'map.subscribe(() => {});', 'alive\nexit'],
    ['stays alive while a loop waits', '(async () => { for await (const e of map); })();', 'alive\nexit'],
    ['ends when its listener is stopped', 'map.subscribe(() => {}).stop();', 'exit'],
    [
      'ends when its loop is aborted',
      `
      const abort = new AbortController();
      setTimeout(() => abort.abort(), 10);
      (async () => { for await (const e of map.records({ signal: abort.signal })); })();`,
      'exit',
    ],
    ['ends when nobody listens', 'map.consume();', 'exit'],
  ])('%s', (_what, body, expected) => {
    expect(runChild(`${start}\n${body}`)).toMatchObject({ status: 0, stdout: `${expected}\n`, stderr: '' });
  });
});
