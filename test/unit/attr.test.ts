import { describe, expect, it } from 'vitest';
import * as attrs from '../../runtime/src/kernel/attr.js';
import { Fields } from '../../runtime/src/kernel/fields.js';
import { infoFields, readMapInfo, readProgInfo } from '../../runtime/src/kernel/info.js';
import { perfEventAttr } from '../../runtime/src/kernel/perf-event.js';
import { progAttachAttr, progDetachAttr } from '../../runtime/src/kernel/prog-attach.js';
import * as progAttrs from '../../runtime/src/kernel/prog-attr.js';
import { progQueryAttr, queryBuffers, readProgQuery } from '../../runtime/src/kernel/prog-query.js';
import { kernelVersion } from '../../runtime/src/uapi.js';

/** What the kernel is told, as far as it is told: 32-bit words in hex, zeros as dots. */
function words(fields: Fields): string {
  const size = Math.ceil(fields.end / 4) * 4;
  const view = new DataView(fields.bytes.buffer, 0, size);
  return Array.from({ length: size / 4 }, (_, i) => {
    const word = view.getUint32(i * 4, true);
    return word === 0 ? '.' : word.toString(16);
  }).join(' ');
}

/** The n-th array that is pointed at lies at 0x1000 * n. */
function addresses(): (bytes: Uint8Array) => bigint {
  let next = 0n;
  return () => {
    next += 0x1000n;
    return next;
  };
}

const insns = new Uint8Array(24);

describe('a bpf_attr', () => {
  const cases: [string, () => Fields, string][] = [
    [
      'tells a map by four numbers when that is all',
      () => attrs.mapCreateAttr({ type: 1, keySize: 4, valueSize: 16, maxEntries: 1024 }),
      '1 4 10 400',
    ],
    [
      'has the name in place, 15 bytes of it',
      () =>
        attrs.mapCreateAttr({
          type: 2,
          keySize: 4,
          valueSize: 8,
          maxEntries: 1,
          name: 'abcdefghijklmnopqrst',
        }),
      '2 4 8 1 . . . 64636261 68676665 6c6b6a69 6f6e6d',
    ],
    [
      'has every field of a map where the kernel looks for it',
      () =>
        attrs.mapCreateAttr({
          type: 1,
          keySize: 2,
          valueSize: 3,
          maxEntries: 4,
          flags: 5,
          innerMapFd: 6,
          numaNode: 7,
          ifindex: 8,
          btfFd: 9,
          btfKeyTypeId: 10,
          btfValueTypeId: 11,
          btfVmlinuxValueTypeId: 12,
          mapExtra: 13n,
          valueTypeBtfObjFd: 14,
          tokenFd: 15,
        }),
      '1 2 3 4 18005 6 7 . . . . 8 9 a b c d . e f',
    ],
    [
      'tells a map for which program it is alone',
      () =>
        attrs.mapCreateAttr(
          { type: 1, keySize: 4, valueSize: 4, maxEntries: 1, exclusiveProgram: new Uint8Array(8) },
          addresses(),
        ),
      `1 4 4 1 ${'. '.repeat(16)}1000 . 20`,
    ],
    [
      'tells a program by its instructions and its license',
      () => progAttrs.progLoadAttr({ type: 6, insns, license: 'GPL' }, addresses()),
      '6 3 1000 . 2000 .',
    ],
    [
      'has every field of a program where the kernel looks for it',
      () =>
        progAttrs.progLoadAttr(
          {
            type: 26,
            insns,
            license: 'GPL',
            expectedAttachType: 24,
            name: 'p',
            kernelVersion: 0x61200,
            flags: 0x10,
            ifindex: 2,
            btfFd: 3,
            funcInfo: { recordSize: 8, bytes: new Uint8Array(16) },
            lineInfo: { recordSize: 16, bytes: new Uint8Array(48) },
            attachBtfId: 4,
            attachBtfObjFd: 5,
            fdArray: new Int32Array(2),
            tokenFd: 6,
            log: { level: 1, buffer: new Uint8Array(64) },
          },
          addresses(),
        ),
      '1a 3 1000 . 2000 . 1 40 6000 . 61200 10010 70 . . . 2 18 3 8 4000 . 2 10 5000 . 3 4 5 . 3000 . . . . . 6',
    ],
    [
      'names the program to extend where else the module stands',
      () =>
        progAttrs.progLoadAttr(
          { type: 28, insns, license: '', attachBtfId: 4, attachProgFd: 9 },
          addresses(),
        ),
      '1c 3 1000 . 2000 . . . . . . . . . . . . . . . . . . . . . . 4 9',
    ],
    [
      'leaves the log out as a whole at level 0',
      () =>
        progAttrs.progLoadAttr(
          { type: 1, insns, license: 'GPL', log: { level: 0, buffer: new Uint8Array(64) } },
          addresses(),
        ),
      '1 3 1000 . 2000 .',
    ],
    [
      'carries BTF with its log',
      () => progAttrs.btfLoadAttr(new Uint8Array(100), { level: 1, buffer: new Uint8Array(32) }, addresses()),
      '1000 . 2000 . 64 20 1',
    ],
    [
      'begins a batch without a cursor',
      () =>
        attrs.batchAttr(
          7,
          { keys: new Uint8Array(8), values: new Uint8Array(16), count: 2, cursor: null, keySize: 4 },
          new Uint8Array(4),
          addresses(),
        ),
      '. . 1000 . 2000 . 3000 . 2 7',
    ],
    [
      'goes on with a batch from a cursor, under flags',
      () =>
        attrs.batchAttr(
          7,
          {
            keys: new Uint8Array(8),
            values: new Uint8Array(16),
            count: 2,
            cursor: new Uint8Array(4),
            keySize: 4,
            flags: 4n,
          },
          new Uint8Array(4),
          addresses(),
        ),
      '1000 . 2000 . 3000 . 4000 . 2 7 4 .',
    ],
    [
      'writes a batch of whole keys and values under flags',
      () =>
        attrs.writeBatchAttr(
          7,
          { keys: new Uint8Array(8), values: new Uint8Array(16), count: 2, flags: 4n },
          addresses(),
        ),
      '. . . . 1000 . 2000 . 2 7 4 .',
    ],
    [
      'deletes a batch of keys',
      () => attrs.writeBatchAttr(7, { keys: new Uint8Array(8), count: 2 }, addresses()),
      '. . . . 1000 . . . 2 7',
    ],
    [
      'links to a device',
      () => attrs.linkCreateAttr({ prog: 3, attachType: 37, target: { ifindex: 2 }, flags: 2 }, addresses()),
      '3 2 25 2',
    ],
    [
      'links to a perf event with a cookie',
      () =>
        attrs.linkCreateAttr(
          {
            prog: 3,
            attachType: 41,
            target: { fd: 9 },
            options: { kind: 'perf_event', cookie: 0x1_0000_0002n },
          },
          addresses(),
        ),
      '3 9 29 . 2 1',
    ],
    [
      'links a tracing program with a cookie',
      () =>
        attrs.linkCreateAttr(
          {
            prog: 3,
            attachType: 24,
            options: { kind: 'tracing', targetBtfId: 5, cookie: 6n },
          },
          addresses(),
        ),
      '3 . 18 . 5 . 6 .',
    ],
    [
      'links before another link, when nothing changed since',
      () =>
        attrs.linkCreateAttr({
          prog: 3,
          attachType: 46,
          target: { ifindex: 2 },
          flags: 0x28,
          options: { kind: 'ordered', relative: 9, expectedRevision: 5n },
        }),
      '3 2 2e 28 9 . 5 .',
    ],
    [
      'links last on a hook that has an order',
      () =>
        attrs.linkCreateAttr({
          prog: 3,
          attachType: 46,
          target: { ifindex: 2 },
          options: { kind: 'ordered' },
        }),
      '3 2 2e',
    ],
    [
      'links into netfilter',
      () =>
        attrs.linkCreateAttr({
          prog: 3,
          attachType: 45,
          options: { kind: 'netfilter', family: 2, hook: 3, priority: -100, flags: 1 },
        }),
      '3 . 2d . 2 3 ffffff9c 1',
    ],
    [
      'asks a device for its programs, their links and flags',
      () =>
        progQueryAttr(
          { target: { ifindex: 2 }, attachType: 46 },
          queryBuffers({ target: { ifindex: 2 }, attachType: 46 }, 4, kernelVersion(6, 6)),
          addresses(),
        ),
      '2 2e . . 1000 . 4 . 2000 . 3000 . . . . .',
    ],
    [
      'asks a cgroup for what runs there, without flags of each',
      () => {
        const query = { target: { fd: 7 }, attachType: 1, flags: 1 };
        return progQueryAttr(query, queryBuffers(query, 4, kernelVersion(6, 5)), addresses());
      },
      '7 1 1 . 1000 . 4 . . . . . . . . .',
    ],
    [
      'attaches a program to a cgroup, next to others',
      () => progAttachAttr({ target: 7, prog: 3, attachType: 10, flags: 2 }),
      '7 3 a 2',
    ],
    [
      'attaches a program to the network namespace of this process',
      () => progAttachAttr({ target: 0, prog: 3, attachType: 17 }),
      '. 3 11',
    ],
    [
      'attaches a program in the place of another',
      () => progAttachAttr({ target: 7, prog: 3, attachType: 10, flags: 6, replace: 9 }),
      '7 3 a 6 9',
    ],
    [
      'attaches a program before another, when nothing changed since',
      () =>
        progAttachAttr({ target: 7, prog: 3, attachType: 10, flags: 10, relative: 9, expectedRevision: 4n }),
      '7 3 a a . 9 4 .',
    ],
    ['detaches a program', () => progDetachAttr({ target: 7, prog: 3, attachType: 10 }), '7 3 a'],
    [
      'links many uprobes of a process, with cookies and counters',
      () =>
        attrs.linkCreateAttr(
          {
            prog: 3,
            attachType: 48,
            options: {
              kind: 'uprobe_multi',
              path: '/bin/x',
              offsets: [16n, 32n],
              cookies: [5n, 6n],
              refCtrOffsets: [0n, 8n],
              flags: 1,
              pid: 77,
            },
          },
          addresses(),
        ),
      '3 . 30 . 1000 . 2000 . 3000 . 4000 . 2 1 4d',
    ],
    [
      'links one uprobe of every process, telling the kernel no more than it must know',
      () =>
        attrs.linkCreateAttr(
          { prog: 3, attachType: 48, options: { kind: 'uprobe_multi', path: '/bin/x', offsets: [16n] } },
          addresses(),
        ),
      '3 . 30 . 1000 . 2000 . . . . . 1',
    ],
    [
      'makes an iterator of everything',
      () => attrs.linkCreateAttr({ prog: 3, attachType: 28, options: { kind: 'iter', of: undefined } }),
      '3 . 1c',
    ],
    ...(
      [
        ['the elements of a map', { map: 9 }, '9'],
        ['cgroups from a descriptor on', { order: 2, cgroup: 9 }, '2 9'],
        ['cgroups from an id on', { order: 4, cgroupId: 0x1_0000_0002n }, '4 . 2 1'],
        ['the threads of a process', { pid: 7 }, '. 7'],
        ['a thread', { tid: 7 }, '7'],
        ['the threads of a process by descriptor', { pidfd: 7 }, '. . 7'],
      ] as const
    ).map(([what, of, info]): [string, () => Fields, string] => [
      `makes an iterator of ${what}`,
      () => {
        let pointedAt = new Uint8Array();
        const make = attrs.linkCreateAttr(
          { prog: 3, attachType: 28, options: { kind: 'iter', of } },
          (bytes) => {
            pointedAt = bytes.slice();
            return 0x1000n;
          },
        );
        const subject = new Fields(16);
        subject.bytes.set(pointedAt);
        expect(words(subject.upTo(16)).replace(/( \.)+$/, '')).toBe(info);
        return make;
      },
      '3 . 1c . 1000 . 10',
    ]),
    ['opens an iterator', () => attrs.iterCreateAttr(4), '4'],
    [
      'links to functions by name, with a cookie for each',
      () =>
        attrs.linkCreateAttr(
          {
            prog: 3,
            attachType: 42,
            options: {
              kind: 'kprobe_multi',
              functions: { symbols: ['vfs_read', 'vfs_write'] },
              cookies: new BigUint64Array(2),
              flags: 1,
            },
          },
          addresses(),
        ),
      '3 . 2a . 1 2 3000 . . . 1000 .',
    ],
    [
      'links to functions by address',
      () =>
        attrs.linkCreateAttr(
          {
            prog: 3,
            attachType: 56,
            options: { kind: 'kprobe_multi', functions: { addresses: new BigUint64Array(3) }, flags: 0 },
          },
          addresses(),
        ),
      '3 . 38 . . 3 . . 1000 .',
    ],
    ['tells a program its struct_ops map', () => attrs.progAssocStructOpsAttr(4, 5), '5 4'],
    ['binds a map to a program', () => attrs.progBindMapAttr(4, 5), '4 5'],
    ['exchanges the program of a link', () => attrs.linkUpdateAttr(4, 5), '4 5'],
    ['exchanges it while a certain one runs', () => attrs.linkUpdateAttr(4, 5, 6), '4 5 4 6'],
    [
      'opens a raw tracepoint by name',
      () => attrs.rawTracepointAttr(4, 'sys_enter', addresses()),
      '1000 . 4',
    ],
    [
      'opens a raw tracepoint with a cookie',
      () => attrs.rawTracepointAttr(4, 'sys_enter', addresses(), 5n),
      '1000 . 4 . 5 .',
    ],
    ['opens what BTF already names', () => attrs.rawTracepointAttr(4, undefined, addresses()), '. . 4'],
    ['pins', () => attrs.objectAttr('/sys/fs/bpf/x', 4, addresses()), '1000 . 4'],
    ['opens what is pinned', () => attrs.objectAttr('/sys/fs/bpf/x', undefined, addresses()), '1000 .'],
    ['freezes by one number', () => attrs.singleAttr(4), '4'],
    [
      'asks for information about a descriptor',
      () => attrs.infoAttr(4, infoFields(), addresses()),
      '4 100 1000 .',
    ],
    [
      'runs a program on data and context',
      () =>
        progAttrs.testRunAttr(
          4,
          { data: new Uint8Array(20), repeat: 7, flags: 1, cpu: 2, batchSize: 3 },
          { context: new Uint8Array(8), dataOut: new Uint8Array(64), contextOut: new Uint8Array(16) },
          addresses(),
        ),
      '4 . 14 40 1000 . 2000 . 7 . 8 10 3000 . 4000 . 1 2 3',
    ],
  ];

  it.each(cases)('%s', (_name, make, expected) => {
    expect(words(make())).toBe(expected);
  });

  it('has room behind its end for what the kernel answers', () => {
    expect(progAttrs.testRunAttr(4, {}, noBuffers, addresses()).bytes.length).toBeGreaterThanOrEqual(80);
  });
});

const none = new Uint8Array(0);
const noBuffers = { context: none, dataOut: none, contextOut: none };

describe('an array of C strings', () => {
  it('is an array of addresses into one text', () => {
    const held: Uint8Array[] = [];
    const fields = new Fields(8, (bytes) => {
      held.push(bytes);
      return 0x1000n * BigInt(held.length);
    }).strings(0, ['vfs_read', '', 'größe']);
    const [text, starts] = held;
    expect(new TextDecoder().decode(text)).toBe('vfs_read\0\0größe\0');
    expect(new BigUint64Array(starts?.slice().buffer ?? new ArrayBuffer(0))).toEqual(
      new BigUint64Array([0x1000n, 0x1009n, 0x100an]),
    );
    expect(fields.readU64(0)).toBe(0x2000n);
  });
});

describe('the attr of one map entry', () => {
  it('is the same 32 bytes, rewritten', () => {
    const attr = new attrs.ElementAttr();
    attr.set(7, 0x1000n, 0x2000n, 4n);
    const { bytes } = attr;
    attr.set(8, 0x3000n, 0n, 0n);
    const view = new DataView(bytes.buffer);
    expect(bytes.length).toBe(32);
    expect([0, 8, 16, 24].map((at) => view.getBigUint64(at, true))).toEqual([8n, 0x3000n, 0n, 0n]);
  });
});

describe('a perf_event_attr', () => {
  const cases: [string, () => Fields, string][] = [
    [
      'opens a tracepoint by its id',
      () => perfEventAttr({ type: 2, config: 321n, pid: -1, cpu: 0 }, addresses()),
      '2 48 141 .',
    ],
    [
      'samples at a frequency',
      () => perfEventAttr({ type: 1, config: 0n, sampleFrequency: 99n, pid: -1, cpu: 0 }, addresses()),
      '1 48 . . 63 . . . . . 400 .',
    ],
    [
      'delivers what a program writes, waking at a watermark',
      () =>
        perfEventAttr(
          {
            type: 1,
            config: 10n,
            sampleType: 0x400n,
            samplePeriod: 1n,
            wakeupWatermark: 512,
            disabled: true,
            writeBackward: true,
            pid: -1,
            cpu: 1,
          },
          addresses(),
        ),
      '1 48 a . 1 . 400 . . . 8004001 . 200',
    ],
    [
      'watches an address, also in children',
      () =>
        perfEventAttr(
          {
            type: 5,
            config: 0n,
            samplePeriod: 1n,
            breakpointType: 3,
            inherit: true,
            config1: 0xffffffff81000000n,
            config2: 4n,
            pid: 9,
            cpu: -1,
          },
          addresses(),
        ),
      '5 48 . . 1 . . . . . 2 . . 3 81000000 ffffffff 4 .',
    ],
    [
      'names the function of a probe in the place of config1',
      () =>
        perfEventAttr(
          { type: 8, config: 1n, target: 'do_unlinkat', config2: 16n, pid: -1, cpu: 0 },
          addresses(),
        ),
      '8 48 1 . . . . . . . . . . . 1000 . 10 .',
    ],
    [
      'gives the address of a probe without a name',
      () =>
        perfEventAttr({ type: 8, config: 0n, config2: 0xffffffff81000000n, pid: -1, cpu: 0 }, addresses()),
      '8 48 . . . . . . . . . . . . . . 81000000 ffffffff',
    ],
  ];

  it.each(cases)('%s', (_name, make, expected) => {
    expect(words(make())).toBe(expected);
  });
});

describe('an answer of the kernel', () => {
  it('gives a map by its fields', () => {
    const info = new Fields(256)
      .u32(0, 27)
      .u32(4, 9)
      .u32(8, 0)
      .u32(12, 0)
      .u32(16, 4096)
      .u32(20, 0x400)
      .name(24, 16, 'events')
      .u32(64, 5)
      .u64(80, 6n);
    expect(readMapInfo(info)).toEqual({
      type: 27,
      id: 9,
      keySize: 0,
      valueSize: 0,
      maxEntries: 4096,
      flags: 0x400,
      name: 'events',
      btfId: 5,
      mapExtra: 6n,
    });
  });

  it('gives the programs of a hook, never more than there was room for', () => {
    const buffers = { ids: Uint32Array.of(5, 6), flags: undefined, links: Uint32Array.of(8, 0) };
    const attr = new Fields(128).u32(12, 2).u32(24, 1000).u64(56, 3n);
    expect(readProgQuery(attr, buffers)).toEqual({
      flags: 2,
      revision: 3n,
      programs: [
        { id: 5, linkId: 8, flags: 0 },
        { id: 6, linkId: 0, flags: 0 },
      ],
    });
  });

  it('gives a program with its tag as bpftool prints it', () => {
    const info = new Fields(256).u32(0, 6).u32(4, 12).name(64, 16, 'count_packets').u32(216, 40);
    info.bytes.set([0x0a, 0xf5, 0, 1, 2, 3, 4, 0xff], 8);
    expect(readProgInfo(info, [3])).toEqual({
      type: 6,
      id: 12,
      name: 'count_packets',
      tag: '0af50001020304ff',
      xlatedSize: 0,
      jitedSize: 0,
      verifiedInsns: 40,
      mapIds: [3],
      btfId: 0,
    });
  });
});
