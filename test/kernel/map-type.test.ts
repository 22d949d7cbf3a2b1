import { fileURLToPath } from 'node:url';
import { BPF_MAP_TYPE, openObject } from '@bpfskel/runtime';
import { afterEach, describe, expect, it } from 'vitest';
import type { Codec } from '../../runtime/src/codec/codec.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { PerfEventArray } from '../../runtime/src/map/perf-event-array.js';
import { RecordMap } from '../../runtime/src/map/record-map.js';
import { ringbuf } from '../../runtime/src/map/ringbuf.js';

const object = fileURLToPath(new URL('../testdata/either_buffer.o', import.meta.url));

interface Event {
  number: bigint;
  text: string;
}
const Event: Codec<Event> = {
  size: 24,
  read: (v, o) => ({
    number: v.getBigUint64(o, true),
    text: Buffer.from(v.buffer, v.byteOffset + o + 12, 5).toString('latin1'),
  }),
  write: () => undefined,
};

const ending: (() => void)[] = [];
afterEach(() => {
  for (const end of ending.splice(0)) end();
});

function load(perf: boolean) {
  const open = openObject(object);
  const map = open.maps.get('events');
  if (map === undefined) throw new Error('the object is not what it was');
  if (perf) {
    map.type = BPF_MAP_TYPE.PERF_EVENT_ARRAY;
    const { section } = open.maps.get('.rodata')?.spec ?? {};
    const constant = section?.variables.find(({ name }) => name === 'perf');
    open.data.get('.rodata')?.set([1], constant?.offset);
  }
  const live = open.load({ shapes: new Map([['events', ringbuf(Event)]]) });
  ending.push(() => live.destroy());
  const events = live.maps.get('events');
  const fd = live.progs.get('send')?.fd;
  if (!(events instanceof RecordMap) || fd === undefined) throw new Error('the object is not what it was');
  const send = (repeat: number) => linuxKernel().progTestRun(fd, { data: new Uint8Array(64), repeat });
  return { events: events as RecordMap<Event>, send };
}

describe.each([
  ['as declared', false],
  ['as a perf event array', true],
])('a ring buffer %s', (_how, perf) => {
  it('delivers the same records through the same interface', async () => {
    const { events, send } = load(perf);
    expect(events instanceof PerfEventArray).toBe(perf);
    const seen: Event[] = [];
    events.subscribe((event) => seen.push(event));
    send(100);
    while (seen.length < 100) await new Promise((resolve) => setTimeout(resolve, 1));
    // The test may move to another CPU meanwhile, whose records have no order with those before.
    seen.sort((a, b) => Number(a.number - b.number));
    expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => ({ number: BigInt(i), text: 'hello' })));
    expect(events.stats()).toMatchObject({ records: 100, available: 0, errors: 0 });
  });
});
