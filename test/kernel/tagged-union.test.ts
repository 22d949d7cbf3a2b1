import { describe, expect, it } from 'vitest';
import { type Event, EventType, header } from '../golden/header/expected.skel.ts';

const text = new TextEncoder();

describe('records with a tagged union', () => {
  it('have the arm that the program meant, with its bytes', () => {
    using skel = header.openAndLoad();
    skel.progs.emit.testRun();
    const seen: Event[] = [];
    skel.maps.events.consume((event) => seen.push(event));
    const [exec, exit, other] = seen;
    if (exec?.type !== EventType.EVENT_EXEC || exit?.type !== EventType.EVENT_EXIT)
      throw new Error('other arms');
    expect(exec.exec.arguments.subarray(0, 7)).toEqual(text.encode('ls\0-l\0/'));
    expect(exec.exec.environment).toEqual(text.encode('A=1\0B=2\0'));
    expect(exec.exec.comm).not.toBe('');
    expect(exit.end).toEqual({ code: -2 });
    expect(other).toEqual({ type: EventType.EVENT_PACKET, raw: expect.any(Uint8Array) });
    expect(seen).toHaveLength(3);
  });

  it('are copies that cannot be changed as variables, and are set whole', () => {
    using skel = header.openAndLoad();
    skel.progs.emit.testRun();
    const { last } = skel.bss;
    expect(last.type).toBe(EventType.EVENT_PACKET);
    expect(() => {
      (last as { type: number }).type = 0;
    }).toThrow(TypeError);
    skel.bss.last = { type: EventType.EVENT_EXIT, end: { code: 7 } };
    expect(skel.bss.last).toEqual({ type: EventType.EVENT_EXIT, end: { code: 7 } });
  });
});
