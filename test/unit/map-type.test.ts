import { BPF_MAP_TYPE, type BpfMap, openObject } from '@bpfskel/runtime';
import { fakeKernel } from '@bpfskel/runtime/testing';
import { describe, expect, it } from 'vitest';
import type { OpenMap } from '../../runtime/src/loader/open-object.js';
import { HashMap } from '../../runtime/src/map/hash.js';
import { LruHashMap } from '../../runtime/src/map/lru-hash.js';
import { PerfEventArray } from '../../runtime/src/map/perf-event-array.js';
import { RingBuffer, ringbuf } from '../../runtime/src/map/ringbuf.js';
import { Sample, sample } from './live-map.js';
import { testObject } from './object-editor.js';

const { RINGBUF, PERF_EVENT_ARRAY, LRU_HASH } = BPF_MAP_TYPE;

const mapOf = <M extends BpfMap | OpenMap>(object: { maps: ReadonlyMap<string, M> }, name: string): M => {
  const map = object.maps.get(name);
  if (map === undefined) throw new Error(`no map ${name}`);
  return map;
};

describe('the type of a map before load', () => {
  it('may be one that an older kernel has: the records arrive as those of the declared one', async () => {
    const kernel = fakeKernel({ version: '5.4.0', cpus: 2 });
    const shapes = new Map([['events', ringbuf(Sample)]]);
    const declared = openObject(testObject('either_buffer.o'));
    expect(() => declared.load({ kernel, shapes })).toThrow(
      /create map "events": map type RINGBUF needs Linux 5\.8, this is .*\. A perf event array works there: set the map's type/,
    );

    const open = openObject(testObject('either_buffer.o'));
    mapOf(open, 'events').type = PERF_EVENT_ARRAY;
    using live = open.load({ kernel, shapes });
    const events = mapOf(live, 'events');
    expect(kernel.map('events').attributes).toMatchObject({
      type: PERF_EVENT_ARRAY,
      keySize: 4,
      valueSize: 4,
      maxEntries: 2,
    });
    if (!(events instanceof PerfEventArray)) throw new Error('not a perf event array');
    events.open();
    kernel.emit('events', Sample, sample(1), { cpu: 1 });
    expect(events.consume()).toEqual([sample(1)]);
  });

  it('takes its sizes along, and gives them back', () => {
    const open = openObject(testObject('either_buffer.o'));
    const events = mapOf(open, 'events');
    const before = { ...events.spec };
    expect(events).toMatchObject({ type: RINGBUF, maxEntries: 65_536, retyped: false });
    events.type = PERF_EVENT_ARRAY;
    expect(events).toMatchObject({ type: PERF_EVENT_ARRAY, maxEntries: 0, retyped: true });
    events.type = RINGBUF;
    expect(events).toMatchObject({ type: RINGBUF, maxEntries: 65_536, retyped: false });
    expect(events.spec).toEqual(before);
    using live = open.load({ kernel: fakeKernel() });
    expect(mapOf(live, 'events')).toBeInstanceOf(RingBuffer);
  });

  it('decides the class of the live map', () => {
    const classOf = (type?: number) => {
      const open = openObject(testObject('maps.o'));
      const map = mapOf(open, 'typed');
      if (type !== undefined) map.type = type;
      using live = open.load({ kernel: fakeKernel() });
      return mapOf(live, 'typed').constructor;
    };
    expect(classOf()).toBe(HashMap);
    expect(classOf(LRU_HASH)).toBe(LruHashMap);
  });

  it.each([
    [
      'one that does not exist',
      'events',
      12_345,
      'set type of map "events": 12345 is no map type; see BPF_MAP_TYPE',
    ],
    ['none', 'events', 0, 'set type of map "events": 0 is no map type'],
    ['another for a section', '.bss', LRU_HASH, 'set type of map ".bss": it holds a section of the object'],
  ])('cannot be %s', (_what, name, type, message) => {
    const open = openObject(testObject('either_buffer.o'));
    const set = () => {
      mapOf(open, name).type = type;
    };
    expect(set).toThrow(
      expect.objectContaining({ code: 'ERR_BPF_ARGUMENT', message: expect.stringContaining(message) }),
    );
  });

  it('cannot change after load', () => {
    const open = openObject(testObject('either_buffer.o'));
    const events = mapOf(open, 'events');
    using _live = open.load({ kernel: fakeKernel() });
    expect(() => {
      events.type = PERF_EVENT_ARRAY;
    }).toThrow(
      'set type of map "events": either_buffer is already loaded; do it between open() and load()'.replace(
        'either_buffer',
        'object',
      ),
    );
  });
});
