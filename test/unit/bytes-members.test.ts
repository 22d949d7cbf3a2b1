import { describe, expect, it } from 'vitest';
import { fakeKernel } from '../../runtime/src/testing/index.js';
import { EventType, Exec, header, Packet } from '../golden/header/expected.skel.js';
import { skeletonText } from './skeleton-text.js';

const object = new URL('../golden/header/in.bpf.o', import.meta.url).pathname;
const generate = (...bytes: string[]) => skeletonText({ object, name: 'x', bytes });

describe('a member whose bytes are wanted', () => {
  it('keeps what stands behind a NUL, and is written as it was', () => {
    const memory = Uint8Array.from({ length: 56 }, (_, i) => i % 7);
    const exec = Exec.read(new DataView(memory.buffer), 0);
    expect(exec.arguments).toEqual(memory.slice(0, 32));
    const out = new Uint8Array(56);
    Exec.write(new DataView(out.buffer), 0, exec);
    expect(out.slice(0, 40)).toEqual(memory.slice(0, 40));
  });

  it('is a copy', () => {
    const memory = new Uint8Array(56);
    const exec = Exec.read(new DataView(memory.buffer), 0);
    memory.fill(1);
    expect(exec.arguments).toEqual(new Uint8Array(32));
  });

  it('refuses another number of bytes', () => {
    const exec = { arguments: new Uint8Array(31), environment: new Uint8Array(8), comm: '' };
    expect(() => Exec.write(new DataView(new ArrayBuffer(56)), 0, exec)).toThrow(
      expect.objectContaining({ code: 'ERR_BPF_RANGE', message: '32 bytes were expected, 31 given' }),
    );
  });

  it('refuses text, of which zeros would be written', () => {
    const text = 'x'.repeat(32) as unknown as Uint8Array;
    const exec = { arguments: text, environment: new Uint8Array(8), comm: '' };
    expect(() => Exec.write(new DataView(new ArrayBuffer(56)), 0, exec)).toThrow(
      '32 bytes were expected, text was given',
    );
  });

  it('is the rest of a record when it is a flexible array', () => {
    const kernel = fakeKernel();
    using skel = header.openAndLoad({ kernel });
    const record = new Uint8Array(6 + 5);
    const packet = { type: EventType.EVENT_PACKET, length: 5, data: Uint8Array.of(1, 2, 0, 4, 5) } as const;
    Packet.write(new DataView(record.buffer), 0, packet);
    kernel.emit('packets', record);
    const seen: Packet[] = [];
    skel.maps.packets.consume((one) => seen.push(one));
    expect(seen).toEqual([packet]);
    expect(Packet.read(new DataView(new ArrayBuffer(8)), 0).data).toEqual(new Uint8Array(0));
    const long = { ...packet, data: new Uint8Array(6) };
    expect(() => Packet.write(new DataView(record.buffer), 0, long)).toThrow(
      '6 bytes do not fit the 5 bytes',
    );
  });
});

describe('--bytes', () => {
  it('names a member of any type, and is in the header', () => {
    const text = generate('struct end.code', 'exec . comm');
    expect(text).toMatch(/code: Uint8Array;/);
    expect(text).toMatch(/comm: Uint8Array;/);
    expect(text).toMatch(/^\/\/ options: .*--bytes "struct end\.code"/m);
  });

  it.each(['exec', 'exec.', '.comm'])('is no member: %s', (member) => {
    expect(() => generate(member)).toThrow('is not STRUCT.MEMBER, as in --bytes event.data');
  });

  it('is no bitfield', () => {
    const bitfields = new URL('../golden/bitfields/in.bpf.o', import.meta.url).pathname;
    expect(() => skeletonText({ object: bitfields, bytes: ['bits.a'] })).toThrow(
      '--bytes: "a" of "bits" is a bitfield, which has no bytes of its own',
    );
  });

  it.each([
    ['exec.none', '--bytes: "exec" has no member "none"; it has arguments, environment, comm'],
    ['event_type.EVENT_EXEC', '--bytes: "event_type" is no struct or union'],
    ['none.a', 'the object\'s BTF has no type "none"'],
  ])('refuses %s', (member, message) => {
    expect(() => generate(member)).toThrow(
      expect.objectContaining({ code: 'ERR_BPF_NAME', message: expect.stringContaining(message) }),
    );
  });
});
