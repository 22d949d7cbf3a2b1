import { openObject } from '@bpfskel/runtime';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BpfError } from '../../runtime/src/errors.js';
import { CALL } from '../../runtime/src/insn.js';
import { ERRNO, syscallError } from '../../runtime/src/kernel/errno.js';
import type { Kernel, LinkCreate, ProgLoad } from '../../runtime/src/kernel/kernel.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import type { LiveObject } from '../../runtime/src/loader/live-object.js';
import { type UsdtOptions, UsdtProgram } from '../../runtime/src/program/index.js';
import { kernelVersion } from '../../runtime/src/uapi.js';
import type { Counter } from './counter.js';
import { kernelHas } from './facts.js';
import { expectRefusal, linkContract } from './link-contract.js';
import { buildProbed, ProbedProcess, probed, runProbed } from './probed.js';

beforeAll(buildProbed, 120_000);

const object = new URL('../testdata/usdt.o', import.meta.url).pathname;
const { program: binary, library } = probed;

/** What a program of usdt.o was given. */
interface Seen {
  readonly runs: number;
  readonly args: readonly number[];
  readonly cookie: bigint;
  readonly count: number;
}

class Loaded implements Disposable {
  readonly live: LiveObject;
  readonly #offsets: ReadonlyMap<string, number>;

  constructor(over: Partial<Kernel> = {}, slots?: number) {
    const open = openObject(object, { kernel: { ...linuxKernel(), ...over } });
    const bss = open.spec.maps.find(({ name }) => name.endsWith('.bss'))?.section;
    this.#offsets = new Map(bss?.variables.map(({ name, offset }) => [name, offset]));
    const specs = open.maps.get('__bpf_usdt_specs');
    if (slots !== undefined && specs !== undefined) specs.maxEntries = slots;
    this.live = open.load();
  }

  program(name: string): UsdtProgram {
    const program = this.live.progs.get(name);
    if (!(program instanceof UsdtProgram)) throw new Error(`${name} is no USDT program`);
    return program;
  }

  seen(name: string): Seen {
    const view = this.live.data.get('.bss')?.view();
    const at = this.#offsets.get(`${name}_seen`);
    if (view === undefined || at === undefined) throw new Error(`no ${name}_seen`);
    return {
      runs: Number(view.getBigUint64(at, true)),
      args: [8, 16, 24, 32].map((field) => Number(view.getBigInt64(at + field, true))),
      cookie: view.getBigUint64(at + 40, true),
      count: view.getUint32(at + 48, true),
    };
  }

  [Symbol.dispose](): void {
    this.live.destroy();
  }
}

/** A kernel before 6.6: a link for each place. */
const withoutMulti: Partial<Kernel> = {
  version: kernelVersion(6, 5),
  linkCreate(link: LinkCreate) {
    if (link.options?.kind === 'uprobe_multi') throw syscallError('bpf(BPF_LINK_CREATE)', ERRNO.EINVAL);
    return linuxKernel().linkCreate(link);
  },
};

/** A kernel before 5.15: bpf_get_attach_cookie() is unknown to it; asked for by a probe of a few instructions. */
const withoutCookies: Partial<Kernel> = {
  ...withoutMulti,
  version: kernelVersion(5, 14),
  progLoad(prog: ProgLoad) {
    const view = new DataView(prog.insns.buffer, prog.insns.byteOffset, prog.insns.length);
    const calls = Array.from({ length: prog.insns.length / 8 }, (_, index) => index * 8).filter(
      (at) => view.getUint8(at) === CALL && view.getInt32(at + 4, true) === 174,
    );
    if (calls.length > 0 && prog.insns.length < 64) throw syscallError('bpf(BPF_PROG_LOAD)', ERRNO.EINVAL);
    return linuxKernel().progLoad(prog);
  },
};

function counterOf(loaded: Loaded): Counter {
  return {
    // The contract asks for nothing else.
    handle: undefined as unknown as Counter['handle'],
    runs: () => loaded.seen('twice').runs,
    close: () => loaded[Symbol.dispose](),
  };
}

const variants: (readonly [name: string, over: Partial<Kernel>])[] = [
  ['a USDT program', {}],
  // Where everything is slow, it is a kernel without them that shows this.
  ...(kernelHas.patience ? [['a USDT program without links of many uprobes', withoutMulti] as const] : []),
];
for (const [name, over] of variants) {
  let loaded: Loaded | undefined;
  linkContract({
    name,
    pins: kernelHas.uprobeMulti && Object.keys(over).length === 0,
    load() {
      loaded = new Loaded(over);
      return counterOf(loaded);
    },
    attach() {
      if (loaded === undefined) throw new Error('load first');
      return loaded.program('on_twice').attach({ binary, provider: 'test', name: 'twice' });
    },
    trigger: runProbed,
    twice: 'runs',
  });
}

describe.each(variants)('%s', (_name, over) => {
  let loaded: Loaded | undefined;
  afterEach(() => {
    loaded?.[Symbol.dispose]();
    loaded = undefined;
  });
  const load = () => {
    loaded = new Loaded(over);
    return loaded;
  };

  it('attaches where SEC() says, and gets every kind of argument', () => {
    const skel = load();
    skel.live.attach();
    expect(skel.live.links.get('on_args')?.target).toBe('usdt build/probed/probed:test:args');
    runProbed();
    // A register, memory, a constant, a byte in memory.
    expect(skel.seen('args')).toEqual({ runs: 1, args: [100, 0x123456789abc, -9, -2], cookie: 0n, count: 4 });
  });

  it('runs at every place of a probe, whose arguments are elsewhere each time', () => {
    const skel = load();
    skel.program('on_twice').attach({ binary, provider: 'test', name: 'twice', cookie: 0xfedcba9876543210n });
    runProbed();
    expect(skel.seen('twice')).toEqual({
      runs: 2,
      args: [1, 2, 0, 0],
      cookie: 0xfedcba9876543210n,
      count: 1,
    });
  });

  it('reads an element of an array by base, index and scale', () => {
    const skel = load();
    skel.program('on_element').attach({ binary, provider: 'test', name: 'element' });
    runProbed();
    expect(skel.seen('element').args.slice(0, 2)).toEqual([3, -4]);
  });

  it('holds the semaphore of the probe above zero while it is attached', async () => {
    await using running = await ProbedProcess.start();
    const skel = load();
    expect(await running.work()).toBe('');
    const link = skel
      .program('on_watched')
      .attach({ binary, provider: 'test', name: 'watched', pid: running.pid });
    expect(await running.work()).toBe('watched\n');
    expect(skel.seen('watched')).toMatchObject({ runs: 1, args: [1, 0, 0, 0] });
    link.detach();
    expect(await running.work()).toBe('');
  });

  it('is of a library in every process, or in one', async () => {
    await using one = await ProbedProcess.start();
    await using other = await ProbedProcess.start();
    const skel = load();
    const work = skel.program('on_work');
    const link = work.attach({ binary: 'libprobed.so', provider: 'library', name: 'work', pid: one.pid });
    await other.work();
    expect(skel.seen('work').runs).toBe(0);
    await one.work();
    expect(skel.seen('work')).toMatchObject({ runs: 1, args: [7, 0, 0, 0] });
    link.detach();
    work.attach({ binary: library, provider: 'library', name: 'work' });
    await one.work();
    await other.work();
    expect(skel.seen('work').runs).toBe(3);
  });

  it('uses the slots of its object again, and says when there are no more', () => {
    loaded = new Loaded(over, 4);
    const skel = loaded;
    // Two different places take two slots.
    const attach = (cookie: bigint) =>
      skel.program('on_twice').attach({ binary, provider: 'test', name: 'twice', cookie });
    for (let round = 0; round < 3; round++) attach(1n).detach();
    attach(2n);
    const last = attach(3n);
    expectRefusal(
      () => attach(4n),
      /__bpf_usdt_specs has room for 4 different places.*BPF_USDT_MAX_SPEC_CNT/,
    );
    last.detach();
    attach(5n).detach();
    runProbed();
    expect(skel.seen('twice')).toMatchObject({ runs: 2, cookie: 2n });
  });
});

describe('a USDT probe', () => {
  it('is one link of the kernel where it has links of many uprobes', () => {
    using skel = new Loaded();
    const link = skel.program('on_twice').attach({ binary, provider: 'test', name: 'twice' });
    if (kernelHas.uprobeMulti) expect(link.info().id).toBeGreaterThan(0);
    else expect(() => link.info()).toThrow(BpfError);
  });

  it('on a kernel without cookies is found by its address in one process', async () => {
    await using running = await ProbedProcess.start();
    using skel = new Loaded(withoutCookies);
    const twice = skel.program('on_twice');
    const probe = { binary, provider: 'test', name: 'twice' };
    expectRefusal(() => twice.attach(probe), /can be anywhere in memory.*Give a pid/);
    const link = twice.attach({ ...probe, pid: running.pid, cookie: 9n });
    await running.work();
    expect(skel.seen('twice')).toMatchObject({ runs: 2, args: [1, 2, 0, 0], cookie: 9n });
    // An address can be looked up for one attachment only.
    expectRefusal(() => twice.attach({ ...probe, pid: running.pid }), /attached there already/);
    link.detach();
    twice.attach({ ...probe, pid: running.pid, cookie: 8n });
    await running.work();
    expect(skel.seen('twice')).toMatchObject({ runs: 4, cookie: 8n });
  });

  const refusals: [what: string, options: UsdtOptions, text: RegExp][] = [
    [
      'that is not there',
      { binary, provider: 'test', name: 'twic' },
      /has no USDT probe test:twic\. It has test:twice/,
    ],
    [
      'of a binary without any',
      { binary: '/bin/true', provider: 'a', name: 'b' },
      /has no USDT probes \(no section/,
    ],
    ['of an absent binary', { binary: '/no/such', provider: 'a', name: 'b' }, /there is no \/no\/such/],
    ['without a name', { binary, provider: 'test' }, /a USDT probe has a provider and a name/],
    [
      'of a process that is gone',
      { provider: 'a', name: 'b', pid: 4_000_000 },
      /there is no process 4000000/,
    ],
  ];
  it.runIf(kernelHas.patience).each(refusals)('%s is refused in words', (_what, options, text) => {
    using skel = new Loaded();
    expectRefusal(() => skel.program('on_twice').attach(options), text);
  });
});
