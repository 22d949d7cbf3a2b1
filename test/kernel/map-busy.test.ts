import { Worker } from 'node:worker_threads';
import { openObject } from '@bpfskel/runtime';
import { describe, expect, it } from 'vitest';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { ArrayMap, array } from '../../runtime/src/map/array.js';
import { RingBuffer, ringbuf } from '../../runtime/src/map/ringbuf.js';
import { u32, u64 } from '../unit/live-map.js';
import { prelude } from './child.js';
import { kernelHas } from './facts.js';

const HELD = 0;
const LET_GO = 1;
/** After that the program lets go by itself. */
const nanoseconds = 20_000_000_000n;
/** The program keeps a CPU to itself, and this side needs one too. */
const enough = linuxKernel().onlineCpus().length > 1 && kernelHas.patience;

function load() {
  const live = openObject('test/testdata/held_record.o').load({
    shapes: new Map<string, ReturnType<typeof ringbuf> | ReturnType<typeof array>>([
      ['events', ringbuf(u64)],
      ['control', array(u32)],
    ]),
  });
  const [events, control] = [live.maps.get('events'), live.maps.get('control')];
  const [hold, send] = [live.progs.get('hold'), live.progs.get('send')];
  if (
    !(events instanceof RingBuffer && control instanceof ArrayMap) ||
    hold === undefined ||
    send === undefined
  ) {
    throw new Error('the object is not what it was');
  }
  return { live, events: events as RingBuffer<bigint>, control: control as ArrayMap<number>, hold, send };
}

/** Runs the program in a thread of its own; what it returns. */
function runBeside(fd: number): Promise<number> {
  const worker = new Worker(
    `${prelude.replaceAll(/^import (\{.*\}) from (.*);$/gm, 'const $1 = await import($2);')}
    const { parentPort } = await import('node:worker_threads');
    const context = new Uint8Array(new BigUint64Array([${nanoseconds}n]).buffer);
    parentPort.postMessage(kernel.progTestRun(${fd}, { context }).returnValue);`,
    { eval: true },
  );
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

describe('a record that its program still writes', () => {
  it.runIf(enough)('holds back those behind it, until it is submitted', async () => {
    const { live, events, control, hold, send } = load();
    try {
      const ended = runBeside(hold.fd);
      await expect.poll(() => control.get(HELD), { timeout: 15_000 }).toBe(1);
      expect(send.testRun({}).returnValue).toBe(0);
      expect(events.consume()).toEqual([]);
      expect(events.stats()).toMatchObject({
        busy: 1,
        records: 0,
        available: 32,
        produced: 32n,
        consumed: 0n,
      });
      control.set(LET_GO, 1);
      expect(await ended).toBe(0);
      expect(events.consume()).toEqual([1n, 2n]);
      expect(events.stats()).toMatchObject({ records: 2, available: 0 });
    } finally {
      control.set(LET_GO, 1);
      live.destroy();
    }
  });

  it.runIf(enough)('wakes who waits once it is submitted', async () => {
    const { live, events, control, hold, send } = load();
    try {
      const seen: bigint[] = [];
      using _subscription = events.subscribe((record) => seen.push(record));
      const ended = runBeside(hold.fd);
      await expect.poll(() => control.get(HELD), { timeout: 15_000 }).toBe(1);
      send.testRun({});
      await new Promise((done) => setTimeout(done, 50));
      expect(seen).toEqual([]);
      control.set(LET_GO, 1);
      expect(await ended).toBe(0);
      await expect.poll(() => seen, { timeout: 15_000 }).toEqual([1n, 2n]);
    } finally {
      control.set(LET_GO, 1);
      live.destroy();
    }
  });
});
