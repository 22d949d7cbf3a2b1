import { execFileSync, spawnSync } from 'node:child_process';
import { afterEach, describe, expect, it } from 'vitest';
import { syscallError } from '../../runtime/src/kernel/errno.js';
import type { Kernel } from '../../runtime/src/kernel/kernel.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import {
  TcActionProgram,
  TcDirectedProgram,
  TcProgram,
  TcxProgram,
} from '../../runtime/src/program/index.js';
import { cable, ip } from './cable.js';
import { type Counter, loadCounter } from './counter.js';
import { kernelHas } from './facts.js';
import { expectRefusal, linkContract, runsWithin } from './link-contract.js';

const kernel = linuxKernel();
const tcTool = (...args: string[]) => execFileSync('tc', args, { stdio: 'pipe' });
const { near, receive, send } = cable();

/** Whether the kernel has what programs as actions of filters take: modules on those of Debian. */
const tcActions = ['cls_matchall', 'act_bpf'].every((module) => spawnSync('modprobe', [module]).status === 0);

/** TC_ACT_UNSPEC: the next program decides. */
const NEXT = -1;
const TC_ACT_SHOT = 2;

/** A kernel before 6.6, without tcx. */
const withoutTcx: Partial<Kernel> = {
  progQuery: () => {
    throw syscallError('bpf(BPF_PROG_QUERY)', 22);
  },
};

linkContract({
  name: 'a tc program on ingress, by tcx',
  when: kernelHas.tcx,
  load: () => loadCounter('tc', NEXT),
  attach: ({ handle }) => new TcProgram(handle).attach(near, { direction: 'ingress' }),
  trigger: receive,
  twice: /the program is attached there already/,
});
linkContract({
  name: 'a tc program on egress, by a filter',
  pins: false,
  load: () => loadCounter('tc', NEXT),
  attach: ({ handle }) => new TcProgram(handle).attach(near, { direction: 'egress', via: 'clsact' }),
  trigger: send,
  twice: 'runs',
});
linkContract({
  name: 'a tc/ingress program, by what the kernel has',
  pins: kernelHas.tcx,
  load: () => loadCounter('tc/ingress', NEXT),
  attach: ({ handle }) => new TcDirectedProgram(handle).attach(near),
  trigger: receive,
  twice: kernelHas.tcx ? /the program is attached there already/ : 'runs',
});
linkContract({
  name: 'a tcx/egress program',
  when: kernelHas.tcx,
  load: () => loadCounter('tcx/egress', NEXT),
  attach: ({ handle }) => new TcxProgram(handle).attach(near, { before: 'all' }),
  trigger: send,
  twice: /the program is attached there already/,
});
linkContract({
  name: 'a tc action on ingress',
  pins: false,
  when: tcActions,
  load: () => loadCounter('action', NEXT),
  attach: ({ handle }) => new TcActionProgram(handle).attach(near, { direction: 'ingress' }),
  trigger: receive,
  twice: 'runs',
});

const counters: Counter[] = [];
const load = (section: string, answer = NEXT, over: Partial<Kernel> = {}): Counter => {
  const counter = loadCounter(section, answer, over);
  counters.push(counter);
  // The one kernel of this process, which is how it knows what it made itself.
  return Object.keys(over).length > 0 ? counter : { ...counter, handle: { ...counter.handle, kernel } };
};
const tc = (answer = NEXT, over: Partial<Kernel> = {}) => {
  const counter = load('tc', answer, over);
  return { counter, program: new TcProgram(counter.handle) };
};
afterEach(() => {
  for (const counter of counters.splice(0)) counter.close();
});
const filters = () => kernel.filterQuery(kernel.ifindex(near), 'ingress');
const qdisc = () => kernel.filterQdisc(kernel.ifindex(near));

describe('tc programs', () => {
  it('decide about packets: those before others keep them from these', () => {
    const last = tc();
    const first = tc(TC_ACT_SHOT);
    last.program.attach(near, { direction: 'ingress', via: 'clsact', priority: 2 });
    const link = first.program.attach(near, { direction: 'ingress', via: 'clsact', priority: 1 });
    expect(runsWithin(first.counter, receive)).toBe(true);
    expect(last.counter.runs()).toBe(0);
    link.detach();
    expect(runsWithin(last.counter, receive)).toBe(true);
  });

  it('are attached by a filter where the kernel has no tcx, or where a filter was asked for', () => {
    const { program } = tc(NEXT, withoutTcx);
    using old = program.attach(near, { direction: 'ingress' });
    expect([old.via, old.priority, old.handle]).toEqual(['clsact', 49152, 1]);
    expect(old.target).toBe(`tc ${near} ingress priority 49152 handle 1`);
    using chosen = tc().program.attach(near, { direction: 'ingress', priority: 3, handle: 9 });
    expect([chosen.via, chosen.priority, chosen.handle]).toEqual(['clsact', 3, 9]);
    expect(() => chosen.pin('/sys/fs/bpf/x')).toThrow('without a bpf_link');
  });

  it('run on a packet that a test gives them', () => {
    const { counter, program } = tc(TC_ACT_SHOT);
    const packet = new Uint8Array(60);
    expect(program.run(packet, { context: { mark: 7 } })).toMatchObject({
      returnValue: TC_ACT_SHOT,
      packet,
      context: { mark: 7 },
    });
    expect(counter.runs()).toBe(1);
  });

  it('say what runs on a device', () => {
    const { program } = tc();
    using link = program.attach(near, { direction: 'ingress', priority: 5 });
    const { id } = program.info();
    const found = program.query(near, 'ingress');
    expect(found.filters).toEqual([
      { kind: 'bpf', priority: 5, handle: link.handle, progId: id, name: `counter:[${id}]` },
    ]);
    expect(found.tcx === undefined).toBe(!kernelHas.tcx);
    expect(program.query(near, 'egress').filters).toEqual([]);
  });

  it.each([
    [{ via: 'clsact', before: 'all' }, 'before, after and expectedRevision are of tcx'],
    [{ priority: 1, after: 'all' }, 'before, after and expectedRevision are of tcx'],
    [{ via: 'tcx', priority: 1 }, 'priority, handle and replace are of filters'],
    [{ priority: 65536 }, 'priority 65536 is not from 1 to 65535'],
    [{ priority: 1, handle: 0 }, 'handle 0 is not from 1 to 4294967295'],
    [{ replace: true, priority: 1 }, '{ replace } takes the priority and the handle'],
  ] as const)('refuse %j', (options, text) => {
    const { program } = tc();
    expectRefusal(() => program.attach(near, { direction: 'ingress', ...options }), text);
    expect(qdisc()).toBeUndefined();
  });

  it('know no unknown device', () => {
    const { program } = tc();
    expectRefusal(
      () => program.attach(`${near}x`, { direction: 'egress' }),
      new RegExp(`there is no network device called ${near}x \\(ENODEV\\)\\. Did you mean ${near}`),
    );
  });
});

describe('the clsact qdisc', () => {
  it('goes with the last filter of the process that made it', () => {
    const one = tc().program.attach(near, { direction: 'ingress', via: 'clsact' });
    const two = tc().program.attach(near, { direction: 'egress', via: 'clsact' });
    expect(qdisc()).toBe('clsact');
    one.detach();
    expect(qdisc()).toBe('clsact');
    two.detach();
    expect(qdisc()).toBeUndefined();
  });

  it('stays when it was there before, or when others use it', () => {
    kernel.clsactCreate(kernel.ifindex(near));
    tc().program.attach(near, { direction: 'ingress', via: 'clsact' }).detach();
    expect(qdisc()).toBe('clsact');
    kernel.clsactDelete(kernel.ifindex(near));

    const ours = tc();
    const link = ours.program.attach(near, { direction: 'ingress', via: 'clsact' });
    const foreign = kernel.filterSet({
      ifindex: kernel.ifindex(near),
      direction: 'egress',
      prog: ours.program.fd,
      as: 'classifier',
      name: 'foreign',
    });
    link.detach();
    expect(qdisc()).toBe('clsact');
    expect(kernel.filterQuery(kernel.ifindex(near), 'egress')).toEqual([foreign]);
    kernel.clsactDelete(kernel.ifindex(near));
  });

  it('is not left behind by a filter that was refused', () => {
    const refusing: Partial<Kernel> = {
      filterSet: () => {
        throw syscallError('netlink(RTM_NEWTFILTER)', 12);
      },
    };
    const { program } = tc(NEXT, refusing);
    expectRefusal(() => program.attach(near, { direction: 'ingress', via: 'clsact' }), 'ENOMEM');
    expect(qdisc()).toBeUndefined();
  });

  it('has no room beside an ingress qdisc, whose filters would see the wrong packets', () => {
    tcTool('qdisc', 'add', 'dev', near, 'ingress');
    try {
      const { counter, program } = tc();
      expectRefusal(
        () => program.attach(near, { direction: 'egress', via: 'clsact' }),
        `${near} has an ingress qdisc in the place of clsact, and that sees received packets only. Remove it: tc qdisc del dev ${near} ingress`,
      );
      using _link = program.attach(near, { direction: 'ingress', via: 'clsact' });
      expect(runsWithin(counter, receive)).toBe(true);
    } finally {
      tcTool('qdisc', 'del', 'dev', near, 'ingress');
    }
  });
});

describe('a filter', () => {
  it('names the one in the way, and replaces it when told', () => {
    const first = tc();
    const link = first.program.attach(near, { direction: 'ingress', priority: 7, handle: 1 });
    const { program, counter } = tc();
    expectRefusal(
      () => program.attach(near, { direction: 'ingress', priority: 7, handle: 1 }),
      new RegExp(
        `the filter with priority 7 and handle 1 is there already and runs program "counter" id ${first.program.info().id} \\(EEXIST\\)`,
      ),
    );
    using taking = program.attach(near, { direction: 'ingress', priority: 7, handle: 1, replace: true });
    expect(filters().map(({ progId }) => progId)).toEqual([program.info().id]);
    expect(runsWithin(counter, receive)).toBe(true);
    // The program in it is another one by now.
    expect(() => link.update(first.program)).toThrow('it is gone, or runs another one by now');
    link.detach();
    expect(filters().map(({ progId }) => progId)).toEqual([program.info().id]);
    taking.detach();
    expect(filters()).toEqual([]);
  });

  it('exchanges its program', () => {
    const first = tc();
    const second = tc();
    const link = first.program.attach(near, { direction: 'ingress', via: 'clsact' });
    const { handle, priority } = link;
    link.update(second.program);
    expect(filters()).toMatchObject([{ handle, priority, progId: second.program.info().id }]);
    const before = first.counter.runs();
    expect(runsWithin(second.counter, receive)).toBe(true);
    expect(first.counter.runs()).toBe(before);
    link.detach();
    expect(filters()).toEqual([]);
  });

  it('detaches in peace when it, the qdisc, or the device is gone', () => {
    const ifindex = kernel.ifindex(near);
    const deleted = tc().program.attach(near, { direction: 'ingress', priority: 4, handle: 4 });
    kernel.filterDelete({ ifindex, direction: 'ingress', priority: 4, handle: 4 });
    deleted.detach();
    expect(qdisc()).toBeUndefined();
    const swept = tc().program.attach(near, { direction: 'ingress', via: 'clsact' });
    kernel.clsactDelete(ifindex);
    swept.detach();
    ip('link', 'add', `${near}x`, 'type', 'veth');
    const orphan = tc().program.attach(`${near}x`, { direction: 'ingress', via: 'clsact' });
    ip('link', 'del', `${near}x`);
    orphan.detach();
    expect(orphan.attached).toBe(false);
  });

  it.runIf(tcActions)('of another kind keeps its priority to itself', () => {
    const action = new TcActionProgram(load('action').handle);
    using link = action.attach(near, { direction: 'ingress', priority: 6 });
    expect(link.target).toBe(`tc ${near} ingress priority 6 handle 1`);
    const { program } = tc();
    expectRefusal(
      () => program.attach(near, { direction: 'ingress', priority: 6 }),
      'priority 6 has a filter of kind matchall, and filters of one priority are of one kind',
    );
  });

  it.runIf(!tcActions)('whose kind the kernel lacks says so', () => {
    const action = new TcActionProgram(load('action').handle);
    expectRefusal(
      () => action.attach(near, { direction: 'ingress' }),
      'this kernel lacks the classifier or the action of such a filter (CONFIG_NET_CLS_MATCHALL, CONFIG_NET_ACT_BPF) (ENOENT)',
    );
    expect(qdisc()).toBeUndefined();
  });
});

describe('tcx', () => {
  const tcx = (answer = NEXT) => {
    const counter = load('tcx/ingress', answer);
    return { counter, program: new TcxProgram(counter.handle), id: kernel.progInfo(counter.handle.fd()).id };
  };

  it.runIf(kernelHas.tcx)('runs programs in the order that was asked for', () => {
    const [a, b, c, d, e] = [tcx(), tcx(), tcx(), tcx(), tcx()] as const;
    const link = a.program.attach(near);
    b.program.attach(near, { before: 'all' });
    c.program.attach(near, { before: a.program });
    d.program.attach(near, { after: link });
    e.program.attach(near, { after: { id: b.id } });
    const { programs, revision } = a.program.query(near);
    expect(programs.map(({ id }) => id)).toEqual([b.id, e.id, c.id, a.id, d.id]);
    const fourth = { id: a.id, name: 'counter', linkId: link.info().id };
    expect(programs[3]).toEqual(fourth);
    const [f, g] = [tcx(), tcx()] as const;
    f.program.attach(near, { before: fourth });
    g.program.attach(near, { after: { link: fourth.linkId } }).detach();
    expect(a.program.query(near).programs.map(({ id }) => id)).toEqual([b.id, e.id, c.id, f.id, a.id, d.id]);

    const late = tcx(TC_ACT_SHOT);
    expectRefusal(
      () => late.program.attach(near, { expectedRevision: revision }),
      `the programs there are others by now: they are of revision ${revision + 3n}, not ${revision}`,
    );
    late.program.attach(near, { before: 'all', expectedRevision: revision + 3n });
    // The kernel sends packets of its own: some may have come before.
    const before = a.counter.runs();
    expect(runsWithin(late.counter, receive)).toBe(true);
    expect(a.counter.runs()).toBe(before);
  });

  it.runIf(kernelHas.tcx)('exchanges a program in its place', () => {
    const [a, b, c] = [tcx(), tcx(), tcx()] as const;
    const link = a.program.attach(near);
    b.program.attach(near);
    link.update(c.program);
    expect(a.program.query(near).programs.map(({ id }) => id)).toEqual([c.id, b.id]);
    expect(runsWithin(c.counter, receive)).toBe(true);
  });

  it.runIf(kernelHas.tcx)('knows no place next to a program that is not there', () => {
    const [a, b] = [tcx(), tcx()] as const;
    expectRefusal(
      () => a.program.attach(near, { before: b.program }),
      'the program to go next to is not there (ENOENT)',
    );
    expectRefusal(() => a.program.attach(near, { before: 'all', after: 'all' }), 'not both');
  });

  it.runIf(!kernelHas.tcx)('is refused by kernels that are too old, which says since when it is', () => {
    const [late, plain] = [tcx(), tc()];
    expectRefusal(
      () => late.program.attach(near),
      /this kernel has no tcx; it came with Linux 6\.6 .* and this is 6\.\d+\.\S+ \(EINVAL\)/,
    );
    expectRefusal(() => plain.program.attach(near, { direction: 'ingress', via: 'tcx' }), 'no tcx');
  });

  it.runIf(kernelHas.tcx)('detaches in peace when its device is gone', () => {
    ip('link', 'add', `${near}y`, 'type', 'veth');
    const link = tcx().program.attach(`${near}y`);
    ip('link', 'del', `${near}y`);
    link.detach();
    expect(link.attached).toBe(false);
  });
});
