import { describe, expect, it, vi } from 'vitest';
import type { MapCreate } from '../../runtime/src/kernel/kernel.js';
import { KprobeMultiProgram, PerfEventProgram } from '../../runtime/src/program/index.js';
import type { ProgramHandle } from '../../runtime/src/program/program.js';
import { type FakeKernel, fakeKernel } from '../../runtime/src/testing/index.js';
import { BPF_ATTACH_TYPE, BPF_F_MMAPABLE, BPF_MAP_TYPE } from '../../runtime/src/uapi.js';
import { Sample, sample } from './live-map.js';

/** Milliseconds that a busy machine may need. */
const PATIENCE = 15_000;

const array: MapCreate = { type: BPF_MAP_TYPE.ARRAY, name: 'table', keySize: 4, valueSize: 8, maxEntries: 4 };
const ring: MapCreate = {
  type: BPF_MAP_TYPE.RINGBUF,
  name: 'events',
  keySize: 0,
  valueSize: 0,
  maxEntries: 4096,
};
const load = { type: 6, insns: new Uint8Array(16), license: 'GPL', name: 'count_packets' };
const code = (value: string) => expect.objectContaining({ code: value, name: 'SyscallError' });

describe('fakeKernel: maps', () => {
  it.each<[string, MapCreate, string]>([
    ['of no known type', { ...array, type: 200 }, '6.12'],
    ['without entries', { ...array, maxEntries: 0 }, '6.12'],
    ['whose array keys are not 4 bytes', { ...array, keySize: 8 }, '6.12'],
    ['whose keys have no bytes', { ...array, type: BPF_MAP_TYPE.HASH, keySize: 0 }, '6.12'],
    ['whose values have no bytes', { ...array, valueSize: 0 }, '6.12'],
    ['with a name the kernel does not take', { ...array, name: 'a-b' }, '6.12'],
    ['that are rings of an odd size', { ...ring, maxEntries: 12_288 }, '6.12'],
    ['that are rings of part of a page', { ...ring, maxEntries: 2048 }, '6.12'],
    ['that are rings with keys', { ...ring, keySize: 4 }, '6.12'],
    ['that are rings on an older kernel', ring, '5.4'],
    ['that share memory on an older kernel', { ...array, flags: BPF_F_MMAPABLE }, '5.4'],
    [
      'that are hashes and share memory',
      { ...array, type: BPF_MAP_TYPE.HASH, flags: BPF_F_MMAPABLE },
      '6.12',
    ],
  ])('refuses those %s', (_what, attributes, version) => {
    expect(() => fakeKernel({ version }).mapCreate(attributes)).toThrow(code('EINVAL'));
  });

  it('holds them while a descriptor or a pin does', () => {
    const kernel = fakeKernel();
    const fd = kernel.mapCreate(array);
    kernel.pin(fd, '/sys/fs/bpf/table');
    kernel.close(fd);
    expect(kernel.maps.map(({ name }) => name)).toEqual(['table']);
    expect(kernel.openFds).toEqual([]);
    expect(kernel.mapInfo(kernel.pinned('/sys/fs/bpf/table'))).toMatchObject({
      name: 'table',
      maxEntries: 4,
    });
    expect(kernel.openFds).toMatchObject([{ of: 'map table' }]);
  });

  it('finds them by name, by section, and by a name that the kernel cut', () => {
    const kernel = fakeKernel();
    kernel.mapCreate({ ...array, name: 'hello_ke.bss' });
    kernel.mapCreate({ ...array, name: 'a_name_that_is_' });
    expect(kernel.map('.bss').name).toBe('hello_ke.bss');
    expect(kernel.map('a_name_that_is_too_long').name).toBe('a_name_that_is_');
    expect(() => kernel.map('nope')).toThrow('no map "nope"; it has: hello_ke.bss, a_name_that_is_');
  });

  it('refuses writes to a frozen one', () => {
    const kernel = fakeKernel();
    const fd = kernel.mapCreate(array);
    kernel.mapFreeze(fd);
    expect(() => kernel.mapUpdate(fd, new Uint8Array(4), new Uint8Array(8))).toThrow(code('EPERM'));
    expect(() => kernel.mapFreeze(fd)).toThrow(code('EBUSY'));
  });

  it('shows their contents', () => {
    const kernel = fakeKernel();
    const fd = kernel.mapCreate({ ...array, type: BPF_MAP_TYPE.HASH });
    kernel.mapUpdate(fd, new Uint8Array([1, 0, 0, 0]), new Uint8Array(8).fill(2));
    expect([...kernel.map('table').entries()]).toEqual([
      [new Uint8Array([1, 0, 0, 0]), new Uint8Array(8).fill(2)],
    ]);
  });

  it('starts a walk anew behind a key that is gone, as Linux does', () => {
    const kernel = fakeKernel();
    const fd = kernel.mapCreate({ ...array, type: BPF_MAP_TYPE.HASH });
    const [one, two] = [new Uint8Array([1, 0, 0, 0]), new Uint8Array([2, 0, 0, 0])];
    for (const key of [one, two]) kernel.mapUpdate(fd, key, new Uint8Array(8));
    kernel.mapDelete(fd, two);
    const next = new Uint8Array(4);
    expect(kernel.mapNextKey(fd, two, next)).toBe(true);
    expect(next).toEqual(one);
    expect(kernel.mapNextKey(fd, one, next)).toBe(false);
  });
});

describe('fakeKernel: programs', () => {
  it('keeps what was loaded', () => {
    const kernel = fakeKernel();
    const map = kernel.mapCreate(array);
    const insns = new Uint8Array(24);
    insns.set([0x18, 0x11, 0, 0, map]);
    const fd = kernel.progLoad({ ...load, insns });
    expect(kernel.program('count_packets')).toMatchObject({ type: 6, maps: [{ name: 'table' }] });
    expect(kernel.progInfo(fd)).toMatchObject({ name: 'count_packets', mapIds: [kernel.map('table').id] });
    expect(kernel.progInfo(fd).tag).toMatch(/^[0-9a-f]{16}$/);
    kernel.close(fd);
    expect(kernel.programs).toEqual([]);
  });

  it('refuses instructions that hold a descriptor of no map', () => {
    const insns = new Uint8Array(24);
    insns.set([0x18, 0x11, 0, 0, 99]);
    expect(() => fakeKernel().progLoad({ ...load, insns })).toThrow(code('EBADF'));
  });

  it('plays a verifier that refuses, with its log', () => {
    const kernel = fakeKernel();
    kernel.rejectProgram('count_packets', "R1 invalid mem access 'scalar'");
    const log = { level: 1, buffer: new Uint8Array(64) };
    expect(() => kernel.progLoad(load)).toThrow(code('EACCES'));
    expect(() => kernel.progLoad({ ...load, log })).toThrow(code('EACCES'));
    expect(new TextDecoder().decode(log.buffer)).toMatch(/^R1 invalid mem access 'scalar'\0/);
    expect(() => kernel.progLoad({ ...load, log: { level: 1, buffer: new Uint8Array(8) } })).toThrow(
      code('ENOSPC'),
    );
    kernel.progLoad({ ...load, name: 'other' });
  });

  it('answers test runs as told', () => {
    const kernel = fakeKernel();
    const fd = kernel.progLoad(load);
    const data = new Uint8Array([1]);
    expect(kernel.progTestRun(fd, { data })).toMatchObject({ returnValue: 0, data });
    kernel.onTestRun('count_packets', () => ({ returnValue: 2 }));
    expect(kernel.progTestRun(fd, { data })).toMatchObject({ returnValue: 2, data });
  });
});

describe('fakeKernel: attachments', () => {
  const open = () => {
    const kernel = fakeKernel();
    return { kernel, prog: kernel.progLoad(load), eth0: kernel.addDevice('eth0') };
  };

  it('shows links while they last', () => {
    const { kernel, prog, eth0 } = open();
    const link = kernel.linkCreate({ prog, attachType: BPF_ATTACH_TYPE.XDP, target: { ifindex: eth0 } });
    expect(kernel.links).toMatchObject([{ via: 'link', target: 'eth0', program: { name: 'count_packets' } }]);
    expect(kernel.linkInfo(link).type).toBe('xdp');
    expect(kernel.xdpQuery(eth0)).toMatchObject({ mode: 'native' });
    kernel.close(link);
    expect(kernel.links).toEqual([]);
    expect(kernel.xdpQuery(eth0).mode).toBe('none');
  });

  it('keeps a pinned link', () => {
    const { kernel, prog, eth0 } = open();
    const link = kernel.linkCreate({ prog, attachType: BPF_ATTACH_TYPE.XDP, target: { ifindex: eth0 } });
    kernel.pin(link, '/sys/fs/bpf/link');
    kernel.close(link);
    kernel.close(prog);
    expect(kernel.links).toHaveLength(1);
    expect(kernel.programs).toHaveLength(1);
  });

  it('lets one XDP program onto a device', () => {
    const { kernel, prog, eth0 } = open();
    const request = { prog, attachType: BPF_ATTACH_TYPE.XDP, target: { ifindex: eth0 } };
    kernel.linkCreate(request);
    expect(() => kernel.linkCreate(request)).toThrow(code('EBUSY'));
    expect(() => kernel.xdpSet(eth0, prog, 0)).toThrow(code('EBUSY'));
    expect(() => kernel.linkCreate({ ...request, target: { ifindex: 9 } })).toThrow(code('ENODEV'));
  });

  it('attaches through netlink, sockets, perf events and raw tracepoints', () => {
    const { kernel, prog, eth0 } = open();
    kernel.xdpSet(eth0, prog, 2);
    const socket = kernel.packetSocket(1);
    kernel.socketAttach(socket, prog);
    const event = kernel.perfEventOpen({ type: 2, config: 7n, pid: -1, cpu: 0 });
    kernel.perfEventSetBpf(event, prog);
    const raw = kernel.rawTracepointOpen(prog, 'sched_switch');
    expect(kernel.links.map(({ via, target }) => `${via} ${target}`)).toEqual([
      'netlink eth0',
      'socket lo',
      'perf_event tracepoint 7',
      'raw_tracepoint sched_switch',
    ]);
    expect(kernel.xdpQuery(eth0).mode).toBe('generic');
    kernel.xdpSet(eth0, -1, 2);
    for (const fd of [socket, event, raw, prog]) kernel.close(fd);
    expect(kernel.links).toEqual([]);
    expect(kernel.openFds).toEqual([]);
  });

  it('exchanges the program of a link', () => {
    const { kernel, prog } = open();
    const link = kernel.linkCreate({ prog, attachType: 37, target: { ifindex: 1 } });
    const other = kernel.progLoad({ ...load, name: 'other' });
    expect(() => kernel.linkUpdate(link, other, other)).toThrow('EPERM');
    kernel.linkUpdate(link, other, prog);
    expect(kernel.links).toMatchObject([{ program: { name: 'other' } }]);
    const raw = kernel.rawTracepointOpen(prog, 'sched_switch');
    expect(() => kernel.linkUpdate(raw, other)).toThrow('EINVAL');
    expect(() => kernel.linkDetach(raw)).toThrow('EOPNOTSUPP');
    kernel.linkDetach(link);
    expect(() => kernel.linkUpdate(link, prog)).toThrow('ENOLINK');
  });
});

describe('fakeKernel: programs without a link', () => {
  const MULTI = 2;
  const open = () => {
    const kernel = fakeKernel();
    const target = kernel.openFile('/sys/fs/cgroup/shop');
    const program = (name: string) => kernel.progLoad({ ...load, name });
    return { kernel, program, on: { target, attachType: BPF_ATTACH_TYPE.CGROUP_INET4_CONNECT } };
  };
  const names = ({ links }: { links: readonly { program: { name: string } }[] }) =>
    links.map(({ program }) => program.name);

  it('stay on a cgroup when its descriptor is closed, until they are detached', () => {
    const { kernel, program, on } = open();
    const prog = program('deny');
    kernel.progAttach({ ...on, prog, flags: MULTI });
    kernel.close(on.target);
    expect(kernel.links).toMatchObject([{ via: 'attach', target: '/sys/fs/cgroup/shop' }]);
    const target = kernel.openFile('/sys/fs/cgroup/shop');
    kernel.progDetach({ ...on, target, prog });
    expect(kernel.links).toEqual([]);
    expect(() => kernel.progDetach({ ...on, target, prog })).toThrow(code('ENOENT'));
  });

  it('share a cgroup when all want to, each once', () => {
    const { kernel, program, on } = open();
    const [one, two] = [program('one'), program('two')];
    kernel.progAttach({ ...on, prog: one, flags: MULTI });
    expect(() => kernel.progAttach({ ...on, prog: one, flags: MULTI })).toThrow(code('EINVAL'));
    expect(() => kernel.progAttach({ ...on, prog: two })).toThrow(code('EPERM'));
    kernel.progAttach({ ...on, prog: two, flags: MULTI });
    expect(names(kernel)).toEqual(['one', 'two']);
  });

  it('let no link in where they do not share the cgroup', () => {
    const { kernel, program, on } = open();
    kernel.progAttach({ ...on, prog: program('alone') });
    const link = { prog: program('late'), attachType: on.attachType, target: { fd: on.target } };
    expect(() => kernel.linkCreate(link)).toThrow(code('EPERM'));
  });

  it('take the place of the one that is there, or of the one that is named', () => {
    const { kernel, program, on } = open();
    const [one, two] = [program('one'), program('two')];
    kernel.progAttach({ ...on, prog: one });
    kernel.progAttach({ ...on, prog: two });
    expect(names(kernel)).toEqual(['two']);
    kernel.progDetach({ ...on, prog: two });
    kernel.progAttach({ ...on, prog: one, flags: MULTI });
    kernel.progAttach({ ...on, prog: two, flags: MULTI | 4, replace: one });
    expect(names(kernel)).toEqual(['two']);
    expect(() => kernel.progAttach({ ...on, prog: one, flags: MULTI | 4, replace: one })).toThrow(
      code('ENOENT'),
    );
  });

  it('run in the order that was asked for, with links among them', () => {
    const { kernel, program, on } = open();
    const [one, two, three, four] = ['one', 'two', 'three', 'four'].map(program);
    const [BEFORE, AFTER] = [8, 16];
    const link = (prog = 0, flags = 0, relative?: number) =>
      kernel.linkCreate({
        prog,
        attachType: on.attachType,
        target: { fd: on.target },
        flags,
        options: { kind: 'ordered', ...(relative === undefined ? {} : { relative }) },
      });
    link(one);
    link(one);
    kernel.progAttach({ ...on, prog: two ?? 0, flags: MULTI | BEFORE });
    expect(names(kernel)).toEqual(['two', 'one', 'one']);
    link(three, AFTER, two);
    expect(names(kernel)).toEqual(['two', 'three', 'one', 'one']);
    expect(() => link(three, AFTER, one)).toThrow(code('ENOENT'));
    kernel.progAttach({ ...on, prog: four ?? 0, flags: MULTI | 4, replace: two ?? 0 });
    expect(names(kernel)).toEqual(['four', 'three', 'one', 'one']);
  });

  it('choose among the sockets of a group until they are detached, or the socket is closed', () => {
    const { kernel, program } = open();
    const socket = kernel.packetSocket(1);
    kernel.reuseportAttach(socket, program('choose'));
    expect(kernel.links).toMatchObject([{ via: 'reuseport' }]);
    kernel.reuseportDetach(socket);
    expect(() => kernel.reuseportDetach(socket)).toThrow(code('ENOENT'));
    kernel.reuseportAttach(socket, program('choose'));
    kernel.close(socket);
    expect(kernel.links).toEqual([]);
  });

  it('find the file system of a path or a descriptor', () => {
    const { kernel, on } = open();
    expect(kernel.fileSystem('/sys/fs/cgroup')).toBe(0x63677270);
    expect(kernel.fileSystem(`/proc/self/fd/${on.target}`)).toBe(0x63677270);
    expect(kernel.fileSystem('/run/netns/blue')).toBe(0x6e736673);
    expect(kernel.fileSystem('/nowhere')).toBeUndefined();
    expect(kernel.fileSystem('/proc/self/fd/9999')).toBeUndefined();
  });

  it('live on behind a second descriptor', () => {
    const { kernel, program, on } = open();
    const second = kernel.duplicate(on.target);
    kernel.close(on.target);
    kernel.progAttach({ ...on, target: second, prog: program('deny'), flags: MULTI });
    expect(() => kernel.duplicate(on.target)).toThrow(code('EBADF'));
  });
});

describe('fakeKernel: records', () => {
  const open = () => {
    const kernel = fakeKernel();
    return { kernel, fd: kernel.mapCreate(ring) };
  };

  it('wakes those who watch, one call a turn, until it is read', async () => {
    const { kernel, fd } = open();
    const ready = vi.fn();
    const watch = kernel.watch(fd, ready);
    expect(kernel.emit('events', Sample, sample(1))).toBe(true);
    await vi.waitFor(() => expect(ready.mock.calls.length).toBeGreaterThan(2), PATIENCE);
    watch.stop();
    const calls = ready.mock.calls.length;
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(ready).toHaveBeenCalledTimes(calls);
  });

  it('says when there is no room, and counts', () => {
    const { kernel } = open();
    expect(kernel.emit('events', new Uint8Array(4096))).toBe(false);
    expect(kernel.reserve('events', 4000)).toBeDefined();
    expect(kernel.reserve('events', 100)).toBeUndefined();
  });

  it('refuses to map a ring in another way than Linux', () => {
    const { kernel, fd } = open();
    expect(() => kernel.mmap(fd, 4096, 4096 * 3, true)).toThrow(code('EPERM'));
    expect(() => kernel.mmap(fd, 0, 8192, true)).toThrow(code('EINVAL'));
    expect(kernel.mmap(fd, 4096, 4096 * 3, false).buffer.byteLength).toBe(4096 * 3);
  });

  it('takes none for a map of another sort', () => {
    const { kernel } = open();
    kernel.mapCreate(array);
    expect(() => kernel.emit('table', new Uint8Array(1))).toThrow(
      'map "table" of the fake kernel takes no records',
    );
  });
});

describe('fakeKernel: what goes wrong', () => {
  it('fails a call as often as told, for the name told', () => {
    const kernel = fakeKernel();
    kernel.failing('mapCreate', 'EPERM', { times: 1, name: 'table' });
    kernel.mapCreate(ring);
    expect(() => kernel.mapCreate(array)).toThrow(
      expect.objectContaining({ code: 'EPERM', errno: 1, syscall: 'bpf(BPF_MAP_CREATE)' }),
    );
    kernel.mapCreate(array);
    kernel.failing('perfEventOpen', 13);
    expect(() => kernel.perfEventOpen({ type: 1, config: 0n, pid: -1, cpu: 0 })).toThrow(code('EACCES'));
  });

  it.each<[string, (kernel: ReturnType<typeof fakeKernel>) => unknown, string]>([
    ['a closed descriptor', (kernel) => kernel.close(7), 'EBADF'],
    ['a lookup behind a closed descriptor', (kernel) => kernel.mapInfo(7), 'EBADF'],
    ['a descriptor of something else', (kernel) => kernel.progInfo(kernel.mapCreate(array)), 'EINVAL'],
    ['a device that is not there', (kernel) => kernel.ifindex('eth9'), 'ENODEV'],
    ['a pin outside a BPF file system', (kernel) => kernel.pin(kernel.mapCreate(array), '/tmp/x'), 'EPERM'],
    ['a pin that is not there', (kernel) => kernel.pinned('/sys/fs/bpf/x'), 'ENOENT'],
    ['a file that is not there', (kernel) => kernel.openFile('/nope'), 'ENOENT'],
    ['a program that is gone', (kernel) => kernel.progById(99), 'ENOENT'],
    [
      'waiting on what nobody can wait on',
      (kernel) => kernel.watch(kernel.mapCreate(array), () => undefined),
      'EPERM',
    ],
  ])('refuses %s', (_what, act, errno) => {
    expect(() => act(fakeKernel())).toThrow(code(errno));
  });
});

describe('fakeKernel: the host', () => {
  it.each([
    ['6.12', 0x060c00, '6.12.0-fake'],
    ['5.4.300', 0x0504ff, '5.4.300-fake'],
  ])('plays Linux %s', (version, number, release) => {
    expect(fakeKernel({ version })).toMatchObject({ version: number, release, arch: 'x64' });
  });

  it('has the CPUs it is told', () => {
    const kernel = fakeKernel({ cpus: 8, online: [0, 1] });
    expect([kernel.possibleCpus(), kernel.onlineCpus()]).toEqual([8, [0, 1]]);
  });

  it('knows every tracepoint, until told otherwise', () => {
    const kernel = fakeKernel();
    const path = '/sys/kernel/tracing/events/sched/sched_process_exec/id';
    const text = () => new TextDecoder().decode(kernel.readFile(path));
    expect(text()).toMatch(/^\d+\n$/);
    kernel.setFile(path, '314\n');
    expect(text()).toBe('314\n');
    kernel.setFile(path, undefined);
    expect(kernel.readFile(path)).toBeUndefined();
  });

  it('lists directories of what is there', () => {
    const kernel = fakeKernel();
    kernel.setFile('/a/b/c', '');
    kernel.setFile('/a/d', '');
    expect(kernel.listDirectory('/a')).toEqual(['b', 'd']);
    expect(kernel.listDirectory('/a/x')).toBeUndefined();
  });

  it('writes control files', () => {
    const kernel = fakeKernel();
    const path = '/sys/kernel/tracing/kprobe_events';
    kernel.writeFile(path, 'p:a\n', true);
    kernel.writeFile(path, '-:a\n', true);
    expect(new TextDecoder().decode(kernel.readFile(path))).toBe('p:a\n-:a\n');
    expect(() => kernel.writeFile('/nope', '')).toThrow(code('ENOENT'));
  });

  it('streams a file to those who follow it', async () => {
    const kernel = fakeKernel();
    const fd = kernel.openFile('/sys/kernel/tracing/trace_pipe');
    const buffer = new Uint8Array(64);
    expect(kernel.read(fd, buffer)).toBe(0);
    const text = await new Promise<string>((resolve) => {
      const watch = kernel.watch(fd, () => {
        watch.stop();
        resolve(new TextDecoder().decode(buffer.subarray(0, kernel.read(fd, buffer))));
      });
      kernel.appendFile('/sys/kernel/tracing/trace_pipe', 'Hello eBPF!\n');
    });
    expect(text).toBe('Hello eBPF!\n');
    kernel.close(fd);
    expect(kernel.openFds).toEqual([]);
  });

  it('notes the order of calls', () => {
    const kernel = fakeKernel();
    const fd = kernel.mapCreate(array);
    kernel.mapUpdate(fd, new Uint8Array(4), new Uint8Array(8));
    kernel.mapFreeze(fd);
    kernel.close(fd);
    expect(kernel.calls.filter((call) => call !== 'readFile')).toEqual([
      'mapCreate',
      'mapUpdate',
      'mapFreeze',
      'close',
    ]);
  });
});

describe('fakeKernel: probes of many functions and events', () => {
  const handle = (kernel: FakeKernel, section: string, expectedAttachType = 0): ProgramHandle => {
    const fd = kernel.progLoad({ ...load, expectedAttachType, name: 'trace' });
    const target = section.slice(section.indexOf('/') + 1);
    const parts = { kernel, name: 'trace', section, target, expectedAttachType };
    return { ...parts, fd: () => fd, own: (link) => link };
  };

  it('finds the functions of a pattern', () => {
    const kernel = fakeKernel();
    const { TRACE_KPROBE_MULTI } = BPF_ATTACH_TYPE;
    const program = new KprobeMultiProgram(handle(kernel, 'kprobe.multi/tcp_v?_*', TRACE_KPROBE_MULTI));
    const link = program.attach();
    expect(link.target).toBe('kprobe.multi tcp_v?_* (2 functions)');
    expect(link.info().type).toBe('kprobe_multi');
    program.attach(['mine', 'yours']);
    expect(kernel.links.map(({ target }) => target)).toEqual([
      expect.stringMatching(/^ffffffff81\w{6} ffffffff81\w{6}$/),
      'mine yours',
    ]);
  });

  it('takes an event on every CPU, and gives each back', () => {
    const kernel = fakeKernel({ cpus: 3 });
    const program = new PerfEventProgram(handle(kernel, 'perf_event'));
    const before = kernel.openFds.length;
    const link = program.attach({ type: 'software', config: 'cpu-clock', frequency: 99 });
    expect(kernel.links).toHaveLength(3);
    link.detach();
    expect(kernel.links).toEqual([]);
    expect(kernel.openFds).toHaveLength(before);
  });
});
