import { arrayOf, fromJson, toJson } from '@bpfskel/runtime';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Codec } from '../../runtime/src/codec/codec.js';
import { fakeKernel } from '../../runtime/src/testing/index.js';
import {
  Address,
  Chosen,
  Event,
  EventType,
  Numbered,
  Shape,
  ShapeKind,
  tagged_union,
} from '../golden/tagged_union/expected.skel.js';
import { skeletonText } from './skeleton-text.js';

const object = new URL('../golden/tagged_union/in.bpf.o', import.meta.url).pathname;
const generate = (...union: string[]) => skeletonText({ object, name: 'x', union });

function encoded<T>(codec: Codec<T>, value: T, length = codec.size): Uint8Array {
  const bytes = new Uint8Array(length);
  codec.write(new DataView(bytes.buffer), 0, value);
  return bytes;
}

function decoded<T>(codec: Codec<T>, bytes: ArrayLike<number>): T {
  return codec.read(new DataView(Uint8Array.from(bytes).buffer), 0, bytes.length);
}

function through<T>(codec: Codec<T>, value: T, length?: number): T {
  return decoded(codec, encoded(codec, value, length));
}

describe('a union that a tag tells the arms of', () => {
  it('comes back from JSON, whichever arm it has', () => {
    const events = [
      { type: EventType.EVENT_EXEC, pid: 7, exec: { ppid: 1, filename: '/bin/ls' } },
      { type: EventType.EVENT_EXIT, pid: 7, exit: { code: -1, runtime: 5n } },
      { type: 77 as never, pid: 7, raw: Uint8Array.from({ length: 24 }, (_, index) => index) },
    ];
    for (const event of events) expect(fromJson(Event, toJson(event))).toEqual(event);
    expect(fromJson(arrayOf(Event, 3), toJson(events))).toEqual(events);
    expect(() => fromJson(Event, '{"type":1,"pid":7,"exit":{"code":"x","runtime":5}}')).toThrow(
      'read JSON: exit.code is a number; the text has "x"',
    );
    expect(() => fromJson(arrayOf(Event, 1), '[{"type":1,"pid":7,"exec":{"ppid":1,"filename":""}}]')).toThrow(
      'read JSON: [0].exec is no field of the type',
    );
  });

  it('has the arm that the tag says, and no other', () => {
    const exec = { type: EventType.EVENT_EXEC, pid: 7, exec: { ppid: 1, filename: '/bin/ls' } };
    const exit = { type: EventType.EVENT_EXIT, pid: 7, exit: { code: -1, runtime: 5n } };
    expect(through(Event, exec)).toEqual(exec);
    expect(through(Event, exit)).toEqual(exit);
    expect(through(Shape, { kind: ShapeKind.SHAPE_SQUARE, is: { sides: [3, 4] } })).toEqual({
      kind: ShapeKind.SHAPE_SQUARE,
      is: { sides: [3, 4] },
    });
    const four = { is_v6: false, v4: [127, 0, 0, 1] } as const;
    expect(through(Address, { ...four, v4: [...four.v4] })).toEqual(four);
    expect(encoded(Chosen, { kind: 4n, other: { number: 1, real: 2 ** -149 }, payload: { ip: 9 } })[12]).toBe(
      9,
    );
  });

  it('takes the rest of a record in an arm that ends in a flexible array', () => {
    const open = { kind: 1, open: { flags: 2, path: '/etc/passwd' } } as const;
    expect(through(Numbered, open, 64)).toEqual(open);
    expect(decoded(Numbered, [1, 0, 0, 0, 2, 0, 0, 0, 65, 66])).toEqual({
      kind: 1,
      open: { flags: 2, path: 'AB' },
    });
    expect(decoded(Numbered, [3, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0])).toEqual({
      kind: 3,
      close: { fd: 2, error: 4 },
    });
  });

  it('takes as many bytes as such an arm needs', () => {
    const open = { kind: 1, open: { flags: 2, path: '/etc/passwd' } } as const;
    expect(Numbered.sizeOf?.(open)).toBe(4 + 4 + 12);
    expect(Numbered.sizeOf?.({ kind: 1, open: { flags: 2, path: '' } })).toBe(16);
    expect(Numbered.sizeOf?.({ kind: 2, close: { fd: 1, error: 2 } })).toBe(16);
    expect(through(Numbered, open, Numbered.sizeOf?.(open))).toEqual(open);
  });

  it('has its bytes when the tag says none, and keeps the tag', () => {
    const odd = {
      type: EventType.EVENT_MAX,
      pid: 7,
      raw: Uint8Array.from({ length: 24 }, (_, i) => i),
    } as const;
    expect(through(Event, odd)).toEqual(odd);
    // No enumerator at all: TypeScript knows nothing of it, but it is there.
    expect(decoded(Shape, [1, 2, 3, 4, 9, 0, 0, 0])).toEqual({ kind: 9, is: Uint8Array.of(1, 2, 3, 4) });
    expect(decoded(Chosen, new Uint8Array(32))).toMatchObject({ kind: 0n, payload: new Uint8Array(16) });
  });

  it.each<[string, Codec<unknown>, number[]]>([
    ['event', Event, [0, 1, 2, 3]],
    ['shape', Shape, [0, 1, 2, 3]],
    ['numbered', Numbered, [0, 1, 2, 3]],
    ['chosen', Chosen, [4, 5, 6]],
    ['address', Address, [0, 1]],
  ])('writes what it read of struct %s, whatever the bytes', (_, codec, tags) => {
    const tagAt = codec === Shape ? 4 : 0;
    const bytes = fc.uint8Array({ minLength: codec.size, maxLength: codec.size });
    fc.assert(
      fc.property(bytes, fc.constantFrom(...tags), (random, tag) => {
        const memory = random.slice().fill(0, tagAt, tagAt + (codec === Chosen ? 8 : 4));
        memory[tagAt] = tag;
        const value = decoded(codec, memory);
        expect(through(codec, value)).toEqual(value);
        // The arm is smaller than the union: what lies behind it is padding then.
        const again = encoded(codec, value);
        expect(encoded(codec, decoded(codec, again))).toEqual(again);
      }),
    );
  });

  it('refuses a value that has neither an arm nor the bytes', () => {
    // @ts-expect-error no arm belongs to this tag, so the bytes are needed
    expect(() => encoded(Event, { type: EventType.EVENT_MAX, pid: 1 })).toThrow(
      expect.objectContaining({
        code: 'ERR_BPF_UNION',
        message: 'no arm of the union belongs to type 2: give its 24 bytes as raw, or another type',
      }),
    );
    const short = { type: EventType.EVENT_MAX, pid: 1, raw: new Uint8Array(3) };
    expect(() => encoded(Event, short)).toThrow('give its 24 bytes as raw');
  });

  it('is narrowed by switch in records and in values of maps', () => {
    const kernel = fakeKernel();
    using skel = tagged_union.openAndLoad({ kernel });
    kernel.emit('events', Event, { type: EventType.EVENT_EXIT, pid: 3, exit: { code: 1, runtime: 2n } });
    kernel.emit('events', Event, { type: EventType.EVENT_MAX, pid: 4, raw: new Uint8Array(24) });
    const seen: string[] = [];
    skel.maps.events.consume((event) => {
      switch (event.type) {
        case EventType.EVENT_EXEC:
          return seen.push(event.exec.filename);
        case EventType.EVENT_EXIT:
          return seen.push(`${event.pid} exit ${event.exit.code}`);
        default:
          return seen.push(`${event.pid} ${event.raw.length} bytes`);
      }
    });
    expect(seen).toEqual(['3 exit 1', '4 24 bytes']);
    skel.maps.shapes.set(0, { kind: ShapeKind.SHAPE_CIRCLE, is: { radius: 5 } });
    const shape = skel.maps.shapes.get(0);
    expect(shape.kind === ShapeKind.SHAPE_CIRCLE && shape.is.radius).toBe(5);
  });
});

describe('the generator', () => {
  it.each([
    ['event=type', /case EventType\.EVENT_EXIT:\n\s+return \{[^}]*exit: EventExit/],
    ['event=type|exit:EVENT_EXEC|exec:1', /case EventType\.EVENT_EXEC:\n\s+return \{[^}]*exit: EventExit/],
    ['event=type|exec:EVENT_EXEC,EVENT_MAX', /typeof EventType\.EVENT_EXEC \| typeof EventType\.EVENT_MAX;/],
    ['event=type|exec', /Exclude<EventType, typeof EventType\.EVENT_EXEC>/],
    ['event . exec = type', /export type Event =/],
    ['struct event=type', /export type Event =/],
    ['chosen.other=kind|number:EVENT_EXIT|real:0x10', /kind: 1n;[\s\S]*kind: 16n;/],
    ['chosen.ip6=kind|ip:4', /payload: \{ ip: number \}/],
  ])('understands --union %s', (union, expected) => {
    const text = generate(union);
    expect(text).toMatch(expected);
    expect(text).toMatch(/^\/\/ options: .*--union /m);
  });

  it.each([
    ['none=type', 'the object\'s BTF has no type "none"'],
    ['event_type=type', '--union: "event_type" is no struct'],
    ['exec=ppid', 'tagged union of struct "exec": it has no union'],
    ['event=kind', 'it has no member "kind" beside the union'],
    ['event=exec', 'it has no member "exec" beside the union'],
    ['chosen=kind', 'it has several unions; say which, as in --union STRUCT.MEMBER=TAG'],
    ['chosen.third=kind', 'it has no union "third"'],
    ['chosen.payload=other|ip:1', 'its member "other" is no integer or enum of its own'],
    ['event=type|exek:0', 'the union has no member "exek"'],
    ['event=type|exec:EVENT_EXE', 'type has no value EVENT_EXE; it has EVENT_EXEC, EVENT_EXIT, EVENT_MAX'],
    ['event=type|exec:0|exit:0', 'type 0 means two of its members'],
    ['numbered=kind', 'no value of kind is named like open: write it behind the tag, as in kind|open:1'],
  ])('refuses --union %s', (union, message) => {
    expect(() => generate(union)).toThrow(
      expect.objectContaining({ message: expect.stringContaining(message) }),
    );
  });
});
