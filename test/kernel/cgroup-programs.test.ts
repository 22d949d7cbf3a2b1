import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NotSupportedError } from '../../runtime/src/errors.js';
import { syscallError } from '../../runtime/src/kernel/errno.js';
import type { Kernel } from '../../runtime/src/kernel/kernel.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import {
  CgroupSkbProgram,
  CgroupSockAddrProgram,
  CgroupSysctlProgram,
} from '../../runtime/src/program/index.js';
import { kernelVersion } from '../../runtime/src/uapi.js';
import { type Counter, loadCounter } from './counter.js';
import './facts.js';
import { expectRefusal, openFds } from './link-contract.js';
import { cgroupRoot, TestCgroup } from './test-cgroup.js';

const runtime = new URL('../../runtime/dist/', import.meta.url).href;
const { version } = linuxKernel();
const ordered = version >= kernelVersion(6, 17);

/** A kernel before 5.7, without links of cgroups. */
const withoutLinks: Partial<Kernel> = {
  linkCreate: () => {
    throw syscallError('bpf(BPF_LINK_CREATE)', 22);
  },
};

const counters: Counter[] = [];
const cgroups: TestCgroup[] = [];
let cgroup: TestCgroup;

interface Loaded {
  readonly counter: Counter;
  readonly program: CgroupSockAddrProgram;
  readonly id: number;
}

function newCgroup(parent?: string): TestCgroup {
  const made = new TestCgroup(parent);
  cgroups.push(made);
  return made;
}
function load(over: Partial<Kernel> = {}): Loaded {
  const counter = loadCounter('cgroup/connect4', 1, over);
  counters.push(counter);
  const program = new CgroupSockAddrProgram(counter.handle);
  return { counter, program, id: program.info().id };
}
const connect = () => void cgroup.agent.do('joined(udp4(), in4(9)); 1');
const ids = (programs: readonly { readonly id: number }[]): number[] => programs.map(({ id }) => id);
const attached = (path = cgroup.path): number[] => ids(load().program.query(path).attached);

beforeEach(() => {
  cgroup = newCgroup();
});
afterEach(() => {
  for (const counter of counters.splice(0)) counter.close();
  for (const made of cgroups.splice(0).reverse()) made.close();
});

describe('a cgroup', () => {
  it('is given by path, by descriptor or by a file handle, which stay open', async () => {
    const { program, id } = load();
    const fd = openSync(cgroup.path, 'r');
    const handle = await open(cgroup.path);
    for (const target of [cgroup.path, fd, handle]) {
      using link = program.attach(target);
      expect(attached()).toEqual([id]);
      expect(link.target).toMatch(/^cgroup\/connect4 (\/|descriptor \d+$)/);
    }
    expect(attached()).toEqual([]);
    closeSync(fd);
    await handle.close();
  });

  it('may lose the descriptor it was given by', () => {
    const { program, id } = load(withoutLinks);
    const fd = openSync(cgroup.path, 'r');
    const link = program.attach(fd);
    closeSync(fd);
    expect(attached()).toEqual([id]);
    link.detach();
    expect(attached()).toEqual([]);
  });

  const wrong: readonly (readonly [what: string, target: () => string | number, text: RegExp])[] = [
    [
      'a folder of something else',
      () => '/tmp',
      / \/tmp is not a cgroup of version 2 \(EBADF\)\. The cgroups of/,
    ],
    [
      'nothing',
      () => '/no/such/path',
      / there is no \/no\/such\/path \(ENOENT\)\. The cgroups of version 2 are/,
    ],
    [
      'no cgroup',
      () => `${cgroupRoot}/none`,
      / there is no cgroup .*\/none \(ENOENT\)\. Make it: mkdir .*\/none$/,
    ],
    [
      'a file in a cgroup',
      () => `${cgroup.path}/cgroup.procs`,
      /cgroup\.procs is a file in a cgroup, not a cgroup/,
    ],
    ['a descriptor that is closed', () => 9999, /descriptor 9999 is not open \(EBADF\)/],
    ['a name that would move the cursor', () => '/\u001b[2J', / there is no \/\\u\{1b\}\[2J/],
  ];
  it.each(wrong)('cannot be %s', (_what, target, text) => {
    const { program } = load();
    expectRefusal(() => program.attach(target()), text);
    expectRefusal(() => program.query(target()), text);
  });

  const v1 = /^\S+ (\S+) cgroup /m.exec(readFileSync('/proc/mounts', 'utf8'))?.[1];
  it.runIf(v1 !== undefined)('cannot be of version 1', () => {
    const { program } = load();
    expectRefusal(
      () => program.attach(v1 ?? ''),
      `${v1} is a cgroup of version 1, which takes no programs (EBADF). The cgroups of version 2 are below ${cgroupRoot}`,
    );
  });

  it.each([
    ['a bpf_link', {}],
    ['BPF_PROG_ATTACH', withoutLinks],
  ] as const)('may be removed with a program in it, attached by %s', (_how, over) => {
    const { program } = load(over);
    const mine = new TestCgroup();
    const before = openFds();
    const link = program.attach(mine.path);
    mine.close();
    link.detach();
    expect(link.attached).toBe(false);
    expect(openFds()).toBe(before);
  });

  it('that was removed is not there to attach to, even when it is still open', () => {
    const mine = new TestCgroup();
    const fd = openSync(mine.path, 'r');
    mine.close();
    const { program } = load();
    expectRefusal(() => program.attach(fd), /the cgroup is being removed \(ENOENT\)/);
    closeSync(fd);
  });

  it('takes 64 programs of a kind', () => {
    const { program } = load();
    for (let i = 0; i < 64; i++) program.attach(cgroup.path);
    expectRefusal(
      () => program.attach(cgroup.path),
      /already has as many of these programs as it can \(64\) \(E2BIG\)/,
    );
  });
});

describe('the programs of a cgroup', () => {
  it('are told with their names, those of ancestors among what runs', () => {
    const child = newCgroup(cgroup.path);
    const above = load();
    const below = load();
    above.program.attach(cgroup.path);
    below.program.attach(child.path);
    const { effective, mode, ...rest } = below.program.query(child.path);
    expect(rest.attached).toEqual([{ id: below.id, name: 'counter' }]);
    expect(ids(effective)).toEqual([below.id, above.id]);
    expect(mode).toBe('multi');
    expect(below.program.query(cgroupRoot)).toMatchObject({ mode: undefined, attached: [] });
  });

  it('are those of one direction', () => {
    const counter = loadCounter('cgroup/skb', 1);
    counters.push(counter);
    const program = new CgroupSkbProgram(counter.handle);
    const link = program.attach(cgroup.path, { direction: 'egress' });
    expect(link.target).toBe(`cgroup/skb (egress) ${cgroup.path}`);
    expect(program.query(cgroup.path).attached).toEqual([]);
    expect(ids(program.query(cgroup.path, 'egress').attached)).toEqual([program.info().id]);
  });

  it.each(['override', 'single'] as const)('in mode %s are one, replaced when that is asked for', (mode) => {
    const first = load();
    const second = load();
    const link = first.program.attach(cgroup.path, { mode });
    expect(first.program.query(cgroup.path).mode).toBe(mode);
    expectRefusal(
      () => second.program.attach(cgroup.path, { mode }),
      `the cgroup already has program "counter" id ${first.id}, in mode ${mode}. Detach it where it was attached, or pass { replace: true }`,
    );
    second.program.attach(cgroup.path, { mode, replace: true });
    expect(attached()).toEqual([second.id]);
    link.detach();
    expect(attached()).toEqual([second.id]);
  });

  it('share it in one way: another is refused with their names', () => {
    const first = load();
    const link = first.program.attach(cgroup.path, { mode: 'override' });
    const { program } = load();
    const text = `the cgroup already has program "counter" id ${first.id}, in mode override, which goes with no other mode (EPERM). Attach in that mode, { mode: 'override', replace: true }, or detach it`;
    expectRefusal(() => program.attach(cgroup.path), text);
    expectRefusal(() => program.attach(cgroup.path, { mode: 'single' }), text);
    link.detach();
    program.attach(cgroup.path);
    expectRefusal(
      () => first.program.attach(cgroup.path, { mode: 'override' }),
      /in mode multi, which goes with/,
    );
  });

  it('in mode single let no descendant have one', () => {
    const child = newCgroup(newCgroup(cgroup.path).path);
    const first = load();
    first.program.attach(cgroup.path, { mode: 'single' });
    const { program } = load();
    const text = `its ancestor ${child.path}/../.. has program "counter" id ${first.id}, in mode single, which lets no descendant have one (EPERM)`;
    expectRefusal(() => program.attach(child.path), text);
    const fd = openSync(child.path, 'r');
    expectRefusal(() => program.attach(fd), `its ancestor descriptor ${fd}/../.. has program "counter"`);
    closeSync(fd);
  });

  it('in mode override yield to those of descendants', () => {
    const child = newCgroup(cgroup.path);
    const above = load();
    const below = load();
    above.program.attach(cgroup.path, { mode: 'override' });
    expect(ids(above.program.query(child.path).effective)).toEqual([above.id]);
    below.program.attach(child.path, { mode: 'override' });
    expect(ids(above.program.query(child.path).effective)).toEqual([below.id]);
  });

  it('are replaced one for one where several share it', () => {
    const [first, second, third] = [load(withoutLinks), load(withoutLinks), load()];
    first.program.attach(cgroup.path);
    second.program.attach(cgroup.path);
    third.program.attach(cgroup.path, { replace: first.program });
    expect(attached()).toEqual([third.id, second.id]);
    const fourth = load();
    expectRefusal(
      () => fourth.program.attach(cgroup.path, { replace: first.program }),
      'the program to replace is not attached to this cgroup (ENOENT)',
    );
  });

  it('attached without a link are each there once', () => {
    const { program } = load(withoutLinks);
    program.attach(cgroup.path);
    expectRefusal(() => program.attach(cgroup.path), 'the program is attached there already');
  });

  it.each([
    ['a bpf_link', {}, {}],
    ['BPF_PROG_ATTACH', {}, withoutLinks],
    ['mode override', { mode: 'override' }, {}],
    ['mode single', { mode: 'single' }, {}],
  ] as const)('are exchanged in place, with %s', (_how, options, over) => {
    const [first, second, third] = [load(over), load(), load()];
    const before = openFds();
    const link = first.program.attach(cgroup.path, options);
    link.update(second.program);
    const open = openFds();
    link.update(third.program);
    expect(openFds()).toBe(open);
    expect(third.program.query(cgroup.path).attached).toEqual([{ id: third.id, name: 'counter' }]);
    link.detach();
    expect(third.program.query(cgroup.path).attached).toEqual([]);
    expect(openFds()).toBe(before);
    expect(() => link.update(first.program)).toThrow('update link of "counter": it is detached');
  });

  it('that were exchanged run instead of those before them', () => {
    const [first, second] = [load(), load()];
    const link = first.program.attach(cgroup.path);
    connect();
    link.update(second.program);
    connect();
    expect([first, second].map(({ counter }) => counter.runs())).toEqual([1, 1]);
  });

  it.each([
    ['a bpf_link', {}],
    ['BPF_PROG_ATTACH', withoutLinks],
  ] as const)('are not exchanged for those of another kind, with %s', (_how, over) => {
    const { program } = load(over);
    const link = program.attach(cgroup.path);
    const counter = loadCounter('cgroup/sysctl', 1);
    counters.push(counter);
    const other = new CgroupSysctlProgram(counter.handle);
    expectRefusal(() => link.update(other), 'EINVAL');
    link.detach();
    expect(attached()).toEqual([]);
  });

  it.each([
    [{ mode: 'single', before: 'all' }, 'mode single has one program, and so no order'],
    [{ replace: true }, 'of several programs, { replace } must name the one to replace'],
    [
      { mode: 'override', replace: { fd: 3 } },
      'mode override has one program: { replace: true } replaces it',
    ],
    [{ before: 'all', after: 'all' }, 'a program goes before another or after another, not both'],
    [{ before: 'all', replace: { fd: 3 } }, 'a program that replaces another takes its place in the order'],
  ] as const)('are not asked for the impossible: %o', (options, text) => {
    const { program } = load();
    expectRefusal(() => program.attach(cgroup.path, options), text);
  });
});

describe('a process without CAP_NET_ADMIN', () => {
  it('is told that it lacks it, when it attaches and when it asks', () => {
    const counter = loadCounter('cgroup_skb/egress', 1);
    counters.push(counter);
    const pin = `/sys/fs/bpf/bpfskel-${process.pid}`;
    linuxKernel().pin(counter.handle.fd(), pin);
    const child = `
      import { linuxKernel } from '${runtime}kernel/linux.js';
      import { CgroupSkbProgram } from '${runtime}program/index.js';
      const kernel = linuxKernel();
      const fd = kernel.pinned('${pin}');
      const program = new CgroupSkbProgram({
        kernel, name: 'counter', section: 'cgroup_skb/egress', target: '', expectedAttachType: 1, fd: () => fd,
        own: (link) => link,
      });
      for (const act of ['attach', 'query']) {
        try { program[act]('${cgroup.path}'); console.log('done'); } catch (error) { console.log(error.message); }
      }
    `;
    const { stdout, stderr } = spawnSync(
      'setpriv',
      ['--bounding-set=-net_admin,-sys_admin', process.execPath, '--input-type=module', '-e', child],
      { encoding: 'utf8' },
    );
    linuxKernel().unpin(pin);
    expect(stderr).toBe('');
    const why = 'this process lacks CAP_NET_ADMIN (EPERM). Run as root, or give';
    expect(stdout.trim().split('\n')).toEqual([
      expect.stringContaining(`attach "counter" to cgroup_skb/egress ${cgroup.path}: ${why}`),
      expect.stringContaining(`query the programs of ${cgroup.path}: ${why}`),
    ]);
  });
});

describe('the order of programs in a cgroup', () => {
  it.runIf(ordered)('is first come, first run, unless told otherwise', () => {
    const [a, b, c, d, e, f] = [load(), load(withoutLinks), load(), load(), load(), load(withoutLinks)];
    a.program.attach(cgroup.path);
    b.program.attach(cgroup.path, { after: 'all' });
    expect(attached()).toEqual(ids([a, b]));
    const link = c.program.attach(cgroup.path, { before: 'all' });
    d.program.attach(cgroup.path, { after: link });
    e.program.attach(cgroup.path, { before: b.program });
    f.program.attach(cgroup.path, { after: { id: b.id } });
    expect(attached()).toEqual(ids([c, d, a, e, b, f]));
  });

  it.runIf(ordered)('is about links where links hold the programs', () => {
    const [first, second] = [load(), load()];
    first.program.attach(cgroup.path);
    for (const before of [first.program, { id: first.id }]) {
      expectRefusal(
        () => second.program.attach(cgroup.path, { before }),
        `program "counter" id ${first.id}, to go next to, is held by a bpf_link (ENOENT). Name its link instead`,
      );
    }
  });

  it.runIf(ordered)('is kept from change that nobody saw', () => {
    const [a, b, c] = [load(), load(), load()];
    a.program.attach(cgroup.path);
    const { revision } = a.program.query(cgroup.path);
    b.program.attach(cgroup.path, { expectedRevision: revision });
    expectRefusal(
      () => c.program.attach(cgroup.path, { expectedRevision: revision }),
      `the programs of the cgroup are others by now: they are of revision ${revision + 1n}, not ${revision} (ESTALE)`,
    );
  });

  it.runIf(ordered)('knows only programs of this cgroup', () => {
    const [program, other] = [load().program, load().program];
    expectRefusal(
      () => program.attach(cgroup.path, { before: other }),
      'the program to go next to is not attached to this cgroup (ENOENT)',
    );
  });

  it.runIf(ordered)('can put an ancestor first', () => {
    const child = newCgroup(cgroup.path);
    const [above, below] = [load(), load()];
    below.program.attach(child.path);
    above.program.attach(cgroup.path, { preorder: true });
    expect(ids(below.program.query(child.path).effective)).toEqual([above.id, below.id]);
  });

  it.runIf(!ordered)(
    'is kept by an older kernel that was given it, and refused by others with the version',
    () => {
      const [first, second] = [load(), load()];
      first.program.attach(cgroup.path);
      try {
        second.program.attach(cgroup.path, { before: 'all' });
        expect(attached()).toEqual([second.id, first.id]);
      } catch (error) {
        expect(error).toBeInstanceOf(NotSupportedError);
        expect(error).toMatchObject({ since: '6.17' });
        expect(String(error)).toContain('the order of programs in a cgroup came with Linux 6.17 and this is');
      }
    },
  );
});
