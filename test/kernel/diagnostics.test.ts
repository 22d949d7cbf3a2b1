import { readFileSync } from 'node:fs';
import { describe, it } from 'vitest';
import { isBpfError } from '../../runtime/src/errors.js';
import type { Kernel } from '../../runtime/src/kernel/kernel.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { load } from '../../runtime/src/loader/load.js';
import { OpenObject } from '../../runtime/src/loader/open-object.js';
import { parseObject } from '../../runtime/src/object/parse.js';
import {
  FentryProgram,
  KprobeMultiProgram,
  KprobeProgram,
  RawTracepointProgram,
  TracepointProgram,
} from '../../runtime/src/program/index.js';
import type { ProgramHandle } from '../../runtime/src/program/program.js';
import { testObject } from '../unit/object-editor.js';
import { type Counter, loadCounter } from './counter.js';
import { kernelHas } from './facts.js';
import { kernelTypes } from './kernel-types.js';
import { expectRefusal } from './link-contract.js';

/** Runs `attach` on a loaded program of SEC(`section`) and checks the sentence of the refusal. */
function refuses(
  section: string,
  attach: (handle: ProgramHandle) => unknown,
  text: RegExp,
  over: Partial<Kernel> = {},
): void {
  const counter = loadCounter(section, 0, over);
  try {
    expectRefusal(() => attach(counter.handle), text);
  } finally {
    counter.close();
  }
}

/** A host on which nobody mounted tracefs. */
const withoutTracefs: Partial<Kernel> = {
  readFile: (path) => (path.includes('/tracing') ? undefined : linuxKernel().readFile(path)),
  listDirectory: (path) => (path.includes('/tracing') ? undefined : linuxKernel().listDirectory(path)),
};

describe('a refusal names its cause', () => {
  it('for a tracepoint without tracefs', () => {
    refuses(
      'tp/sched/sched_switch',
      (handle) => new TracepointProgram(handle).attach(),
      /tracefs.*Mount it: mount -t tracefs|tracefs at .* is closed/,
      withoutTracefs,
    );
  });

  it('for a tracepoint that is misspelled', () => {
    refuses(
      'tp/sched/sched_swich',
      (handle) => new TracepointProgram(handle).attach(),
      /this kernel has no tracepoint sched\/sched_swich\. It has sched\/sched_switch/,
    );
  });

  it('for a raw tracepoint that is given with its category', () => {
    refuses(
      'raw_tp/sched/sched_switch',
      (handle) => new RawTracepointProgram(handle).attach(),
      /no tracepoint sched\/sched_switch \(ENOENT\)\. Similar names: .*sched_switch/,
    );
  });

  const untyped: [section: string, text: RegExp][] = [
    ['tp_btf/sched_swich', /no tracepoint sched_swich in its BTF; similar names: sched_switch/],
    ['fentry/do_unlinkatt', /no function do_unlinkatt in its BTF.*similar names: do_unlinkat/],
    ['lsm/file_opn', /no LSM hook file_opn in its BTF; similar names: file_open/],
  ];
  it.each(untyped)('for SEC("%s") when it is loaded', (section, text) => {
    const spec = parseObject(testObject('beside.o'));
    const [first] = spec.programs;
    if (first === undefined) throw new Error('the object has no programs');
    const object = new OpenObject('o', { ...spec, programs: [{ ...first, sec: section }] });
    expectRefusal(() => load(object, linuxKernel()), text);
  });

  it.runIf(kernelHas.kprobes)('for a kprobe on a function of a module that is not there', () => {
    refuses(
      'kprobe',
      (handle) => new KprobeProgram(handle).attach('no_such_module:its_function'),
      /module no_such_module is not loaded \(\w+\)\. Load it: modprobe no_such_module/,
    );
  });

  it.runIf(kernelHas.fentry)('for a function that ftrace cannot hook', () => {
    const { counter, name } = loadUntraceable();
    try {
      const program = new FentryProgram(counter.handle);
      expectRefusal(() => program.attach(), new RegExp(`${name} is in the kernel, but not traceable`));
    } finally {
      counter.close();
    }
    if (!kernelHas.manyKprobes) return;
    refuses(
      'kprobe.multi',
      (handle) => new KprobeMultiProgram(handle).attach(['do_unlinkat', name]),
      new RegExp(`${name} is (in the kernel, but not traceable|on the kernel's kprobe blacklist)`),
    );
  });
});

/** An fentry program for a function that has a type, is there once, and is not in the list of ftrace. */
function loadUntraceable(): { counter: Counter; name: string } {
  const list = readFileSync('/sys/kernel/tracing/available_filter_functions', 'latin1');
  const listed = new Set(list.split('\n').map((line) => line.split(' ', 1)[0]));
  const counts = new Map<string, number>();
  for (const [, name = ''] of readFileSync('/proc/kallsyms', 'latin1').matchAll(/ [tT] (\w+)$/gm)) {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const { vmlinux } = kernelTypes();
  for (const [name, count] of counts) {
    if (count > 1 || listed.has(name) || vmlinux.find(name, 'func') === undefined) continue;
    try {
      return { counter: loadCounter(`fentry/${name}`), name };
    } catch (error) {
      // Some of them may not be traced whatever ftrace can.
      if (!isBpfError(error)) throw error;
    }
  }
  throw new Error('ftrace can hook every function');
}
