import { closeSync, openSync, readFileSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Kernel } from '../../runtime/src/kernel/kernel.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { KprobeProgram, KretprobeProgram } from '../../runtime/src/program/index.js';
import { type Counter, loadCounter } from './counter.js';
import { kernelHas } from './facts.js';
import { expectRefusal, linkContract } from './link-contract.js';

const file = join(tmpdir(), `bpfskel-unlink-${process.pid}`);

/** Runs do_unlinkat in the kernel. */
function trigger(): void {
  closeSync(openSync(file, 'w'));
  unlinkSync(file);
}

/** A kernel before 4.17: kprobes only through tracefs. */
const withoutPmu: Partial<Kernel> = {
  readFile: (path) =>
    path.startsWith('/sys/bus/event_source/devices/kprobe') ? undefined : linuxKernel().readFile(path),
};

const probes = () => readFileSync('/sys/kernel/tracing/kprobe_events', 'latin1');

const variants: [name: string, over: Partial<Kernel>][] = [
  ['', {}],
  [' through tracefs', withoutPmu],
];
for (const [how, over] of variants) {
  linkContract({
    name: `a kprobe program${how}`,
    when: kernelHas.kprobes,
    pins: how === '',
    load: () => loadCounter('kprobe/do_unlinkat', 0, over),
    attach: ({ handle }) => new KprobeProgram(handle).attach(),
    trigger,
    twice: 'runs',
  });
  linkContract({
    name: `a kretprobe program${how}`,
    when: kernelHas.kprobes,
    pins: how === '',
    load: () => loadCounter('kretprobe/do_unlinkat', 0, over),
    attach: ({ handle }) => new KretprobeProgram(handle).attach(),
    trigger,
    twice: 'runs',
  });
}

describe('a kprobe', () => {
  let counter: Counter | undefined;
  afterEach(() => {
    counter?.close();
    counter = undefined;
  });
  const program = (section = 'kprobe/do_unlinkat', over: Partial<Kernel> = {}) => {
    counter = loadCounter(section, 0, over);
    return new KprobeProgram(counter.handle);
  };

  it.runIf(!kernelHas.kprobes)('is refused by a kernel without them, in words', () => {
    const probe = program();
    expectRefusal(() => probe.attach(), /this kernel has no kprobes/);
  });

  it.runIf(kernelHas.kprobes)('takes a cookie and several targets', () => {
    const probe = program();
    const links = [probe.attach('do_unlinkat', { cookie: 1n }), probe.attach('vfs_unlink', { cookie: 2n })];
    const before = counter?.runs() ?? 0;
    trigger();
    expect((counter?.runs() ?? 0) - before).toBeGreaterThanOrEqual(2);
    expect(new Set(links.map((link) => link.info().id)).size).toBe(2);
  });

  it.runIf(kernelHas.kprobes)('goes to the first of several names that there is', () => {
    for (const over of [{}, withoutPmu]) {
      const probe = program('kprobe', over);
      expect(probe.attach(['do_unlinkatt', 'do_unlinkat.isra.99', 'do_unlinkat']).target).toBe(
        'kprobe do_unlinkat',
      );
      const before = counter?.runs() ?? 0;
      trigger();
      expect(counter?.runs()).toBeGreaterThan(before);
      counter?.close();
      counter = undefined;
    }
  });

  it.runIf(kernelHas.kprobes)('goes to an address', () => {
    const address = /^(\S+) [tT] do_unlinkat$/m.exec(readFileSync('/proc/kallsyms', 'latin1'))?.[1];
    program().attach(BigInt(`0x${address}`));
    trigger();
    expect(counter?.runs()).toBeGreaterThan(0);
    const probe = new KprobeProgram(counter?.handle ?? expect.fail('not loaded'));
    expectRefusal(() => probe.attach(0x1000n), /no instruction that can be probed lies at 0x1000/);
  });

  it.runIf(kernelHas.kprobes)('through tracefs leaves no probe behind', () => {
    const before = probes();
    const probe = program('kprobe/do_unlinkat', withoutPmu);
    const link = probe.attach();
    expect(probes()).toContain('p:bpfskel/');
    link.detach();
    expect(probes()).toBe(before);
  });

  it.runIf(kernelHas.kprobes)('of a missing function names similar ones', () => {
    for (const over of [{}, withoutPmu]) {
      const probe = program('kprobe/do_unlinkatt', over);
      expectRefusal(
        () => probe.attach(),
        /this kernel has no function do_unlinkatt.*Similar names: do_unlinkat/,
      );
      counter?.close();
      counter = undefined;
    }
  });

  it.runIf(kernelHas.kprobes)('of a function the compiler renamed shows the names it has', () => {
    const symbols = readFileSync('/proc/kallsyms', 'latin1');
    const names = new Set([...symbols.matchAll(/^\S+ [tT] (\S+)$/gm)].map(([, name = '']) => name));
    const renamed = [...names].find(
      (name) => name.endsWith('.isra.0') && !names.has(name.replace('.isra.0', '')),
    );
    expect(renamed).toBeDefined();
    const probe = program();
    expectRefusal(
      () => probe.attach(renamed?.replace('.isra.0', '')),
      new RegExp(`the compiler left no function .*${renamed?.replaceAll('.', '\\.')}`),
    );
  });

  it.runIf(kernelHas.kprobes)('on the blacklist is told apart from a missing one', () => {
    const blacklist = readFileSync('/sys/kernel/debug/kprobes/blacklist', 'latin1');
    const symbols = readFileSync('/proc/kallsyms', 'latin1');
    const name = [...blacklist.matchAll(/\t(\w+)$/gm)]
      .map(([, each = '']) => each)
      .find((each) => symbols.match(new RegExp(`^\\S+ [tT] ${each}$`, 'gm'))?.length === 1);
    expect(name).toBeDefined();
    const probe = program();
    expectRefusal(() => probe.attach(name), /is on the kernel's kprobe blacklist/);
  });

  it.runIf(kernelHas.kprobes)('inside an instruction is refused by its offset', () => {
    const probe = program();
    expectRefusal(
      () => probe.attach('vfs_read', { offset: 6 }),
      /offset 0x6 is not where an instruction of vfs_read starts/,
    );
  });
});
