import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isBpfError, type LiveObject, openObject } from '@bpfskel/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { u32 } from '../../runtime/src/codec/scalars.js';
import { struct } from '../../runtime/src/codec/struct.js';
import { text } from '../../runtime/src/codec/text.js';
import type { HashMap } from '../../runtime/src/index.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { IterProgram } from '../../runtime/src/program/iter.js';
import { kernelVersion } from '../../runtime/src/uapi.js';
import { loadCounter } from './counter.js';
import { linkContract, openFds } from './link-contract.js';

const path = fileURLToPath(new URL('../testdata/iters.o', import.meta.url));
const recent = linuxKernel().version >= kernelVersion(6, 1);
const pinned = `/sys/fs/bpf/bpfskel-iter-${process.pid}`;

const comm = text(16);
const Entry = struct(
  24,
  (view, at) => ({ pid: u32.read(view, at), tid: u32.read(view, at + 4), comm: comm.read(view, at + 8) }),
  () => undefined,
);

let live: LiveObject;
let before: number;
beforeAll(() => {
  const object = openObject(path);
  const cgroups = object.progs.get('cgroup_lines');
  if (cgroups !== undefined) cgroups.autoload = recent;
  before = openFds();
  live = object.load();
});
afterAll(() => {
  rmSync(pinned, { force: true });
  live.destroy();
  expect(openFds()).toBe(before);
});

const iterator = (name: string) => live.progs.get(name) as unknown as IterProgram;

/** Links of the contract, by id. */
const made: number[] = [];

/** An iterator runs when it is read, by whom that may be. */
function readAll(): void {
  const kernel = linuxKernel();
  for (const id of made) {
    let link: number;
    try {
      link = kernel.linkById(id);
    } catch (error) {
      if (isBpfError(error) && error.code === 'ENOENT') continue;
      throw error;
    }
    const iter = kernel.iterCreate(link);
    kernel.iterRead(iter, new Uint8Array(64));
    kernel.close(iter);
    kernel.close(link);
  }
}

linkContract({
  name: 'an iterator over maps',
  load: () => loadCounter('iter/bpf_map'),
  attach: ({ handle }) => {
    const link = new IterProgram(handle).attach();
    made.push(link.info().id);
    return link;
  },
  trigger: readAll,
  twice: 'runs',
});

describe('an iterator over tasks', () => {
  it('is read line by line', async () => {
    const lines: string[] = [];
    for await (const line of iterator('task_lines').lines()) lines.push(line);
    const own = lines.map((line) => line.split(' ')).filter(([tgid]) => tgid === String(process.pid));
    expect(own.map(([, pid]) => pid)).toContain(String(process.pid));
    expect(own.length).toBeGreaterThan(1);
  });

  it('is read at once', () => {
    expect(iterator('task_lines').read()).toContain(`\n${process.pid} ${process.pid} `);
  });

  it('gives records of the struct that its program writes', async () => {
    const entries: { pid: number; tid: number; comm: string }[] = [];
    for await (const entry of iterator('task_records').records(Entry)) entries.push(entry);
    const name = readFileSync('/proc/self/comm', 'utf8').trim();
    expect(entries).toContainEqual({ pid: process.pid, tid: process.pid, comm: name });
  });

  it.runIf(recent)('keeps to one process, or to one thread', () => {
    const tids = (output: string) =>
      output
        .trim()
        .split('\n')
        .map((line) => line.split(' ').slice(0, 2).map(Number));
    const threads = tids(iterator('task_lines').read({ pid: process.pid }));
    expect(threads.length).toBeGreaterThan(1);
    expect(new Set(threads.map(([tgid]) => tgid))).toEqual(new Set([process.pid]));
    expect(tids(iterator('task_lines').read({ tid: process.pid }))).toEqual([[process.pid, process.pid]]);
    const pidfd = linuxKernel().pidfdOpen(process.pid);
    expect(tids(iterator('task_lines').read({ pidfd }))).toHaveLength(threads.length);
    linuxKernel().close(pidfd);
  });

  it('can be pinned, and then everybody reads it', () => {
    const link = iterator('task_lines').attach();
    link.pin(pinned);
    const out = spawnSync('cat', [pinned], { encoding: 'utf8' }).stdout;
    expect(out).toMatch(/^\d+ \d+ cat$/m);
    link.detach();
    expect(readFileSync(pinned, 'utf8')).toContain(` ${process.pid} `);
  });

  it('says so when its program writes too much of one task, or wants the same one for ever', () => {
    expect(() => iterator('too_much').read()).toThrow('buffer of 32 KiB (E2BIG)');
    expect(() => iterator('same_again').read()).toThrow('asks for the same object over and over');
  });
});

describe('an iterator over a map', () => {
  it('sees each of its elements', async () => {
    const counts = live.maps.get('counts') as unknown as HashMap<Uint8Array, Uint8Array>;
    const word = (value: number) => new Uint8Array(new Uint32Array([value]).buffer);
    const long = (value: number) => new Uint8Array(new BigUint64Array([BigInt(value)]).buffer);
    for (let key = 0; key < 1500; key++) counts.set(word(key), long(key * 2));
    const lines: string[] = [];
    for await (const line of iterator('map_lines').lines({ map: counts })) lines.push(line);
    expect(lines).toHaveLength(1500);
    expect(new Set(lines)).toEqual(new Set(Array.from({ length: 1500 }, (_, key) => `${key}=${key * 2}`)));
  });

  it('needs one, of a type that the kernel can go over', () => {
    const queue = live.maps.get('queue');
    if (queue === undefined) throw new Error('no queue');
    expect(() => iterator('map_lines').read()).toThrow('and none was given (EBADF). Give it one');
    expect(() => iterator('map_lines').read({ map: queue })).toThrow(
      'no such iterator for maps of this type',
    );
  });
});

describe.runIf(recent)('an iterator over cgroups', () => {
  const mount = mkdtempSync(join(tmpdir(), 'bpfskel-cgroup-'));
  const folder = `${mount}/bpfskel-iter-${process.pid}`;
  beforeAll(() => void execFileSync('mount', ['-t', 'cgroup2', 'none', mount]));
  afterAll(() => {
    execFileSync('umount', [mount]);
    rmdirSync(mount);
  });
  const ids = (output: string) => output.trim().split('\n').map(BigInt);
  const idOf = (place: string) => statSync(place, { bigint: true }).ino;

  it('goes through them in the order that was asked for', () => {
    mkdirSync(folder);
    mkdirSync(`${folder}/child`);
    try {
      const [parent, child] = [idOf(folder), idOf(`${folder}/child`)];
      const read = (target: Parameters<IterProgram['read']>[0]) => ids(iterator('cgroup_lines').read(target));
      expect(read({ cgroup: folder })).toEqual([parent, child]);
      expect(read({ cgroup: folder, order: 'descendants_post' })).toEqual([child, parent]);
      expect(read({ cgroup: folder, order: 'self_only' })).toEqual([parent]);
      expect(read({ cgroup: `${folder}/child`, order: 'ancestors_up' }).slice(0, 2)).toEqual([child, parent]);
      expect(read({ cgroup: child, order: 'self_only' })).toEqual([child]);
      expect(read({})).toContain(child);
    } finally {
      rmdirSync(`${folder}/child`);
      rmdirSync(folder);
    }
  });

  it('is refused for what is no cgroup', () => {
    const read = (cgroup: string | bigint) => () =>
      iterator('cgroup_lines').read({ cgroup, order: 'self_only' });
    expect(read('/none')).toThrow(/attach "cgroup_lines" to iter cgroup: .*no such file/);
    expect(read('/tmp')).toThrow('what was given is no cgroup (EBADF)');
    expect(read(0xffff_ffff_ffffn)).toThrow('there is no cgroup with the id');
  });
});

it('attach() of an object leaves out no iterator that lacks its map', () => {
  const object = openObject(path);
  for (const each of object.progs.values()) each.autoload = each.name === 'map_lines';
  using loaded = object.load();
  let error: unknown;
  try {
    loaded.attach();
  } catch (thrown) {
    error = thrown;
  }
  expect(isBpfError(error) && error.hint).toContain('autoattach = false');
});
