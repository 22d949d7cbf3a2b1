import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Kernel } from '../../runtime/src/kernel/kernel.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { UprobeProgram, UretprobeProgram } from '../../runtime/src/program/index.js';
import { zipArchive } from '../unit/zip-archive.js';
import { type Counter, loadCounter } from './counter.js';
import { kernelHas } from './facts.js';
import { expectRefusal, linkContract } from './link-contract.js';
import { buildProbed, ProbedProcess, probed, runProbed } from './probed.js';

beforeAll(buildProbed, 120_000);

const at = (symbol: string, what = 'uprobe') => `${what}/${probed.program}:${symbol}`;

/** A kernel before 4.17: uprobes only through tracefs. */
const withoutPmu: Partial<Kernel> = {
  readFile: (path) =>
    path.startsWith('/sys/bus/event_source/devices/uprobe') ? undefined : linuxKernel().readFile(path),
};
const defined = () => readFileSync('/sys/kernel/tracing/uprobe_events', 'latin1');

/** What does not depend on the kernel's version is left to the quickest machine. */
const { patience } = kernelHas;

const none: Partial<Kernel> = {};
const variants: [name: string, section: string, over: Partial<Kernel>, when: boolean][] = [
  ['a uprobe program', at('probed_add'), none, true],
  ['a uprobe program that may sleep', at('probed_add', 'uprobe.s'), none, patience],
  ['a uprobe program through tracefs', at('probed_add'), withoutPmu, patience],
];
for (const [name, section, over, when] of variants) {
  linkContract({
    name,
    when,
    pins: over === none,
    load: () => loadCounter(section, 0, over),
    attach: ({ handle }) => new UprobeProgram(handle).attach(),
    trigger: runProbed,
    twice: 'runs',
  });
}
linkContract({
  name: 'a uretprobe program',
  load: () => loadCounter(at('probed_add', 'uretprobe')),
  attach: ({ handle }) => new UretprobeProgram(handle).attach(),
  trigger: runProbed,
  twice: 'runs',
});
linkContract({
  name: 'a uretprobe program through tracefs',
  pins: false,
  when: patience,
  load: () => loadCounter(at('probed_add', 'uretprobe'), 0, withoutPmu),
  attach: ({ handle }) => new UretprobeProgram(handle).attach(),
  trigger: runProbed,
  twice: 'runs',
});

describe('a uprobe', () => {
  let counter: Counter | undefined;
  const folder = mkdtempSync(join(tmpdir(), 'bpfskel-uprobe-'));
  afterEach(() => {
    counter?.close();
    counter = undefined;
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const program = (section = 'uprobe', over: Partial<Kernel> = {}) => {
    counter = loadCounter(section, 0, over);
    return new UprobeProgram(counter.handle);
  };
  const runs = () => counter?.runs() ?? 0;

  it('finds a library by name, and its function among the exported ones', () => {
    // Node asks libc, every time.
    const probe = program('uprobe/libc.so.6:getppid');
    expect(probe.attach({ pid: 0 }).target).toMatch(/^uprobe \/.*\/libc\.so\.6:getppid \(pid \d+\)$/);
    expect(process.ppid).toBeGreaterThan(0);
    expect(runs()).toBe(1);
  });

  it('goes to every place it is attached to, with as many links', () => {
    const probe = program();
    const links = ['one', 'two', 'three'].map((name) =>
      probe.attach({ binary: probed.program, symbol: `probed_multi_${name}`, cookie: 1n }),
    );
    runProbed();
    expect(runs()).toBe(3);
    links[0]?.detach();
    runProbed();
    expect(runs()).toBe(5);
    expect(new Set(links.slice(1).map((link) => link.info().id)).size).toBe(2);
  });

  it('is of one process only when a pid is given', async () => {
    await using one = await ProbedProcess.start();
    await using other = await ProbedProcess.start();
    program(at('probed_add')).attach({ pid: one.pid });
    await other.work();
    expect(runs()).toBe(0);
    await one.work();
    expect(runs()).toBe(1);
  });

  it('finds what a process runs, and the library it has mapped, by the pid', async () => {
    await using running = await ProbedProcess.start();
    const probe = program();
    expect(probe.attach({ pid: running.pid, symbol: 'probed_add' }).target).toContain(probed.program);
    probe.attach({ pid: running.pid, binary: 'libprobed.so', symbol: 'library_work' });
    await running.work();
    expect(runs()).toBe(2);
  });

  it('finds files of a process in a container by its pid', async () => {
    await using running = await ProbedProcess.startInside();
    const inside = { binary: '/mnt/probed', symbol: 'probed_add' };
    const probe = program();
    expectRefusal(() => probe.attach(inside), /there is no \/mnt\/probed/);
    expect(probe.attach({ ...inside, pid: running.pid }).target).toMatch(/^uprobe \/mnt\/probed:probed_add/);
    probe.attach({ pid: running.pid, symbol: 'probed_add' });
    await running.work();
    expect(runs()).toBe(2);
  });

  it('goes to an address inside a running process', async () => {
    await using running = await ProbedProcess.start();
    const address = mappedAddress(running.pid, probed.library, 'library_work');
    expect(program().attach({ pid: running.pid, address }).target).toMatch(
      /libprobed\.so:0x[0-9a-f]+ \(pid \d+\)$/,
    );
    await running.work();
    expect(runs()).toBe(1);
  });

  it('goes to an address as nm prints it, and to an offset in the file', () => {
    const address = symbolAddress(probed.library, 'library_work');
    const probe = program();
    probe.attach({ binary: probed.library, address });
    // The library's text lies in the file where it lies in memory.
    probe.attach({ binary: probed.library, offset: address });
    runProbed();
    expect(runs()).toBe(2);
  });

  it('finds functions of a stripped program by the symbols that are kept beside it', () => {
    program().attach({ binary: probed.split, symbol: 'probed_add' });
    runProbed(probed.split);
    expect(runs()).toBe(1);
  });

  it('reaches a file that was removed through the process that still runs it', async () => {
    const copy = join(folder, 'gone');
    copyFileSync(probed.program, copy);
    await using running = await ProbedProcess.start(copy);
    rmSync(copy);
    const probe = program();
    probe.attach({ pid: running.pid, symbol: 'probed_add' });
    const address = mappedAddress(running.pid, copy, 'probed_add');
    expect(probe.attach({ pid: running.pid, address }).target).toContain(`${copy}:0x`);
    await running.work();
    expect(runs()).toBe(2);
  });

  it('goes into a library that runs from an archive', () => {
    const name = 'lib/libprobed.so';
    const { bytes, starts } = zipArchive([
      { name: 'first', bytes: new Uint8Array(5000) },
      { name, bytes: readFileSync(probed.library) },
    ]);
    const archive = join(folder, 'app.apk');
    writeFileSync(archive, bytes);
    const link = program(`uprobe/${archive}!/${name}:library_work`).attach();
    expect(link.target).toBe(`uprobe ${archive}!/${name}:library_work`);
    const place = (starts[1] ?? 0) + symbolAddress(probed.library, 'library_work');
    execFileSync(probed.program, ['@', archive, `${place}`]);
    expect(runs()).toBe(1);
  });

  it('through tracefs leaves no probe behind', () => {
    const before = defined();
    const link = program(at('probed_add'), withoutPmu).attach();
    expect(defined()).toContain('p:bpfskel/');
    link.detach();
    expect(defined()).toBe(before);
  });

  const refusals: [what: string, options: Parameters<UprobeProgram['attach']>[0], text: RegExp][] = [
    [
      'of a function that is not there names similar ones',
      { binary: probed.program, symbol: 'probed_ad' },
      /has no function probed_ad\. Similar names: probed_add/,
    ],
    [
      'of a function of a library says which, having looked',
      { binary: probed.program, symbol: 'library_work' },
      /library_work is imported by .*probed; it lives in libprobed\.so\. Probe that/,
    ],
    [
      'of a stripped program says so',
      { binary: probed.stripped, symbol: 'probed_add' },
      /stripped has no function probed_add among those it exports, and is stripped of all others/,
    ],
    [
      'of data says that it is no function',
      { binary: probed.program, symbol: 'probed_data' },
      /probed_data is in .*probed, but not as a function/,
    ],
    [
      'of a function that is chosen at run time says so',
      { binary: 'libc.so.6', symbol: 'strlen' },
      /strlen is an indirect function/,
    ],
    [
      'of an absent library names the ones with longer names',
      { binary: 'libc.so', symbol: 'open' },
      /there is no libc\.so in .*\/lib\/.*There is libc\.so\.6|linker script/,
    ],
    ['of an absent file says so', { binary: '/no/such/file', symbol: 'f' }, /there is no \/no\/such\/file/],
    ['of a directory says so', { binary: '/usr', symbol: 'f' }, /\/usr is a directory/],
    ['of a version that is not there', { binary: 'libc.so.6', symbol: 'open@NONE' }, /It has open@GLIBC_/],
    [
      'beyond the end of the file says so',
      { binary: probed.library, offset: 1 << 30 },
      /offset 0x40000000 lies beyond the \d+ bytes/,
    ],
    ['of a process that is gone says so', { pid: 4_000_000, symbol: 'f' }, /there is no process 4000000/],
    ['without a place asks for one', { binary: 'libc.so.6' }, /nothing says where/],
    ['at the address of nothing', { pid: 0, address: 16n }, /has nothing at 0x10/],
  ];
  it.runIf(patience).each(refusals)('%s', (_what, options, text) => {
    const probe = program();
    expectRefusal(() => probe.attach(options), text);
  });

  it('of a script says what runs instead', () => {
    const script = join(folder, 'script');
    writeFileSync(script, '#!/bin/sh\n');
    const probe = program();
    expectRefusal(
      () => probe.attach({ binary: script, symbol: 'main' }),
      /script is a script; what runs is \/bin\/sh, probe that$/,
    );
  });

  it('of data in the file is refused by what stands there, or never runs', () => {
    const probe = program();
    const header = probe.attach({ binary: probed.program, offset: 4 });
    runProbed();
    expect(runs()).toBe(0);
    header.detach();
  });
});

/** Where a process has a function of one of its files; gcc lays code out in the file as in memory. */
function mappedAddress(pid: number, path: string, name: string): bigint {
  const maps = readFileSync(`/proc/${pid}/maps`, 'latin1');
  const line = maps.split('\n').find((each) => each.includes(' r-xp ') && each.includes(path));
  const [, start = '', offset = ''] = line?.match(/^(\w+)-\w+ \S+ (\w+)/) ?? [];
  return BigInt(`0x${start}`) - BigInt(`0x${offset}`) + BigInt(symbolAddress(path, name));
}

/** The address of a function as nm prints it, read without any code under test. */
function symbolAddress(path: string, name: string): number {
  const file = readFileSync(existsSync(path) ? path : probed.program);
  const table = Number(file.readBigUInt64LE(40));
  const sections = Array.from({ length: file.readUInt16LE(60) }, (_, index) => table + index * 64);
  for (const section of sections) {
    if (![2, 11].includes(file.readUInt32LE(section + 4))) continue;
    const names = Number(file.readBigUInt64LE(table + file.readUInt32LE(section + 40) * 64 + 24));
    const start = Number(file.readBigUInt64LE(section + 24));
    const end = start + Number(file.readBigUInt64LE(section + 32));
    for (let symbol = start; symbol < end; symbol += 24) {
      const at = names + file.readUInt32LE(symbol);
      const value = Number(file.readBigUInt64LE(symbol + 8));
      if (value > 0 && file.toString('latin1', at, at + name.length + 1) === `${name}\0`) return value;
    }
  }
  throw new Error(`${path} has no ${name}`);
}
