import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { syscallError } from '../../runtime/src/kernel/errno.js';
import type { Kernel } from '../../runtime/src/kernel/kernel.js';
import { PerfEventProgram, type PerfEventTarget } from '../../runtime/src/program/index.js';
import { type Counter, loadCounter } from './counter.js';
import { kernelHas } from './facts.js';
import { expectRefusal, linkContract, openFds, runsWithin } from './link-contract.js';

/** Keeps a CPU busy for 20 ms. */
function spin(): void {
  const end = performance.now() + 20;
  while (performance.now() < end);
}

/** Makes this process touch memory for the first time. */
function touch(): void {
  new Uint8Array(4 << 20).fill(1);
}

const file = join(tmpdir(), `bpfskel-unlink-perf-${process.pid}`);

/** Runs do_unlinkat in the kernel. */
function unlink(): void {
  closeSync(openSync(file, 'w'));
  unlinkSync(file);
}

/** A kernel before 5.15: programs are put on events by ioctl. */
const withoutPerfLinks: Partial<Kernel> = {
  linkCreate: () => {
    throw syscallError('bpf(BPF_LINK_CREATE)', 22);
  },
};

const places: [string, PerfEventTarget, () => void, Partial<Kernel>, pins?: boolean][] = [
  ['every CPU', { type: 'software', config: 'cpu-clock', frequency: 97 }, spin, {}],
  ['one CPU', { type: 'software', config: 'cpu-clock', frequency: 97, cpu: 0 }, spin, {}, true],
  ['every CPU by ioctl', { type: 'software', config: 'cpu-clock', frequency: 97 }, spin, withoutPerfLinks],
  ['one process', { type: 'software', config: 'page-faults', period: 1, pid: process.pid }, touch, {}],
];
for (const [place, target, trigger, over, pins = false] of places) {
  linkContract({
    name: `a perf_event program on ${place}`,
    pins,
    load: () => loadCounter('perf_event', 0, over),
    attach: ({ handle }) => new PerfEventProgram(handle).attach(target),
    trigger,
    twice: 'runs',
  });
}

describe('a perf_event program', () => {
  let counter: Counter | undefined;
  afterEach(() => {
    counter?.close();
    counter = undefined;
  });
  const program = (over: Partial<Kernel> = {}) => {
    counter = loadCounter('perf_event', 0, over);
    return new PerfEventProgram(counter.handle);
  };
  const runs = (trigger: () => void) => counter !== undefined && runsWithin(counter, trigger);

  it('is on every CPU with a link for each', () => {
    const sample = program();
    const before = openFds();
    const link = sample.attach({ type: 'software', config: 'cpu-clock', frequency: 10 });
    const cpus = counter?.handle.kernel.onlineCpus().length ?? 0;
    expect(openFds() - before).toBe(2 * cpus);
    if (cpus > 1) expect(() => link.pin('/sys/fs/bpf/bpfskel-test-perf')).toThrow(/links of the kernel/);
    link.detach();
    expect(openFds()).toBe(before);
  });

  it('takes one CPU and a cookie', () => {
    const [cpu = 0] = counter?.handle.kernel.onlineCpus() ?? [0];
    const link = program().attach({ type: 'software', config: 'cpu-clock', frequency: 97, cpu, cookie: 5n });
    expect(runs(spin)).toBe(true);
    expect(link.info().progId).toBeGreaterThan(0);
  });

  it('runs in processes that the one it watches starts later, when asked to', async () => {
    const faults = async (inherit: boolean) => {
      const sample = program();
      const shell = spawn('/bin/sh', ['-c', 'read go; /bin/ls -R /proc/self; read end'], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      try {
        const { pid } = shell;
        if (pid === undefined) throw new Error('there is no shell');
        sample.attach({ type: 'software', config: 'page-faults', period: 1, pid, inherit });
        shell.stdin.write('go\n');
        shell.stdin.end('end\n');
        shell.stdout.resume();
        await once(shell, 'close');
        return counter?.runs() ?? 0;
      } finally {
        shell.kill();
        counter?.close();
        counter = undefined;
      }
    };
    const [alone, all] = [await faults(false), await faults(true)];
    expect(all).toBeGreaterThan(alone);
  });

  it('runs on a unit named by its directory', () => {
    program().attach({ type: 'pmu', pmu: 'software', config: 0, frequency: 97 });
    expect(runs(spin)).toBe(true);
  });

  it('runs when the kernel executes an instruction that is watched', () => {
    const symbols = readFileSync('/proc/kallsyms', 'latin1');
    const address = /^(\S+) [tT] do_unlinkat$/m.exec(symbols)?.[1];
    const sample = program();
    const breakpoint = { type: 'breakpoint', address: BigInt(`0x${address}`), access: 'execute' } as const;
    if (!kernelHas.kprobes) {
      expectRefusal(() => sample.attach(breakpoint), /no kprobes, and so lets no breakpoint watch its code/);
      return;
    }
    sample.attach(breakpoint);
    expect(runs(unlink)).toBe(true);
  });

  it('is refused in words', () => {
    const sample = program();
    const clock = { type: 'software', config: 'cpu-clock', frequency: 10 } as const;
    expectRefusal(() => sample.attach({ ...clock, cpu: 4000 }), /CPU 4000 is not running .* These are: 0/);
    expectRefusal(() => sample.attach({ ...clock, pid: 2 ** 30 }), /there is no process 1073741824/);
    expectRefusal(
      () => sample.attach({ ...clock, frequency: 10_000_000 }),
      /10000000 samples a second are more than the \d+ that/,
    );
    expectRefusal(
      () => sample.attach({ type: 'pmu', pmu: 'abacus', config: 1, period: 1 }),
      /this kernel has no event source abacus\. It has .*software/,
    );
  });

  it('counts cycles, or says that this machine cannot and what can', () => {
    const sample = program();
    const cycles = { type: 'hardware', config: 'cpu-cycles', period: 100_000 } as const;
    if (existsSync('/sys/bus/event_source/devices/cpu')) {
      sample.attach(cycles);
      expect(runs(spin)).toBe(true);
      return;
    }
    expectRefusal(
      () => sample.attach(cycles),
      /no hardware counters, as most virtual machines, so there is no cpu-cycles .*config: 'cpu-clock'/,
    );
  });
});
