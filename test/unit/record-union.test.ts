import { readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { enumeratorFor } from '../../generator/enumerators.js';
import { mapRecords } from '../../generator/record-types.js';
import { fromJson } from '../../runtime/src/codec/from-json.js';
import { toJson } from '../../runtime/src/codec/json.js';
import { oneOf, oneOfSize } from '../../runtime/src/codec/one-of.js';
import { parseObject } from '../../runtime/src/object/parse.js';
import { fakeKernel } from '../../runtime/src/testing/index.js';
import {
  Closed,
  EventType,
  ExecEvent,
  ExitEvent,
  NamedRecord,
  NumberedRecord,
  record_union,
  SizedRecord,
} from '../golden/record_union/expected.skel.js';
import { BtfBuilder } from './btf-builder.js';
import { skeletonText } from './skeleton-text.js';

const object = new URL('../golden/record_union/in.bpf.o', import.meta.url).pathname;
const generate = (record: string) => skeletonText({ object, name: 'x', record: [record] });
const mapsObject = new URL('../golden/maps/in.bpf.o', import.meta.url).pathname;

describe('records of several types', () => {
  it('are read as the type that their tag says', () => {
    const kernel = fakeKernel();
    using skel = record_union.openAndLoad({ kernel });
    const exit = { type: EventType.EVENT_EXIT, pid: 2, code: -1 } as const;
    const closed = { type: EventType.EVENT_TCP_CLOSE, bytes: 5n } as const;
    // As long as its last member makes it.
    kernel.emit('named', ExecEvent, { type: EventType.EVENT_EXEC, pid: 1, filename: '/bin' });
    kernel.emit('named', NamedRecord, { type: EventType.EVENT_EXEC, pid: 1, filename: 'é' });
    kernel.emit('named', ExitEvent, exit);
    // As one of them, which takes the room of the type that it is.
    kernel.emit('named', NamedRecord, closed);
    const seen: string[] = [];
    skel.maps.named.consume((record) => {
      switch (record.type) {
        case EventType.EVENT_EXEC:
          return seen.push(`exec ${record.filename}`);
        case EventType.EVENT_EXIT:
          return seen.push(`exit ${record.code}`);
        case EventType.EVENT_TCP_CLOSE:
          return seen.push(`closed ${record.bytes}`);
      }
    });
    expect(seen).toEqual(['exec /bin', 'exec é', 'exit -1', 'closed 5']);
  });

  it('come back from JSON as the type that they were', () => {
    const records: NamedRecord[] = [
      { type: EventType.EVENT_EXEC, pid: 1, filename: '/bin' },
      { type: EventType.EVENT_EXIT, pid: 2, code: -1 },
      { type: EventType.EVENT_TCP_CLOSE, bytes: 2n ** 60n },
    ];
    for (const record of records) expect(fromJson(NamedRecord, toJson(record))).toEqual(record);
    // A tag of 64 bits is a number in JSON.
    const request = { id: 1n, opcode: 7 } as const;
    expect(fromJson(NumberedRecord, toJson(request))).toEqual(request);
    expect(fromJson(NumberedRecord, toJson(request, { bigint: 'string' }))).toEqual(request);
    // Of types that only their sizes tell apart, the one that has such fields.
    const large = { value: 1, values: [1, 2, 3, 4, 5, 6, 7, 8] };
    for (const record of [{ value: 1 }, large]) expect(fromJson(SizedRecord, toJson(record))).toEqual(record);
  });

  it.each([
    ['{"type":9,"pid":1}', 'read JSON: its type is 9, which is none of 0, 1, 2'],
    ['{"pid":1}', 'read JSON: its type is undefined, which is none of 0, 1, 2'],
    ['{"type":1,"pid":1}', 'read JSON: code is missing'],
    ['[]', 'read JSON: its type is undefined, which is none of 0, 1, 2'],
    ['7', 'read JSON: the value is an object; the text has 7'],
  ])('are not read from %s', (text, message) => {
    expect(() => fromJson(NamedRecord, text)).toThrow(
      expect.objectContaining({ code: 'ERR_BPF_ARGUMENT', message }),
    );
  });

  it('are errors when the tag is of none, or its type longer', () => {
    const kernel = fakeKernel();
    using skel = record_union.openAndLoad({ kernel });
    kernel.emit('named', Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0));
    kernel.emit('named', Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0));
    kernel.emit('named', Closed, { type: EventType.EVENT_TCP_CLOSE, bytes: 5n });
    const onError = vi.fn();
    expect(skel.maps.named.consume(() => undefined, { onError })).toBe(1);
    expect(onError.mock.calls.map(([{ message }]) => message)).toEqual([
      'decode a record of map "named": its type is 3, which is none of 0, 1, 2',
      'decode a record of map "named": it has 8 bytes, and with type 1 12 are needed',
    ]);
  });

  it('are told apart by their size, with what perf buffers pad', () => {
    const small = { size: 4, read: () => ({ small: true }), write: () => undefined };
    const large = { size: 36, read: () => ({ large: true }), write: () => undefined };
    const codec = oneOfSize<object>([large, small]);
    const read = (length: number) => codec.read(new DataView(new ArrayBuffer(64)), 8, 8 + length);
    expect([4, 11, 36, 43].map(read)).toEqual([
      { small: true },
      { small: true },
      { large: true },
      { large: true },
    ]);
    for (const length of [3, 12, 35, 44]) {
      expect(() => read(length)).toThrow(`it has ${length} bytes, and its types 4, 36`);
    }
    expect(codec.size).toBe(4);
    expect(() => codec.write(new DataView(new ArrayBuffer(8)), 0, {})).toThrow(
      expect.objectContaining({ code: 'ERR_BPF_ARGUMENT' }),
    );
  });

  it('are written as the type that their tag says', () => {
    const codec = oneOf<{ type: number }>('type', (v, o) => v.getUint8(o), [
      [1, { size: 1, read: () => ({ type: 1 }), write: (v, o) => v.setUint8(o, 1) }],
      [2, { size: 2, read: () => ({ type: 2 }), write: (v, o) => v.setUint16(o, 0x0203) }],
    ]);
    const view = new DataView(new ArrayBuffer(2));
    codec.write(view, 0, { type: 2 });
    expect(view.getUint16(0)).toBe(0x0203);
    expect([1, 2].map((type) => codec.sizeOf?.({ type }))).toEqual([1, 2]);
    expect(() => codec.write(view, 0, { type: 3 })).toThrow('its type is 3, which is none of 1, 2');
  });
});

describe('the generator', () => {
  it('says of a buffer what its records are, wherever that was said', () => {
    expect(generate('named=exit_event')).toMatch(
      /\/\*\* BPF_MAP_TYPE_RINGBUF, 4 KiB: struct exit_event \*\//,
    );
    expect(generate('sized=small|large')).toMatch(
      /\/\*\* BPF_MAP_TYPE_PERF_EVENT_ARRAY: struct small \| struct large \*\//,
    );
  });

  it('tells types apart by their size only where the kernel gives them different ones', () => {
    const builder = new BtfBuilder();
    const word = builder.int('int', 4);
    for (const [name, size] of [
      ['a', 16],
      ['b', 20],
      ['c', 24],
    ] as const) {
      builder.struct(name, size, [{ name: `first_${name}`, type: word }]);
    }
    const spec = parseObject(readFileSync(object));
    const told = (name: string, types: string) => () =>
      mapRecords(
        builder.btf(),
        spec.maps.filter((map) => map.name === name),
        new Map([[name, types]]),
      );
    // Both are 20 bytes behind the 4 that count them: perf_prepare_sample() rounds the sum up to 24.
    expect(told('sized', 'a|b')).toThrow('the kernel pads their 16 and 20 bytes alike');
    expect(told('sized', 'b|c')).not.toThrow();
    expect(told('named', 'a|b')).not.toThrow();
  });

  it('refuses --record of a map whose values have another size', () => {
    expect(() => skeletonText({ object: mapsObject, record: ['plain=__u32'] })).toThrow(
      expect.objectContaining({
        code: 'ERR_BPF_NAME',
        message: expect.stringContaining(
          '--record: "__u32" has 4 bytes, and the values of map "plain" have 8',
        ),
      }),
    );
  });

  it.each([
    ['named=exec_event:EVENT_EXIT|exit_event:EVENT_EXEC', /\[EventType\.EVENT_EXIT, ExecEvent\]/],
    ['named=exec_event:0|exit_event:1', /\[EventType\.EVENT_EXEC, ExecEvent\]/],
    ['named=exec_event : EVENT_EXEC, EVENT_MAX | struct exit_event', /\[EventType\.EVENT_MAX, ExecEvent\]/],
    ['named=exec_event:9|exit_event', /ExecEvent & \{ type: 9 \}/],
    ['numbered=request:EVENT_EXIT|reply:0x10', /Request & \{ id: 1n \}[\s\S]*\[16n, Reply\]/],
  ])('understands --record %s', (record, expected) => {
    expect(generate(record)).toMatch(expected);
  });

  it.each([
    ['named=exec_event|none', 'the object\'s BTF has no type "none"'],
    ['named=exec_event|event_type', 'one of several record types is a struct; "event_type" is none'],
    [
      'named=exec_event:EVENT_EXECS|exit_event',
      'type has no value EVENT_EXECS; it has EVENT_EXEC, EVENT_EXIT',
    ],
    ['named=exec_event:1|exit_event', 'type 1 means two of the types'],
    ['named=exec_event|exit_event:EVENT_EXIT|exec_event', 'type 0 means two of the types'],
    [
      'numbered=request|reply',
      'request and reply have neither an enum in common by name, type and place, nor different sizes',
    ],
    [
      'numbered=request:1|reply',
      'no value of id is named like reply: write it behind a colon, as in reply:1',
    ],
    ['sized=exec_event:1|large:2', 'exec_event and large have no integer in common by name, type and place'],
  ])('refuses --record %s', (record, message) => {
    expect(() => generate(record)).toThrow(
      expect.objectContaining({ message: expect.stringContaining(message) }),
    );
  });

  it.each([
    ['exec_event', ['exec_event', 'exit_event'], ['EVENT_EXEC', 'EVENT_EXIT'], 'EVENT_EXEC'],
    [
      'tcp_close_event',
      ['tcp_close_event', 'tcp_open_event'],
      ['EV_TCP_CLOSE', 'EV_TCP_OPEN'],
      'EV_TCP_CLOSE',
    ],
    ['tcp_close', ['tcp_close', 'exec'], ['EV_TCP_CLOSE', 'EV_EXEC', 'EV_MAX'], 'EV_TCP_CLOSE'],
    ['ExecEvent', ['ExecEvent', 'ExitEvent'], ['KIND_EXEC', 'KIND_EXIT'], 'KIND_EXEC'],
    ['struct exec', ['struct exec', 'struct exit'], ['EXEC', 'EXIT'], 'EXEC'],
    ['event', ['event', 'exit_event'], ['EVENT_EXEC', 'EVENT_EXIT'], undefined],
    ['exec', ['exec', 'exit'], ['A_EXEC', 'A_EXEC_', 'A_EXIT'], undefined],
  ])('finds the enumerator of %s among the names', (struct, structs, names, expected) => {
    expect(
      enumeratorFor(
        struct,
        structs,
        names.map((name) => ({ name })),
      )?.name,
    ).toBe(expected);
  });
});
