import { describe, expect, it } from 'vitest';
import { MalformedError } from '../../runtime/src/errors.js';
import type { BpfRoute, TcFilterSet } from '../../runtime/src/kernel/kernel.js';
import {
  Attributes,
  encodeRequest,
  type NetlinkRequest,
  parseAnswer,
} from '../../runtime/src/kernel/netlink.js';
import { routeDeletion, routeRequest } from '../../runtime/src/kernel/route-request.js';
import * as tc from '../../runtime/src/kernel/tc-filter.js';

/** A request after its header, in hex: 16-bit and 32-bit words of a little-endian machine. */
const hex = (request: NetlinkRequest): string => {
  const bytes = encodeRequest(request, 1);
  const view = new DataView(bytes.buffer);
  return `${view.getUint16(4, true)} ${view.getUint16(6, true).toString(16)} ${Buffer.from(bytes.subarray(16)).toString('hex')}`;
};
const joined = (text: string): string =>
  text
    .replaceAll(/\s+/g, ' ')
    .trim()
    .replaceAll(/(?<=\b\S+ \S+ .*) /g, '');
const ascii = (text: string): string => Buffer.from(`${text}\0`).toString('hex');

describe('a request about filters', () => {
  const filter: TcFilterSet = { ifindex: 2, direction: 'egress', prog: 9, as: 'classifier', name: 'abc' };

  it.each<[string, NetlinkRequest, string]>([
    [
      'makes clsact, only where there is none',
      tc.clsactRequest(2),
      `36 605 00000000 02000000 0000ffff f1ffffff 00000000  0b000100 ${ascii('clsact')}00`,
    ],
    [
      'takes it away',
      tc.clsactDeletion(2),
      `37 5 00000000 02000000 0000ffff f1ffffff 00000000  0b000100 ${ascii('clsact')}00`,
    ],
    ['asks for it', tc.qdiscQuery(2), '38 d 00000000 02000000 00000000 f1ffffff 00000000'],
    [
      'makes a filter of what the device sends, in direct action',
      tc.filterRequest(filter),
      `44 60d 00000000 02000000 00000000 f3ffffff 00030000
       08000100 ${ascii('bpf')}  1c000280 08000600 09000000 08000700 ${ascii('abc')} 08000800 01000000`,
    ],
    [
      'puts a filter in the place of one',
      tc.filterRequest({ ...filter, direction: 'ingress', priority: 50000, handle: 7, replace: true }),
      `44 50d 00000000 02000000 07000000 f2ffffff 000350c3
       08000100 ${ascii('bpf')}  1c000280 08000600 09000000 08000700 ${ascii('abc')} 08000800 01000000`,
    ],
    [
      'makes a program the action of a filter that takes all',
      tc.filterRequest({ ...filter, as: 'action' }),
      `44 60d 00000000 02000000 00000000 f3ffffff 00030000
       0d000100 ${ascii('matchall')}000000
       40000280 3c000280 38000180 08000100 ${ascii('bpf')}
       2c000280 18000200 ${'00'.repeat(20)} 08000500 09000000 08000600 ${ascii('abc')}`,
    ],
    [
      'deletes one filter',
      tc.filterDeletion({ ifindex: 2, direction: 'egress', priority: 1, handle: 3 }),
      '45 5 00000000 02000000 03000000 f3ffffff 00030100',
    ],
    ['asks for all', tc.filterQuery(2, 'ingress'), '46 301 00000000 02000000 00000000 f2ffffff 00000000'],
  ])('%s', (_name, request, expected) => {
    expect(hex(request)).toBe(joined(expected));
  });
});

describe('a request about routes', () => {
  const route: BpfRoute = {
    hook: 'xmit',
    prog: 9,
    name: 'abc',
    destination: Uint8Array.of(10, 0, 0, 0),
    prefixLength: 24,
    ifindex: 2,
  };
  const program = `08000100 09000000 08000200 ${ascii('abc')}`;

  it.each<[string, NetlinkRequest, string]>([
    [
      'adds a route to a device, with room for a header',
      routeRequest({ ...route, headroom: 14 }),
      `24 605 02180000 fe04fd01 00000000 08000100 0a000000 08000400 02000000 08000f00 fe000000
       20001680 14000380 ${program} 08000400 0e000000  06001500 06000000`,
    ],
    [
      'adds one over a gateway, to a table of a large number, with a metric',
      routeRequest({ ...route, hook: 'in', gateway: Uint8Array.of(10, 1, 1, 1), table: 1000, metric: 5 }),
      `24 605 02180000 00040001 00000000 08000100 0a000000 08000400 02000000 08000500 0a010101
       08000600 05000000 08000f00 e8030000  18001680 14000180 ${program}  06001500 06000000`,
    ],
    [
      'deletes an IPv6 route that ends segments',
      routeDeletion({ ...route, hook: 'seg6local', destination: new Uint8Array(16), prefixLength: 64 }),
      `25 5 0a400000 fe040001 00000000 14000100 ${'00'.repeat(16)} 08000400 02000000 08000f00 fe000000
       20001680 08000100 0f000000 14000880 ${program}  06001500 07000000`,
    ],
  ])('%s', (_name, request, expected) => {
    expect(hex(request)).toBe(joined(expected));
  });
});

describe('a filter in an answer', () => {
  /** What the kernel would send: a message of this type with this body. */
  const answer = (type: number, handle: number, info: number, attributes: Attributes) => {
    const request = tc.filterDeletion({ ifindex: 2, direction: 'ingress', priority: 0, handle });
    request.body.u32(16, info);
    const bytes = encodeRequest({ ...request, type, attributes }, 1);
    const [first] = parseAnswer(bytes, 1);
    if (first?.kind !== 'message') throw new Error('no message');
    return first.message;
  };
  const bpf = new Attributes()
    .text(1, 'bpf')
    .nest(2, (options) => options.text(7, 'count:[5]').u32(8, 1).u32(11, 5));

  it('tells its program', () => {
    expect(tc.parseFilter(answer(44, 3, 0xc0000300, bpf))).toEqual({
      kind: 'bpf',
      handle: 3,
      priority: 49152,
      progId: 5,
      name: 'count:[5]',
    });
  });

  it('tells the program of its first action', () => {
    const matchall = new Attributes()
      .text(1, 'matchall')
      .nest(2, (options) =>
        options.nest(2, (actions) =>
          actions.nest(1, (first) => first.text(1, 'bpf').nest(2, (act) => act.text(6, 'a').u32(9, 8))),
        ),
      );
    expect(tc.parseFilter(answer(44, 1, 0x10300, matchall))).toMatchObject({ progId: 8, name: 'a' });
  });

  it('has no program when it is of another kind', () => {
    const flower = new Attributes().text(1, 'flower').nest(2, (options) => options.u32(11, 5));
    expect(tc.parseFilter(answer(44, 1, 0x10300, flower))).toMatchObject({ kind: 'flower', progId: 0 });
  });

  it('is not the heading of a priority, nor another message', () => {
    expect(tc.parseFilter(answer(44, 0, 0x10300, bpf))).toBeUndefined();
    expect(tc.parsePriority(answer(44, 0, 0xc0000300, new Attributes()))).toBe(49152);
    expect(tc.parsePriority(answer(36, 0, 0x10300, bpf))).toBeUndefined();
    expect(tc.parseFilter(answer(36, 1, 0x10300, bpf))).toBeUndefined();
    expect(tc.parseQdisc(answer(44, 1, 0, bpf))).toBeUndefined();
    expect(tc.parseQdisc(answer(36, 1, 0, new Attributes().text(1, 'clsact')))).toBe('clsact');
  });

  it.each([
    [
      'a name without an end',
      new Attributes().bytes(1, new Uint8Array([98, 112, 102])).nest(2, () => undefined),
    ],
    [
      'half a number',
      new Attributes().text(1, 'bpf').nest(2, (options) => options.bytes(11, new Uint8Array(2))),
    ],
    ['options that are no attributes', new Attributes().text(1, 'bpf').bytes(2, new Uint8Array(4))],
  ])('is refused with %s', (_name, attributes) => {
    expect(() => tc.parseFilter(answer(44, 1, 0x10300, attributes))).toThrow(MalformedError);
  });
});
