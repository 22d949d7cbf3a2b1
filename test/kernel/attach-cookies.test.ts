import { closeSync, openSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type FentryProgram,
  type KprobeMultiProgram,
  type KprobeProgram,
  type Link,
  openObject,
  type PerfEventProgram,
  type Program,
  type RawTracepointProgram,
  type TracepointProgram,
  type UprobeMultiProgram,
  type UprobeProgram,
} from '@bpfskel/runtime';
import { describe, expect, it } from 'vitest';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { kernelVersion } from '../../runtime/src/uapi.js';
import { kernelHas } from './facts.js';
import { openFds } from './link-contract.js';

const path = fileURLToPath(new URL('../testdata/cookies.o', import.meta.url));
const { version } = linuxKernel();
const rawCookies = version >= kernelVersion(6, 10);

/** Runs every hook of the object's programs in this process. */
function trigger(): void {
  const file = join(tmpdir(), `bpfskel-cookie-${process.pid}`);
  closeSync(openSync(file, 'w'));
  unlinkSync(file);
}

/** What the program sees of the cookies it is attached with, one after the other. */
function seenBy(name: string, attach: Attach, cookies: readonly bigint[]): bigint[] {
  const object = openObject(path);
  for (const program of object.progs.values()) program.autoload = program.name === name;
  using live = object.load();
  const program = live.progs.get(name) ?? expect.fail(`no ${name}`);
  const data = live.data.get('.bss')?.view();
  const variables = object.spec.maps.find((map) => map.name === '.bss')?.section?.variables ?? [];
  const at = (variable: string) => variables.find((each) => each.name === variable)?.offset ?? -1;
  if (data === undefined) throw new Error('no .bss');
  data.setInt32(at('target_pid'), process.pid, true);
  return cookies.map((cookie) => {
    using _link = attach(program, cookie);
    data.setBigUint64(at('seen'), 99n, true);
    // Those that sample this process need it to be busy for a moment.
    for (const end = Date.now() + 2000; Date.now() < end && data.getBigUint64(at('seen'), true) === 99n; ) {
      trigger();
    }
    return data.getBigUint64(at('seen'), true);
  });
}

type Attach = (program: Program, cookie: bigint) => Link;

/** For kinds whose SEC() says where, and whose attach() has only options. */
const bySection: Attach = (program, cookie) => (program as FentryProgram).attach({ cookie });
/** For kinds whose attach() takes the place first. */
const byTarget: Attach = (program, cookie) => (program as RawTracepointProgram).attach(undefined, { cookie });

/** Behind the instructions that the kernel has for its own tracers, with `endbr64` before them or without. */
const insideFunction: Attach = (program, cookie) => {
  const probe = program as KprobeProgram;
  try {
    return probe.attach('do_unlinkat', { offset: 9, cookie });
  } catch (error) {
    expect((error as Error).message).toMatch(/offset 0x9 is not where an instruction of do_unlinkat starts/);
    return probe.attach('do_unlinkat', { offset: 5, cookie });
  }
};
const tracing: Attach = (program, cookie) => (program as TracepointProgram).attach({ cookie });
const others = (cookie: bigint) => [cookie ^ 1n, cookie];
const inList: Attach = (program, cookie) =>
  (program as KprobeMultiProgram).attach(['vfs_rmdir', 'do_unlinkat'], { cookies: others(cookie) });
const inFunctions: Attach = (program, cookie) =>
  (program as UprobeMultiProgram).attach({ functions: ['rmdir', 'unlink'], cookies: others(cookie), pid: 0 });
/** One of the versions that the library has of the function; there is one. */
const versioned: Attach = (program, cookie) =>
  (program as UprobeProgram).attach({ symbol: 'unlink@GLIBC_2.2.5', cookie, pid: 0 });
const sampling: Attach = (program, cookie) =>
  (program as PerfEventProgram).attach({
    type: 'software',
    config: 'cpu-clock',
    period: 100_000,
    pid: process.pid,
    cookie,
  });

describe('a cookie reaches', () => {
  const cookies = [7n, 0n, 0xffff_ffff_ffff_fffen];
  const kinds: readonly (readonly [kind: string, program: string, attach: Attach, has: boolean])[] = [
    ['raw_tp', 'on_raw_tp', byTarget, rawCookies],
    ['tp_btf', 'on_tp_btf', bySection, rawCookies],
    ['fentry', 'on_fentry', bySection, kernelHas.fentry],
    ['fexit', 'on_fexit', bySection, kernelHas.fentry],
    ['fmod_ret', 'on_fmod_ret', bySection, kernelHas.fentry],
    ['lsm', 'on_lsm', bySection, kernelHas.lsm],
    ['kprobe', 'on_kprobe', byTarget, kernelHas.kprobes],
    ['kprobe inside a function', 'on_kprobe', insideFunction, kernelHas.kprobes],
    ['kretprobe', 'on_kretprobe', byTarget, kernelHas.kprobes],
    ['kprobe.multi', 'on_kprobe_multi', inList, kernelHas.manyKprobes],
    ['ksyscall', 'on_ksyscall', byTarget, kernelHas.kprobes],
    ['tracepoint', 'on_tracepoint', tracing, true],
    ['uprobe', 'on_uprobe', bySection, true],
    ['uprobe of a versioned symbol', 'on_uprobe', versioned, true],
    ['uretprobe', 'on_uretprobe', bySection, true],
    ['uprobe.multi', 'on_uprobe_multi', inFunctions, true],
    ['perf_event', 'on_perf_event', sampling, true],
  ];
  for (const [kind, name, attach, has] of kinds) {
    it.runIf(has)(`a ${kind} program`, () => {
      seenBy(name, attach, [1n]); // What the process keeps.
      const before = openFds();
      expect(seenBy(name, attach, cookies)).toEqual(cookies);
      expect(openFds()).toBe(before);
    });
  }
});

it.runIf(!rawCookies)('raw tracepoints of older kernels say since when they take one', () => {
  const object = openObject(fileURLToPath(new URL('../testdata/runs.o', import.meta.url)));
  for (const program of object.progs.values()) program.autoload = program.name === 'raw_sum';
  using live = object.load();
  const program = live.progs.get('raw_sum') as unknown as RawTracepointProgram;
  expect(() => program.attach('sys_enter', { cookie: 1n })).toThrow('take a cookie since Linux 6.10');
  program.attach('sys_enter').detach();
});
