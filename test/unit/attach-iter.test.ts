import { describe, expect, it } from 'vitest';
import { u32 } from '../../runtime/src/codec/scalars.js';
import { struct } from '../../runtime/src/codec/struct.js';
import { load } from '../../runtime/src/loader/load.js';
import { OpenObject } from '../../runtime/src/loader/open-object.js';
import { parseObject } from '../../runtime/src/object/parse.js';
import { IterProgram, type IterTarget } from '../../runtime/src/program/iter.js';
import { type FakeKernel, fakeKernel } from '../../runtime/src/testing/index.js';
import { BtfBuilder } from './btf-builder.js';
import { fakeHost, handleFor } from './fake-host.js';
import { testObject } from './object-editor.js';

const program = (host: ReturnType<typeof fakeHost>, section = 'iter/task') =>
  new IterProgram(handleFor(host, { section }));
const thrown = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    return String(error);
  }
  return 'nothing';
};

describe('an iterator is made', () => {
  it.each<[string, string, IterTarget, string]>([
    ['of everything there is', 'iter/task', {}, 'undefined'],
    ['of a map, by descriptor', 'iter/bpf_map_elem', { map: 7 }, '{"map":7}'],
    ['of a map of a skeleton', 'iter/bpf_map_elem', { map: { fd: 7 } }, '{"map":7}'],
    ['of one process', 'iter/task', { pid: 12 }, '{"pid":12}'],
    ['of one thread', 'iter/task_file', { tid: 12 }, '{"tid":12}'],
    ['of one process by pidfd', 'iter/task', { pidfd: 12 }, '{"pidfd":12}'],
    ['of all cgroups, parents first', 'iter/cgroup', {}, '{"order":2}'],
    ['of one cgroup by id', 'iter/cgroup', { cgroup: 5n, order: 'self_only' }, '{"order":1,"cgroupId":"5n"}'],
    [
      'of one cgroup by descriptor',
      'iter/cgroup',
      { cgroup: 7, order: 'ancestors_up' },
      '{"order":4,"cgroup":7}',
    ],
    ['of an open cgroup', 'iter/cgroup', { cgroup: { fd: 7 }, order: 'children' }, '{"order":5,"cgroup":7}'],
  ])('%s', (_, section, target, of) => {
    const host = fakeHost();
    program(host, section).attach(target);
    const info = of === 'undefined' ? '"kind":"iter"' : `"kind":"iter","of":${of}`;
    expect(host.calls).toEqual([`linkCreate({"prog":9,"attachType":28,"options":{${info}}})`]);
  });

  it('of a cgroup by its path, which is open no longer than that takes', () => {
    const host = fakeHost({ openFile: () => 77 });
    host.open.add(77);
    program(host, 'iter/cgroup').attach({ cgroup: '/sys/fs/cgroup/a', order: 'descendants_post' });
    expect(host.calls).toContainEqual(expect.stringContaining('"of":{"order":3,"cgroup":77}'));
    expect(host.open.has(77)).toBe(false);
  });

  it.each<[string, string, IterTarget, Parameters<ReturnType<typeof fakeHost>['refuse']>, string]>([
    [
      'without its map',
      'iter/bpf_map_elem',
      {},
      ['linkCreate', 'EBADF'],
      'none was given (EBADF). Give it one',
    ],
    [
      'of a map it cannot be of',
      'iter/bpf_map_elem',
      { map: 7 },
      ['linkCreate', 'EINVAL'],
      'no such iterator for maps of this type',
    ],
    [
      'of a map that is too small',
      'iter/bpf_map_elem',
      { map: 7 },
      ['linkCreate', 'EACCES'],
      'more of a key or value than this map has',
    ],
    [
      'of a cgroup that is gone',
      'iter/cgroup',
      { cgroup: 5n },
      ['linkCreate', 'ENOENT'],
      'no cgroup with the id 5',
    ],
    [
      'of what is no cgroup',
      'iter/cgroup',
      { cgroup: 7 },
      ['linkCreate', 'EBADF'],
      'what was given is no cgroup',
    ],
    [
      'in an order the kernel lacks',
      'iter/cgroup',
      { order: 'children' },
      ['linkCreate', 'EINVAL'],
      'does not go through cgroups in this order',
    ],
    [
      'of a path that is not there',
      'iter/cgroup',
      { cgroup: '/none' },
      ['openFile', 'ENOENT'],
      'attach "prog" to iter cgroup: openFile: no such file',
    ],
  ])('is refused in words %s', (_, section, target, [method, errno], words) => {
    const host = fakeHost();
    host.refuse(method, errno);
    expect(thrown(() => program(host, section).attach(target))).toContain(words);
    expect(host.open.size).toBe(0);
  });

  it('is refused over two things at once', () => {
    expect(thrown(() => program(fakeHost()).attach({ pid: 1, tid: 2 }))).toContain('goes over one thing');
  });
});

/** The iterators of iters.o in a kernel that has their types. */
function loaded(kernel: FakeKernel, name: string) {
  const object = new OpenObject('iters', parseObject(testObject('iters.o')));
  for (const each of object.progs.values()) each.autoload = each.name === name;
  const live = load(object, kernel);
  const found = live.progs.get(name);
  if (!(found instanceof IterProgram)) throw new Error(`${name} is no iterator`);
  return { live, program: found };
}

/** What iters.o asks of a kernel. */
function typedKernel(): FakeKernel {
  const b = new BtfBuilder();
  const int = b.int('int', 4);
  const none = b.ptr(0);
  b.struct('task_struct', 24, [
    { name: 'pid', type: int, at: 0 },
    { name: 'tgid', type: int, at: 4 },
    { name: 'comm', type: b.array(b.int('char', 1), 16), at: 8 },
  ]);
  b.struct('bpf_iter_meta', 24, [{ name: 'seq', type: none, at: 0 }]);
  b.struct('bpf_iter__task', 16, [
    { name: 'meta', type: none, at: 0 },
    { name: 'task', type: none, at: 8 },
  ]);
  b.func('bpf_iter_task', b.prototype(0, []));
  return fakeKernel({ btf: b.bytes() });
}

const Pair = struct(
  8,
  (view, at) => ({ a: u32.read(view, at), b: u32.read(view, at + 4) }),
  (view, at, value) => {
    u32.write(view, at, value.a);
    u32.write(view, at + 4, value.b);
  },
);
async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
const words = (...numbers: number[]) => new Uint8Array(new Uint32Array(numbers).buffer);

describe('an iterator is read', () => {
  const kernel = typedKernel();
  const { program: tasks, live } = loaded(kernel, 'task_lines');
  const before = kernel.openFds.length;

  it('as text, from the beginning each time', () => {
    let passes = 0;
    kernel.onIterate('task_lines', () => `pass ${++passes}\n`);
    using link = tasks.attach();
    expect([link.read(), link.read()]).toEqual(['pass 1\n', 'pass 2\n']);
    expect(tasks.read()).toBe('pass 3\n');
  });

  it.each([
    ['one\ntwo\n', ['one', 'two']],
    ['', []],
    ['\n\n', ['', '']],
    ['no end', ['no end']],
    [`${'ä'.repeat(30_000)}\nb`, ['ä'.repeat(30_000), 'b']],
  ])('as lines (case %#)', async (text, lines) => {
    kernel.onIterate('task_lines', () => text);
    expect(await all(tasks.lines())).toEqual(lines);
  });

  it('as records', async () => {
    const numbers = Array.from({ length: 20_000 }, (_, i) => i);
    kernel.onIterate('task_lines', () => words(...numbers));
    const records = await all(tasks.records(Pair));
    expect(records).toHaveLength(10_000);
    expect(records.at(-1)).toEqual({ a: 19_998, b: 19_999 });
  });

  it('as records, also those that two reads share', async () => {
    const odd = {
      size: 12,
      read: (view: DataView, at: number) => view.getUint32(at, true),
      write: () => undefined,
    };
    kernel.onIterate('task_lines', () => words(...Array.from({ length: 30_000 }, (_, i) => i)));
    const records = await all(tasks.records(odd));
    expect([records.length, records.at(-1)]).toEqual([10_000, 29_997]);
  });

  it('not as records that do not come out even', async () => {
    kernel.onIterate('task_lines', () => words(1, 2, 3));
    await expect(all(tasks.records(Pair))).rejects.toThrow(
      'read iter task with "task_lines": 4 bytes are left behind 1 records of 8',
    );
    const nothing = { size: 0, read: () => 0, write: () => undefined };
    await expect(all(tasks.records(nothing))).rejects.toThrow('records of 0 bytes never end');
  });

  it('until its reader stops, and leaves no descriptor', async () => {
    kernel.onIterate('task_lines', () => 'one\n'.repeat(30_000));
    for await (const line of tasks.lines()) {
      expect(line).toBe('one');
      break;
    }
    expect(kernel.openFds.length).toBe(before);
  });

  it('again where the kernel asks for patience, which ends where nobody else can run', async () => {
    kernel.onIterate('task_lines', () => 'late\n');
    kernel.failing('iterRead', 'EAGAIN', { times: 3 });
    expect(await all(tasks.lines())).toEqual(['late']);
    kernel.failing('iterRead', 'EAGAIN', { times: 1000 });
    expect(tasks.read()).toBe('late\n');
    kernel.failing('iterRead', 'EAGAIN', { times: 1001 });
    expect(() => tasks.read()).toThrow('the program asks for the same object over and over');
  });

  it('not when one object is too much', () => {
    kernel.failing('iterRead', 'E2BIG', { times: 1 });
    expect(() => tasks.read()).toThrow("fits into the kernel's buffer of 32 KiB (E2BIG)");
  });

  it('not once it is detached', () => {
    const link = tasks.attach();
    link.detach();
    expect(() => link.read()).toThrow('read link of "task_lines": it is detached');
    live.destroy();
    expect(kernel.openFds).toEqual([]);
  });
});
