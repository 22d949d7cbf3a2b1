import { describe, expect, it } from 'vitest';
import { MalformedError } from '../../runtime/src/errors.js';
import { encodeRequest, parseAnswer } from '../../runtime/src/kernel/netlink.js';
import { linkQuery, parseXdp, xdpRequest } from '../../runtime/src/kernel/xdp-request.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Bytes from hex with spaces. */
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));

const u32 = (value: number): string => {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value >>> 0);
  return buffer.toString('hex');
};
const attribute = (type: number, payload: string): string => {
  const length = 4 + payload.length / 2;
  const header = u32((type << 16) | length);
  return (header + payload).padEnd(Math.ceil(length / 4) * 8, '0');
};
const message = (type: number, flags: number, seq: number, payload: string): string =>
  u32(16 + payload.length / 2) + u32((flags << 16) | type) + u32(seq) + u32(0) + payload;

describe('an rtnetlink request', () => {
  it('sets an XDP program', () => {
    expect(hex(encodeRequest(xdpRequest(2, 9, 0), 1))).toBe(
      hex(
        bytes(
          '2c000000 1300 0500 01000000 00000000 | 00000000 02000000 00000000 00000000 | 0c00 2b80 0800 0100 09000000'.replaceAll(
            '|',
            '',
          ),
        ),
      ),
    );
  });

  it('clears one under flags, if it is still the expected one', () => {
    expect(hex(encodeRequest(xdpRequest(2, -1, 0x12, 8), 3))).toBe(
      hex(
        bytes(`3c000000 1300 0500 03000000 00000000  00000000 02000000 00000000 00000000
               1c00 2b80  0800 0100 ffffffff  0800 0300 12000000  0800 0800 08000000`),
      ),
    );
  });

  it('asks for one device', () => {
    expect(hex(encodeRequest(linkQuery(7), 1))).toBe(
      hex(bytes('20000000 1200 0500 01000000 00000000  00000000 07000000 00000000 00000000')),
    );
  });
});

describe('an rtnetlink answer', () => {
  const nobody = u32(0).repeat(4);

  it('acknowledges', () => {
    expect(parseAnswer(bytes(message(2, 0, 1, u32(0) + nobody)), 1)).toEqual([
      { kind: 'end', errno: 0, text: undefined },
    ]);
  });

  it('refuses with the words of the kernel behind the whole request', () => {
    const request = message(19, 5, 1, '00112233445566');
    const text = attribute(1, Buffer.from('XDP program already attached\0').toString('hex'));
    const answer = message(2, 0x200, 1, u32(-16) + request.padEnd(48, '0') + text);
    expect(parseAnswer(bytes(answer), 1)).toEqual([
      { kind: 'end', errno: 16, text: 'XDP program already attached' },
    ]);
  });

  it('refuses with the words of the kernel behind a capped request', () => {
    const text = attribute(1, Buffer.from('no\0').toString('hex'));
    const answer = message(2, 0x300, 1, u32(-22) + u32(500) + nobody.slice(8) + text);
    expect(parseAnswer(bytes(answer), 1)).toEqual([{ kind: 'end', errno: 22, text: 'no' }]);
  });

  it('is only what has the number of the request', () => {
    expect(parseAnswer(bytes(message(2, 0, 9, u32(-1) + nobody)), 1)).toEqual([]);
  });

  const device = (xdp: string): Uint8Array =>
    bytes(message(16, 0, 1, nobody + attribute(3, '6c6f00') + xdp) + message(2, 0, 1, u32(0) + nobody));
  const modes: [string, string, unknown][] = [
    ['without XDP', '', { mode: 'none', native: 0, generic: 0, offload: 0 }],
    [
      'with XDP off',
      attribute(0x802b, attribute(2, '00')),
      { mode: 'none', native: 0, generic: 0, offload: 0 },
    ],
    [
      'in generic mode',
      attribute(0x802b, attribute(2, '02') + attribute(4, u32(147)) + attribute(6, u32(147))),
      { mode: 'generic', native: 0, generic: 147, offload: 0 },
    ],
    [
      'in native mode on a kernel that gives one id only',
      attribute(0x802b, attribute(2, '01') + attribute(4, u32(5))),
      { mode: 'native', native: 5, generic: 0, offload: 0 },
    ],
    [
      'in several modes',
      attribute(0x802b, attribute(2, '04') + attribute(5, u32(1)) + attribute(7, u32(3))),
      { mode: 'multi', native: 1, generic: 0, offload: 3 },
    ],
  ];
  it.each(modes)('tells a device %s', (_name, xdp, expected) => {
    const [answer, end] = parseAnswer(device(xdp), 1);
    expect(answer?.kind === 'message' && parseXdp(answer.message)).toEqual(expected);
    expect(end).toEqual({ kind: 'end', errno: 0, text: undefined });
  });

  const bad: [string, string][] = [
    ['a message shorter than its header', u32(4) + u32(0).repeat(3)],
    ['a message longer than the datagram', u32(400) + u32(2) + u32(1) + u32(0)],
    ['half a header', '1000'],
    ['an attribute shorter than its header', message(16, 0, 1, nobody + u32(0x00010002))],
    ['an attribute longer than its message', message(16, 0, 1, nobody + u32(0x000100ff))],
  ];
  it.each(bad)('is refused when it holds %s', (_name, text) => {
    expect(() => {
      for (const answer of parseAnswer(bytes(text), 1))
        if (answer.kind === 'message') parseXdp(answer.message);
    }).toThrow(MalformedError);
  });
});
