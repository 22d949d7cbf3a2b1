// Loads, attaches, waits for records and ends, as a program of a user does, on this Node and this kernel: what FFI, event
// loop and garbage collector of a release can break. Needs root and tracefs. Without `using`, which Node 22 cannot read.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { openObject, type RingBuffer, type XdpProgram } from '@bpfskel/runtime';
import { type Event, type ExecsnoopKern, execsnoop_kern } from '../../examples/execsnoop/execsnoop.skel.ts';

/** Milliseconds after which something else wakes the loop, and what should have come long before counts as late. */
const LATE = 20_000;

function startSnoop(): ExecsnoopKern {
  const open = execsnoop_kern.open();
  open.rodata.target_ppid = process.pid;
  const skel = open.load();
  skel.attach();
  return skel;
}

async function runTrue(argument: string): Promise<void> {
  await once(spawn('/bin/true', [argument]), 'close');
}

/** The first record of a child that was started with `argument`. */
async function recordOf(skel: ExecsnoopKern, argument: string): Promise<Event> {
  for await (const event of skel.maps.events) if (event.args.endsWith(argument)) return event;
  throw new Error('the ring buffer ended');
}

/** Typed records of two rings, which one wait serves. */
async function readTwoRings(): Promise<void> {
  const skeletons = [startSnoop(), startSnoop()];
  const both = Promise.all(skeletons.map((skel) => recordOf(skel, 'to-both')));
  await runTrue('to-both');
  for (const { ppid, args } of await both) {
    assert.deepEqual({ ppid, args }, { ppid: process.pid, args: '/bin/true to-both' });
  }
  for (const skel of skeletons) {
    assert.equal(skel.bss.lost, 0n);
    skel.destroy();
  }
}

async function endByAbort(): Promise<void> {
  const skel = startSnoop();
  const stop = new AbortController();
  const seen: string[] = [];
  const loop = (async () => {
    for await (const { args } of skel.maps.events.records({ signal: stop.signal })) {
      seen.push(args);
      stop.abort();
    }
  })();
  await runTrue('before-abort');
  await loop;
  assert.deepEqual(seen, ['/bin/true before-abort']);
  const waiting = skel.maps.events.records({ signal: AbortSignal.timeout(20) }).next();
  assert.equal((await waiting).done, true);
  skel.destroy();
}

/** Seen from the root of the repository. */
const either = 'test/testdata/either_buffer.o';

/** A ring buffer whose records this process makes itself: neither a child nor a timer wakes the loop meanwhile. */
function ownRing() {
  const live = openObject(either).load();
  const events = live.maps.get('events') as RingBuffer<Uint8Array>;
  const program = live.progs.get('send') as XdpProgram;
  return { live, events, send: (repeat: number) => program.testRun({ data: new Uint8Array(64), repeat }) };
}

/** Promises and ticks that a callback leaves run at once. */
async function runWhatCallbacksLeave(): Promise<void> {
  const { live, events, send } = ownRing();
  const late = setTimeout(() => undefined, LATE);
  const start = performance.now();
  for (let round = 0; round < 20; round += 1) {
    await new Promise<void>((resolve) => {
      const subscription = events.subscribe(async () => {
        await null;
        process.nextTick(() => {
          subscription.stop();
          resolve();
        });
      });
      if (round % 5 === 0) globalThis.gc?.();
      send(1);
    });
  }
  assert.ok(performance.now() - start < LATE, 'what a callback leaves waits for other work');
  clearTimeout(late);
  live.destroy();
}

/** Many records, of which none is lost, twice or out of order while memory is collected. */
async function readMany(): Promise<void> {
  const { live, events, send } = ownRing();
  const records = 50_000;
  const batch = 1000; // Half of what fits: places are free again only behind a batch that was read.
  let seen = 0;
  const loop = (async () => {
    for await (const bytes of events) {
      const { buffer, byteOffset } = bytes;
      assert.equal(new DataView(buffer, byteOffset).getBigUint64(0, true), BigInt(seen));
      seen += 1;
      if (seen === records) break;
    }
  })();
  for (let sent = batch; sent <= records; sent += batch) {
    send(batch);
    if (sent % (10 * batch) === 0) globalThis.gc?.();
    while (seen < sent) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await loop;
  assert.equal(seen, records);
  live.destroy();
}

async function everything(): Promise<void> {
  await readTwoRings();
  await endByAbort();
  await runWhatCallbacksLeave();
  await readMany();
}

/** Descriptors, and what keeps a process alive. */
async function held(): Promise<unknown> {
  await new Promise((resolve) => setTimeout(resolve, 50));
  return { descriptors: readdirSync('/proc/self/fd').length, resources: process.getActiveResourcesInfo() };
}

// The first wait opens what the process keeps.
await everything();
const before = await held();
await everything();
assert.deepEqual(await held(), before);
// It ends by itself: whoever started this waits for it.
console.log('records read');
