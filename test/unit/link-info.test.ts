import { describe, expect, it } from 'vitest';
import type { Fields } from '../../runtime/src/kernel/fields.js';
import type { LinkInfo } from '../../runtime/src/kernel/kernel.js';
import { readLink } from '../../runtime/src/kernel/link-info.js';

type Write = [offset: number, size: 4 | 8, value: number | bigint];

/** What a kernel does with one link. */
interface Played {
  readonly type: number;
  /** Bytes of the structure that it knows: the newest by default. */
  readonly known?: number;
  /** What it writes besides type, id (11) and prog_id (22). */
  readonly writes?: readonly Write[];
  /** Texts and numbers by the offset of the pointer to where they go. */
  readonly behind?: Readonly<Record<number, string | readonly bigint[]>>;
}

/** BPF_OBJ_GET_INFO_BY_FD of a kernel: fields it does not know stay as they were. */
function info({ type, known = 64, writes = [], behind = {} }: Played): { told: LinkInfo; asked: number } {
  const rooms = new Map<bigint, Uint8Array>();
  let asked = 0;
  const ask = (fields: Fields) => {
    asked += 1;
    const view = new DataView(fields.bytes.buffer);
    // E2BIG of a kernel that is given more than it knows.
    expect(fields.bytes.subarray(known).every((byte) => byte === 0)).toBe(true);
    for (const [pointer, content] of Object.entries(behind)) {
      const room = rooms.get(view.getBigUint64(Number(pointer), true));
      if (room === undefined) continue;
      const bytes =
        typeof content === 'string'
          ? new TextEncoder().encode(`${content}\0`)
          : new Uint8Array(BigUint64Array.from(content).buffer);
      room.set(bytes);
    }
    const all: Write[] = [[0, 4, type], [4, 4, 11], [8, 4, 22], ...writes];
    for (const [offset, size, value] of all) {
      if (size === 4) view.setUint32(offset, Number(value), true);
      else view.setBigUint64(offset, BigInt(value), true);
    }
    return known;
  };
  const addressOf = (bytes: Uint8Array) => {
    const address = BigInt(rooms.size + 1) << 12n;
    rooms.set(address, bytes);
    return address;
  };
  return { told: readLink(ask, addressOf), asked };
}

const link = { id: 11, progId: 22 };

describe('what the kernel tells of a link', () => {
  const cases: [string, Played, LinkInfo][] = [
    [
      'a raw tracepoint',
      { type: 1, writes: [[32, 8, 5n]], behind: { 16: 'sched_switch' } },
      { type: 'raw_tracepoint', ...link, tracepoint: 'sched_switch', cookie: 5n },
    ],
    [
      'a raw tracepoint, before cookies',
      { type: 1, behind: { 16: 'sched_switch' } },
      { type: 'raw_tracepoint', ...link, tracepoint: 'sched_switch' },
    ],
    [
      'fentry',
      {
        type: 2,
        writes: [
          [16, 4, 24],
          [20, 4, 1],
          [24, 4, 777],
          [32, 8, 0n],
        ],
      },
      { type: 'tracing', ...link, attachType: 'TRACE_FENTRY', targetObjId: 1, targetBtfId: 777, cookie: 0n },
    ],
    [
      'fentry on 5.8, which tells the attach type alone',
      { type: 2, known: 32, writes: [[16, 4, 24]] },
      { type: 'tracing', ...link, attachType: 'TRACE_FENTRY' },
    ],
    [
      'an attach type that came later',
      {
        type: 3,
        writes: [
          [16, 8, 4242n],
          [24, 4, 999],
        ],
      },
      { type: 'cgroup', ...link, cgroupId: 4242n, attachType: 999 },
    ],
    [
      'an iterator over a map',
      { type: 4, writes: [[28, 4, 33]], behind: { 16: 'bpf_map_elem' } },
      { type: 'iter', ...link, target: 'bpf_map_elem', mapId: 33 },
    ],
    [
      'an iterator over cgroups',
      {
        type: 4,
        known: 48,
        writes: [
          [32, 8, 99n],
          [40, 4, 2],
        ],
        behind: { 16: 'cgroup' },
      },
      { type: 'iter', ...link, target: 'cgroup', cgroupId: 99n, order: 'descendants_pre' },
    ],
    [
      'an iterator over the threads of a process',
      { type: 4, writes: [[36, 4, 4321]], behind: { 16: 'task' } },
      { type: 'iter', ...link, target: 'task', pid: 4321 },
    ],
    ['an iterator on 5.8', { type: 4, known: 28 }, { type: 'iter', ...link }],
    [
      'sk_lookup',
      {
        type: 5,
        writes: [
          [16, 4, 4026531840],
          [20, 4, 36],
        ],
      },
      { type: 'netns', ...link, netnsInode: 4026531840, attachType: 'SK_LOOKUP' },
    ],
    ['XDP', { type: 6, writes: [[16, 4, 3]] }, { type: 'xdp', ...link, ifindex: 3 }],
    ['a perf event before 6.6', { type: 7, known: 48 }, { type: 'perf_event', ...link }],
    [
      'a kprobe',
      {
        type: 7,
        writes: [
          [16, 4, 3],
          [36, 4, 8],
          [40, 8, 0xffffffff81000000n],
          [48, 8, 2n],
          [56, 8, 7n],
        ],
        behind: { 24: 'do_unlinkat' },
      },
      {
        type: 'perf_event',
        ...link,
        event: {
          kind: 'kprobe',
          functionName: 'do_unlinkat',
          offset: 8,
          address: 0xffffffff81000000n,
          missed: 2n,
          cookie: 7n,
        },
      },
    ],
    [
      'a kretprobe on 6.6, with hidden addresses',
      {
        type: 7,
        known: 48,
        writes: [
          [16, 4, 4],
          [36, 4, 0],
          [40, 8, 0n],
        ],
        behind: { 24: 'do_exit' },
      },
      {
        type: 'perf_event',
        ...link,
        event: { kind: 'kretprobe', functionName: 'do_exit', offset: 0 },
      },
    ],
    [
      'a uprobe',
      {
        type: 7,
        writes: [
          [16, 4, 1],
          [36, 4, 0x1234],
          [40, 8, 9n],
          [48, 8, 0n],
        ],
        behind: { 24: '/usr/lib/libc.so.6' },
      },
      {
        type: 'perf_event',
        ...link,
        event: { kind: 'uprobe', path: '/usr/lib/libc.so.6', offset: 0x1234, cookie: 9n, refCtrOffset: 0n },
      },
    ],
    [
      'a tracepoint',
      {
        type: 7,
        writes: [
          [16, 4, 5],
          [40, 8, 1n],
        ],
        behind: { 24: 'sched_switch' },
      },
      { type: 'perf_event', ...link, event: { kind: 'tracepoint', name: 'sched_switch', cookie: 1n } },
    ],
    [
      'a clock',
      {
        type: 7,
        writes: [
          [16, 4, 6],
          [24, 8, 0n],
          [32, 4, 1],
        ],
      },
      { type: 'perf_event', ...link, event: { kind: 'event', eventType: 1, config: 0n } },
    ],
    [
      'many kprobes',
      {
        type: 8,
        writes: [
          [24, 4, 2],
          [28, 4, 1],
          [32, 8, 0n],
        ],
        behind: { 16: [0x100n, 0x200n], 40: [1n, 0n] },
      },
      {
        type: 'kprobe_multi',
        ...link,
        count: 2,
        flags: 1,
        missed: 0n,
        addresses: [0x100n, 0x200n],
        cookies: [1n, 0n],
      },
    ],
    [
      'many kprobes with hidden addresses, before cookies were told',
      {
        type: 8,
        known: 48,
        writes: [
          [24, 4, 2],
          [28, 4, 0],
        ],
        behind: { 16: [0n, 0n] },
      },
      { type: 'kprobe_multi', ...link, count: 2, flags: 0 },
    ],
    ['many kprobes before 6.6', { type: 8, known: 48 }, { type: 'kprobe_multi', ...link }],
    [
      'more kprobes than a kernel allows, which nobody makes room for',
      {
        type: 8,
        writes: [
          [24, 4, 0xfffffff0],
          [28, 4, 0],
          [32, 8, 0n],
        ],
      },
      { type: 'kprobe_multi', ...link, count: 0xfffffff0, flags: 0, missed: 0n },
    ],
    ['a map of struct_ops', { type: 9, writes: [[16, 4, 44]] }, { type: 'struct_ops', ...link, mapId: 44 }],
    [
      'netfilter',
      {
        type: 10,
        writes: [
          [16, 4, 10],
          [20, 4, 3],
          [24, 4, 0xffffff38],
          [28, 4, 1],
        ],
      },
      { type: 'netfilter', ...link, family: 'ipv6', hook: 'output', priority: -200, flags: 1 },
    ],
    [
      'tcx',
      {
        type: 11,
        writes: [
          [16, 4, 2],
          [20, 4, 46],
        ],
      },
      { type: 'tcx', ...link, ifindex: 2, attachType: 'TCX_INGRESS' },
    ],
    [
      'many uprobes',
      {
        type: 12,
        writes: [
          [48, 4, 8],
          [52, 4, 2],
          [56, 4, 0],
          [60, 4, 77],
        ],
        behind: { 16: '/bin/sh', 24: [0x10n, 0x20n], 32: [0n, 0n], 40: [3n, 4n] },
      },
      {
        type: 'uprobe_multi',
        ...link,
        path: '/bin/sh',
        count: 2,
        flags: 0,
        pid: 77,
        offsets: [0x10n, 0x20n],
        refCtrOffsets: [0n, 0n],
        cookies: [3n, 4n],
      },
    ],
    ['many uprobes before 6.8', { type: 12, known: 48 }, { type: 'uprobe_multi', ...link }],
    [
      'netkit',
      {
        type: 13,
        writes: [
          [16, 4, 2],
          [20, 4, 55],
        ],
      },
      { type: 'netkit', ...link, ifindex: 2, attachType: 'NETKIT_PEER' },
    ],
    [
      'a map of sockets',
      {
        type: 14,
        writes: [
          [16, 4, 5],
          [20, 4, 7],
        ],
      },
      { type: 'sockmap', ...link, mapId: 5, attachType: 'SK_MSG_VERDICT' },
    ],
    ['a type that came later', { type: 200 }, { type: 'other', ...link, linkType: 200 }],
  ];
  it.each(cases)('of %s', (_, played, expected) => {
    expect(info(played).told).toEqual(expected);
  });

  it('is asked for once where every kernel tells all', () => {
    expect(info({ type: 6 }).asked).toBe(1);
    expect(info({ type: 7 }).asked).toBe(2);
  });

  it('holds a field whose every bit is set', () => {
    const told = info({ type: 1, writes: [[32, 8, 0xffffffffffffffffn]], behind: { 16: 'x' } }).told;
    expect(told).toMatchObject({ cookie: 0xffffffffffffffffn });
  });

  it('has room for the longest path', () => {
    const told = info({ type: 1, behind: { 16: 'x'.repeat(4095) } }).told;
    expect(told).toMatchObject({ tracepoint: 'x'.repeat(4095) });
  });
});
