import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BpfError, NotSupportedError } from '../../runtime/src/errors.js';
import type { Link } from '../../runtime/src/link/link.js';
import {
  type UprobeMultiOptions,
  UprobeMultiProgram,
  UprobeSessionProgram,
  UretprobeMultiProgram,
} from '../../runtime/src/program/index.js';
import { type Counter, loadCounter } from './counter.js';
import { kernelHas } from './facts.js';
import { expectRefusal, linkContract } from './link-contract.js';
import { buildProbed, ProbedProcess, probed, runProbed } from './probed.js';

beforeAll(buildProbed, 120_000);

const at = (functions: string, what = 'uprobe.multi') => `${what}/${probed.program}:${functions}`;

const kinds: [section: string, when: boolean, attach: (counter: Counter) => Link][] = [
  ['uprobe.multi', true, ({ handle }) => new UprobeMultiProgram(handle).attach()],
  [
    'uprobe.multi.s',
    kernelHas.uprobeMulti && kernelHas.patience,
    ({ handle }) => new UprobeMultiProgram(handle).attach(),
  ],
  ['uretprobe.multi', true, ({ handle }) => new UretprobeMultiProgram(handle).attach()],
  ['uprobe.session', kernelHas.uprobeSessions, ({ handle }) => new UprobeSessionProgram(handle).attach()],
];
for (const [section, when, attach] of kinds) {
  linkContract({
    name: `a ${section} program`,
    when,
    pins: kernelHas.uprobeMulti,
    load: () => loadCounter(at('probed_multi_*', section)),
    attach,
    trigger: runProbed,
    twice: 'runs',
  });
}

describe('a program on many functions of a binary', () => {
  let counter: Counter | undefined;
  afterEach(() => {
    counter?.close();
    counter = undefined;
  });
  const load = (section = 'uprobe.multi') => {
    counter = loadCounter(section);
    return counter.handle;
  };
  const program = (section?: string) => new UprobeMultiProgram(load(section));
  const runs = () => counter?.runs() ?? 0;
  const { program: binary, library } = probed;

  it('runs for every function that a glob matches, and no other', () => {
    const link = program(at('probed_multi_t*')).attach();
    expect(link.target).toBe(`uprobe.multi ${binary}:probed_multi_t* (2 functions)`);
    runProbed();
    expect(runs()).toBe(2);
  });

  it('runs for the functions of a list, with their cookies, and for offsets', () => {
    const probe = program();
    const functions = ['probed_add', 'probed_multi_two'];
    probe.attach({ binary, functions, cookies: [1n, 2n] });
    runProbed();
    expect(runs()).toBe(2);
    const { target } = probe.attach({ binary, functions: ['probed_add'], retprobe: true });
    expect(target).toContain('uretprobe.multi');
    runProbed();
    expect(runs()).toBe(5);
  });

  it.runIf(kernelHas.uprobeMulti)('is one link of the kernel', () => {
    const link = program(at('probed_*')).attach();
    expect(link.info().progId).toBeGreaterThan(0);
  });

  it.runIf(!kernelHas.uprobeMulti)('is a link for each function, under one, before Linux 6.6', () => {
    const link = program(at('probed_multi_*')).attach();
    runProbed();
    expect(runs()).toBe(3);
    expect(() => link.info()).toThrow(NotSupportedError);
    link.detach();
    runProbed();
    expect(runs()).toBe(3);
  });

  it.runIf(!kernelHas.uprobeSessions)('that returns too is refused before Linux 6.13, in words', () => {
    // Sessions are no program of their own when they are loaded.
    const probe = new UprobeSessionProgram(load(at('probed_add', 'uprobe.session')));
    expectRefusal(() => probe.attach(), /this kernel has no uprobe\.session; kernels have since 6\.13/);
  });

  it.runIf(kernelHas.uprobeSessions)('that returns too runs twice for a call', () => {
    new UprobeSessionProgram(load(at('probed_add', 'uprobe.session'))).attach();
    runProbed();
    expect(runs()).toBe(2);
  });

  it('is of one process only when a pid is given', async () => {
    await using one = await ProbedProcess.start();
    await using other = await ProbedProcess.start();
    program(at('probed_multi_*')).attach({ pid: one.pid });
    await other.work();
    expect(runs()).toBe(0);
    await one.work();
    expect(runs()).toBe(3);
  });

  const refusals: [what: string, options: UprobeMultiOptions, text: RegExp][] = [
    [
      'a glob that matches nothing',
      { binary, functions: 'nothing_*' },
      /no function of .*probed matches nothing_\*/,
    ],
    [
      'an imported function',
      { binary, functions: ['probed_add', 'library_work'] },
      /library_work is imported by/,
    ],
    ['a name that is nearly right', { binary, functions: 'probed_ad' }, /Similar names: probed_add/],
    [
      'too few cookies',
      { binary, functions: ['probed_add'], cookies: [] },
      /1 places need as many cookies, not 0/,
    ],
    ['no place', { binary }, /nothing says where/],
    ['an offset beyond the end', { binary: library, offsets: [8, 1 << 30] }, /0x40000000 lies beyond/],
    [
      'a process that is gone',
      { binary, functions: 'probed_*', pid: 4_000_000 },
      /there is no process 4000000/,
    ],
  ];
  it.runIf(kernelHas.patience).each(refusals)('is refused with %s', (_what, options, text) => {
    const probe = program();
    expect(() => probe.attach(options)).toThrow(BpfError);
    expectRefusal(() => probe.attach(options), text);
  });
});
