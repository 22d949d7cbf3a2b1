import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openObject, type StructOpsMap } from '@bpfskel/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LinkInfo } from '../../runtime/src/kernel/kernel.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import type { Link } from '../../runtime/src/link/link.js';
import { openLink, openLinkById } from '../../runtime/src/open-link.js';
import * as programs from '../../runtime/src/program/index.js';
import { BPF_MAP_TYPE, kernelVersion } from '../../runtime/src/uapi.js';
import { type Counter, loadCounter } from './counter.js';
import { kernelHas } from './facts.js';
import { kernelTypes } from './kernel-types.js';
import { openFds } from './link-contract.js';
import { buildProbed, probed } from './probed.js';
import { TestCgroup } from './test-cgroup.js';

const kernel = linuxKernel();
/** Tells everything of every type of link; older ones tell less. */
const tellsAll = kernel.version >= kernelVersion(6, 17);
const since = (major: number, minor: number) => kernel.version >= kernelVersion(major, minor);
const testdata = (name: string) => fileURLToPath(new URL(`../testdata/${name}.o`, import.meta.url));

/** For kernels that do not tell how they were built. */
const kconfig =
  kernel.buildConfig() === undefined ? 'CONFIG_BPF_SYSCALL=y\nCONFIG_HZ=250\nCONFIG_NO_SUCH_THING=n\n' : '';

const netkit = `bsi${process.pid}`;
const hasNetkit = spawnSync('ip', ['link', 'add', netkit, 'type', 'netkit']).status === 0;
let cgroup: TestCgroup;
beforeAll(() => {
  buildProbed();
  cgroup = new TestCgroup();
}, 120_000);
afterAll(() => {
  cgroup.close();
  if (hasNetkit) spawnSync('ip', ['link', 'del', netkit]);
});

const congestionControls = () =>
  readFileSync('/proc/sys/net/ipv4/tcp_available_congestion_control', 'utf8').trim().split(' ');

/** What is to be told; the fields after `always` are those that older kernels with such links leave out. */
interface Case {
  readonly name: string;
  readonly when?: boolean;
  readonly section: string;
  readonly answer?: number;
  attach(counter: Counter): Link;
  always(counter: Counter): object;
  newer?(): object;
}

const vmlinux = () => ({ targetObjId: expect.any(Number), cookie: 0n });
const event = (more: object, newer: object) => ({
  always: () => ({ type: 'perf_event' }),
  newer: () => ({ event: { ...more, ...newer } }),
});
const device = (name: string) => kernel.ifindex(name);

const cases: readonly Case[] = [
  {
    name: 'a raw tracepoint',
    section: 'raw_tp/sched_switch',
    attach: ({ handle }) =>
      new programs.RawTracepointProgram(handle).attach('sched_switch', tellsAll ? { cookie: 77n } : {}),
    always: () => ({ type: 'raw_tracepoint', tracepoint: 'sched_switch' }),
    newer: () => ({ cookie: 77n }),
  },
  {
    name: 'fentry',
    when: kernelHas.fentry,
    section: 'fentry/do_unlinkat',
    attach: ({ handle }) => new programs.FentryProgram(handle).attach(),
    always: () => ({
      type: 'tracing',
      attachType: 'TRACE_FENTRY',
      targetObjId: expect.any(Number),
      targetBtfId: kernelTypes().vmlinux.find('do_unlinkat', 'func'),
    }),
    newer: vmlinux,
  },
  {
    name: 'LSM',
    when: kernelHas.lsm,
    section: 'lsm/file_open',
    attach: ({ handle }) => new programs.LsmProgram(handle).attach(),
    always: () => ({
      type: 'tracing',
      attachType: 'LSM_MAC',
      targetObjId: expect.any(Number),
      targetBtfId: kernelTypes().vmlinux.find('bpf_lsm_file_open', 'func'),
    }),
    newer: vmlinux,
  },
  {
    name: 'a cgroup',
    section: 'cgroup_skb/egress',
    answer: 1,
    attach: ({ handle }) => new programs.CgroupSkbProgram(handle).attach(cgroup.path),
    always: () => ({
      type: 'cgroup',
      cgroupId: statSync(cgroup.path, { bigint: true }).ino,
      attachType: 'CGROUP_INET_EGRESS',
    }),
  },
  {
    name: 'a network namespace',
    section: 'sk_lookup',
    answer: 1,
    attach: ({ handle }) => new programs.SkLookupProgram(handle).attach(),
    always: () => ({ type: 'netns', netnsInode: statSync('/proc/self/ns/net').ino, attachType: 'SK_LOOKUP' }),
  },
  {
    name: 'XDP',
    section: 'xdp',
    answer: 2,
    attach: ({ handle }) => new programs.XdpProgram(handle).attach('lo', { mode: 'generic' }),
    always: () => ({ type: 'xdp', ifindex: device('lo') }),
  },
  {
    name: 'tcx',
    when: kernelHas.tcx,
    section: 'tcx/egress',
    answer: -1,
    attach: ({ handle }) => new programs.TcxProgram(handle).attach('lo'),
    always: () => ({ type: 'tcx', ifindex: device('lo'), attachType: 'TCX_EGRESS' }),
  },
  {
    name: 'netkit',
    when: hasNetkit,
    section: 'netkit/primary',
    answer: -1,
    attach: ({ handle }) => new programs.NetkitProgram(handle).attach(netkit),
    always: () => ({ type: 'netkit', ifindex: device(netkit), attachType: 'NETKIT_PRIMARY' }),
  },
  {
    name: 'netfilter',
    when: kernelHas.netfilter,
    section: 'netfilter',
    answer: 1,
    attach: ({ handle }) =>
      new programs.NetfilterProgram(handle).attach({ family: 'ipv6', hook: 'forward', priority: -11 }),
    always: () => ({ type: 'netfilter', family: 'ipv6', hook: 'forward', priority: -11, flags: 0 }),
  },
  {
    name: 'a tracepoint',
    section: 'tp/sched/sched_switch',
    attach: ({ handle }) =>
      new programs.TracepointProgram(handle).attach('sched', 'sched_switch', { cookie: 5n }),
    ...event({ kind: 'tracepoint', name: 'sched_switch' }, { cookie: 5n }),
  },
  {
    name: 'a software event',
    section: 'perf_event',
    attach: ({ handle }) =>
      new programs.PerfEventProgram(handle).attach({
        type: 'software',
        config: 'context-switches',
        period: 1000,
        cpu: 0,
      }),
    ...event({ kind: 'event', eventType: 1, config: 3n }, { cookie: 0n }),
  },
  {
    name: 'a uretprobe',
    section: 'uretprobe',
    attach: ({ handle }) =>
      new programs.UretprobeProgram(handle).attach({
        binary: probed.program,
        symbol: 'probed_add',
        cookie: 6n,
      }),
    ...event(
      { kind: 'uretprobe', path: probed.program, offset: expect.any(Number) },
      { cookie: 6n, refCtrOffset: 0n },
    ),
  },
  {
    name: 'a kprobe',
    when: kernelHas.kprobes,
    section: 'kprobe',
    attach: ({ handle }) => new programs.KprobeProgram(handle).attach('do_unlinkat', { cookie: 7n }),
    ...event(
      { kind: 'kprobe', functionName: 'do_unlinkat', offset: 0 },
      { address: expect.any(BigInt), missed: 0n, cookie: 7n },
    ),
  },
  {
    name: 'many kprobes',
    when: kernelHas.manyKprobes,
    section: 'kretprobe.multi',
    attach: ({ handle }) =>
      new programs.KretprobeMultiProgram(handle).attach(['do_unlinkat', 'do_rmdir'], { cookies: [8n, 9n] }),
    always: () => ({ type: 'kprobe_multi' }),
    newer: () => ({
      count: 2,
      flags: 1,
      missed: 0n,
      addresses: [expect.any(BigInt), expect.any(BigInt)],
      cookies: expect.arrayContaining([8n, 9n]),
    }),
  },
  {
    name: 'many uprobes',
    when: kernelHas.uprobeMulti,
    section: 'uprobe.multi',
    attach: ({ handle }) =>
      new programs.UprobeMultiProgram(handle).attach({
        binary: probed.program,
        functions: ['probed_multi_one', 'probed_multi_two'],
        cookies: [1n, 2n],
        pid: process.pid,
      }),
    always: () => ({ type: 'uprobe_multi' }),
    newer: () => ({
      path: probed.program,
      count: 2,
      flags: 0,
      pid: process.pid,
      offsets: [expect.any(BigInt), expect.any(BigInt)],
      refCtrOffsets: [0n, 0n],
      cookies: [1n, 2n],
    }),
  },
];

/** From when on the kernel tells what older ones leave out, by type. */
const complete: Readonly<Record<string, boolean>> = {
  perf_event: since(6, 17),
  kprobe_multi: since(6, 9),
  uprobe_multi: since(6, 8),
};

/** Everything on kernels that tell everything; else at least what all tell, and nothing that is wrong. */
function expectTold(info: LinkInfo, always: object, newer: object): void {
  if (tellsAll || complete[info.type] === true) {
    expect(info).toEqual({ ...always, ...newer });
    return;
  }
  expect(info).toMatchObject(always);
  for (const [field, value] of Object.entries(info)) {
    const wanted: unknown = { ...always, ...newer }[field as keyof typeof newer];
    if (field !== 'event') expect([field, value]).toEqual([field, wanted]);
    else expect(wanted).toMatchObject(value as object);
  }
}

describe('the kernel tells of a link of', () => {
  for (const { name, when = true, section, answer = 0, attach, always, newer } of cases) {
    it.runIf(when)(name, () => {
      const before = openFds();
      const counter = loadCounter(section, answer);
      try {
        const link = attach(counter);
        const info = link.info();
        const progId = kernel.progInfo(counter.handle.fd()).id;
        const common = { id: expect.any(Number), progId, progName: 'counter' };
        expectTold(info, { ...common, ...always(counter) }, newer?.() ?? {});
        using again = openLinkById(info.id, info.type);
        expect(again.info()).toEqual(info);
        expect(again.target).not.toBe('');
      } finally {
        counter.close();
      }
      expect(openFds()).toBe(before);
    });
  }

  it('a map of sockets', () => {
    const map = kernel.mapCreate({ type: BPF_MAP_TYPE.SOCKMAP, keySize: 4, valueSize: 4, maxEntries: 1 });
    const counter = loadCounter('sk_msg', 1);
    try {
      const link = new programs.SkMsgProgram(counter.handle).attach(map);
      if (!since(6, 10)) {
        expect(() => link.info()).toThrow('without a bpf_link');
        return;
      }
      const { id: mapId } = kernel.mapInfo(map);
      expect(link.info()).toMatchObject({ type: 'sockmap', mapId, attachType: 'SK_MSG_VERDICT' });
    } finally {
      counter.close();
      kernel.close(map);
    }
  });

  it('iterators, whose program can be exchanged', () => {
    const object = openObject(testdata('iters'));
    const cgroups = object.progs.get('cgroup_lines');
    if (cgroups !== undefined) cgroups.autoload = since(6, 1);
    using live = object.load();
    const iterator = (name: string) => live.progs.get(name) as programs.IterProgram;
    using tasks = iterator('task_lines').attach({ pid: process.pid });
    expect(tasks.info()).toMatchObject({ type: 'iter', target: 'task' });
    if (tellsAll) expect(tasks.info()).toMatchObject({ pid: process.pid });
    expect(tasks.read()).toContain(`${process.pid} `);
    tasks.update(iterator('task_records'), { expected: iterator('task_lines') });
    expect(tasks.program).toBe('task_records');
    expect(tasks.info().progId).toBe(iterator('task_records').info().id);
    expect(() => tasks.update(iterator('task_lines'), { expected: iterator('task_lines') })).toThrow(
      /^update link of "task_records" to "task_lines": the program there is "task_records" id \d+, and not the one expected \(EPERM\)$/,
    );
    if (!since(6, 1)) return;
    using all = iterator('cgroup_lines').attach({ cgroup: cgroup.path, order: 'self_only' });
    expect(all.info()).toMatchObject({
      type: 'iter',
      target: 'cgroup',
      cgroupId: statSync(cgroup.path, { bigint: true }).ino,
      order: 'self_only',
    });
  });

  it.runIf(
    since(6, 4) && kernelTypes().vmlinux.find('bpf_struct_ops_tcp_congestion_ops', 'struct') !== undefined,
  )('a struct_ops map, which can be exchanged by its pin', () => {
    const pin = `/sys/fs/bpf/bpfskel-ops-${process.pid}`;
    const object = openObject(testdata('kernel_features'));
    const wanted = ['by_link', 'in_its_place'];
    for (const program of object.progs.values()) program.autoload = false;
    for (const map of object.maps.values())
      map.autocreate = map.name === '.rodata' || wanted.includes(map.name);
    using live = object.load({ kconfig });
    const map = (name: string) => live.maps.get(name) as unknown as StructOpsMap;
    using link = map('by_link').attach();
    expect(link.info()).toMatchObject({ type: 'struct_ops', progId: 0, mapId: map('by_link').info().id });
    link.pin(pin).detach();
    expect(congestionControls()).toContain('bpfskel_link');
    using opened = openLink(pin, 'struct_ops');
    expect(opened.program).toBe('by_link');
    opened.unpin();
    opened.update(map('in_its_place'), { expected: map('by_link') });
    expect(opened.info().mapId).toBe(map('in_its_place').info().id);
    expect(() => opened.update(map('by_link'), { expected: map('by_link') })).toThrow(
      'update link of "in_its_place" to "by_link": the link registers another map than the one expected (EPERM)',
    );
    expect(congestionControls()).toContain('bpfskel_link');
    if (since(6, 11)) opened.detach();
    else opened.close();
    if (since(6, 11)) expect(opened.info().mapId).toBe(0);
    expect(congestionControls()).not.toContain('bpfskel_link');
  });
});
