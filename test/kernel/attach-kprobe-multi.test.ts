import { closeSync, openSync, readFileSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Kernel } from '../../runtime/src/kernel/kernel.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import {
  KprobeMultiProgram,
  KprobeSessionProgram,
  KretprobeMultiProgram,
} from '../../runtime/src/program/index.js';
import { type Counter, loadCounter } from './counter.js';
import { kernelHas } from './facts.js';
import { expectRefusal, linkContract } from './link-contract.js';

const file = join(tmpdir(), `bpfskel-unlink-multi-${process.pid}`);

/** Runs do_unlinkat and vfs_unlink in the kernel. */
function trigger(): void {
  closeSync(openSync(file, 'w'));
  unlinkSync(file);
}

linkContract({
  name: 'a kprobe.multi program',
  when: kernelHas.manyKprobes,
  load: () => loadCounter('kprobe.multi/do_unlink?t'),
  attach: ({ handle }) => new KprobeMultiProgram(handle).attach(),
  trigger,
  twice: 'runs',
});
linkContract({
  name: 'a kretprobe.multi program',
  when: kernelHas.manyKprobes,
  load: () => loadCounter('kretprobe.multi/do_unlinkat'),
  attach: ({ handle }) => new KretprobeMultiProgram(handle).attach(),
  trigger,
  twice: 'runs',
});
linkContract({
  name: 'a kprobe.session program',
  when: kernelHas.kprobeSessions,
  load: () => loadCounter('kprobe.session/do_unlinkat'),
  attach: ({ handle }) => new KprobeSessionProgram(handle).attach(),
  trigger,
  twice: 'runs',
});

/** A kernel before 6.5: functions listed without their addresses. */
const withoutAddresses: Partial<Kernel> = {
  readFile: (path) => (path.endsWith('_functions_addrs') ? undefined : linuxKernel().readFile(path)),
};

describe('a program on many functions', () => {
  let counter: Counter | undefined;
  afterEach(() => {
    counter?.close();
    counter = undefined;
  });
  const program = (section: string, over: Partial<Kernel> = {}) => {
    counter = loadCounter(section, 0, over);
    return new KprobeMultiProgram(counter.handle);
  };
  const runsOnce = () => {
    const before = counter?.runs() ?? 0;
    trigger();
    return (counter?.runs() ?? 0) - before;
  };

  it.runIf(kernelHas.manyKprobes)('runs on each that a list names', () => {
    program('kprobe.multi').attach(['do_unlinkat', 'vfs_unlink'], { cookies: [1n, 2n] });
    expect(runsOnce()).toBeGreaterThanOrEqual(2);
  });

  it.runIf(kernelHas.manyKprobes)('finds the same functions without a list of addresses', () => {
    const targets = [{}, withoutAddresses].map((over) => {
      const { target } = program('kprobe.multi', over).attach('vfs_unlin?');
      expect(runsOnce()).toBeGreaterThanOrEqual(1);
      counter?.close();
      counter = undefined;
      return target;
    });
    expect(targets).toEqual(['kprobe.multi vfs_unlin? (1 function)', 'kprobe.multi vfs_unlin? (1 function)']);
  });

  it.runIf(kernelHas.manyKprobes)('takes addresses', () => {
    const symbols = readFileSync('/proc/kallsyms', 'latin1');
    const address = /^(\S+) T vfs_unlink$/m.exec(symbols)?.[1];
    program('kprobe.multi').attach([BigInt(`0x${address}`)]);
    expect(runsOnce()).toBeGreaterThanOrEqual(1);
  });

  it.runIf(kernelHas.kprobeSessions)('runs twice for each call in a session', () => {
    const loaded = loadCounter('kprobe.session');
    counter = loaded;
    new KprobeSessionProgram(loaded.handle).attach('do_unlinkat');
    expect(runsOnce() % 2).toBe(0);
    expect(loaded.runs()).toBeGreaterThanOrEqual(2);
  });

  it.runIf(kernelHas.manyKprobes)('is refused by the name of the function that is missing', () => {
    const probe = program('kprobe.multi');
    expectRefusal(
      () => probe.attach(['do_unlinkat', 'do_unlinkatt']),
      /this kernel has no function do_unlinkatt.*Similar names: do_unlinkat/,
    );
    expectRefusal(() => probe.attach('do_unlink?tt'), /no function that this kernel can trace matches/);
  });

  it.runIf(!kernelHas.manyKprobes)('is refused by a kernel without fprobe, in words', () => {
    const probe = program('kprobe.multi');
    expectRefusal(
      () => probe.attach('vfs_unlin*'),
      /built without fprobe, which kprobe.multi needs \(CONFIG_FPROBE\) \(EOPNOTSUPP\)\. Use SEC\("kprobe"\)/,
    );
  });
});
