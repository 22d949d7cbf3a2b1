import { execFileSync } from 'node:child_process';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { syscallError } from '../../runtime/src/kernel/errno.js';
import type { Kernel } from '../../runtime/src/kernel/kernel.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { XdpProgram } from '../../runtime/src/program/index.js';
import { type Counter, loadCounter } from './counter.js';
import './facts.js';
import { expectRefusal, linkContract, runsWithin } from './link-contract.js';

const XDP_PASS = 2;
const ip = (...args: string[]) => execFileSync('ip', args, { stdio: 'pipe' });

const space = `bpfskel-${process.pid}`;
// Device names have at most 15 characters.
const near = `bs${process.pid}a`;
const far = `bs${process.pid}b`;

/** A cable: `near` here, `far` in a network namespace of its own. */
beforeAll(() => {
  ip('netns', 'add', space);
  ip('link', 'add', near, 'type', 'veth', 'peer', 'name', far, 'netns', space);
  ip('addr', 'add', '10.213.77.1/30', 'dev', near);
  ip('link', 'set', near, 'up');
  ip('-n', space, 'addr', 'add', '10.213.77.2/30', 'dev', far);
  ip('-n', space, 'link', 'set', far, 'up');
});
afterAll(() => {
  ip('link', 'del', near);
  ip('netns', 'del', space);
});

/** One packet from `far` to `near`. */
const send = () => {
  execFileSync('ip', ['netns', 'exec', space, 'bash', '-c', 'echo x > /dev/udp/10.213.77.1/9'], {
    stdio: 'pipe',
  });
};
/** One packet on lo. */
const sendLocal = () => {
  execFileSync('bash', ['-c', 'echo x > /dev/udp/127.0.0.1/9'], { stdio: 'pipe' });
};

/** A kernel before 5.9, without XDP links. */
const withoutLinks: Partial<Kernel> = {
  linkCreate: () => {
    throw syscallError('bpf(BPF_LINK_CREATE)', 22);
  },
};

for (const mode of ['native', 'generic', undefined] as const) {
  for (const [how, over] of [
    ['', {}],
    [' through rtnetlink', withoutLinks],
  ] as const) {
    linkContract({
      name: `an XDP program on veth (${mode ?? 'mode left to the kernel'})${how}`,
      pins: how === '',
      load: () => loadCounter('xdp', XDP_PASS, over),
      attach: ({ handle }) => new XdpProgram(handle).attach(near, mode === undefined ? {} : { mode }),
      trigger: send,
      twice: /already runs XDP program/,
    });
  }
}

linkContract({
  name: 'an XDP program on lo',
  load: () => loadCounter('xdp', XDP_PASS),
  attach: ({ handle }) => new XdpProgram(handle).attach('lo', { mode: 'generic' }),
  trigger: sendLocal,
  twice: /lo already runs XDP program/,
});

describe('XDP', () => {
  const counters: Counter[] = [];
  const load = (over: Partial<Kernel> = {}) => {
    const counter = loadCounter('xdp', XDP_PASS, over);
    counters.push(counter);
    return { counter, program: new XdpProgram(counter.handle) };
  };
  afterEach(() => {
    for (const counter of counters.splice(0)) counter.close();
  });
  const query = () => linuxKernel().xdpQuery(linuxKernel().ifindex(near));

  it('lists the devices there are instead of an unknown one', () => {
    const { program } = load();
    expectRefusal(
      () => program.attach('etho'),
      /no network device called etho \(ENODEV\)\. .*This network namespace has .*lo/,
    );
    expectRefusal(() => program.attach(99999), 'there is no network device with index 99999');
  });

  it('runs in the mode that was asked for', () => {
    const { program } = load();
    for (const mode of ['native', 'generic'] as const) {
      using link = program.attach(near, { mode });
      expect(link.target).toBe(`xdp ${near} (${mode})`);
      expect(query().mode).toBe(mode);
    }
    expect(query().mode).toBe('none');
  });

  it('on lo has no native mode, and says which to use', () => {
    const { program } = load();
    expectRefusal(
      () => program.attach('lo', { mode: 'native' }),
      /driver does not run XDP programs natively \(EOPNOTSUPP\)\. Use \{ mode: 'generic' \}/,
    );
  });

  it.each([
    ['a bpf_link', {}, {}],
    ['rtnetlink', withoutLinks, withoutLinks],
    ['a bpf_link, for rtnetlink', {}, withoutLinks],
    ['rtnetlink, for a bpf_link', withoutLinks, {}],
  ] as const)('names the program in the way, set by %s', (_name, first, second) => {
    const { program } = load(first);
    const link = program.attach(near);
    const id = program.info().id;
    const late = load(second).program;
    expectRefusal(
      () => late.attach(near),
      new RegExp(`${near} already runs XDP program "counter" id ${id} \\(native\\) \\((EBUSY|EEXIST)\\)`),
    );
    link.detach();
    late.attach(near).detach();
  });

  it.each([
    ['native', near],
    ['generic', near],
    ['generic', 'lo'],
  ] as const)('tells the program that is on a device in %s mode (%s)', (mode, device) => {
    const { program } = load();
    expect(program.query(device)).toEqual([]);
    using link = program.attach(device, { mode });
    expect(load().program.query(device)).toEqual([{ mode, id: program.info().id, name: 'counter' }]);
    link.detach();
    expect(program.query(device)).toEqual([]);
    expectRefusal(() => program.query('etho'), 'there is no network device called etho');
  });

  it('replaces a program that rtnetlink set: any, or only the one given', () => {
    const { program: first } = load(withoutLinks);
    first.attach(near);
    const { program: second } = load();
    const { program: third } = load();
    expectRefusal(() => third.attach(near, { replace: second }), /already runs XDP program/);
    second.attach(near, { replace: first });
    expect(query().native).toBe(second.info().id);
    const last = third.attach(near, { replace: true });
    expect(query().native).toBe(third.info().id);
    last.detach();
    expect(query().mode).toBe('none');
  });

  it('does not replace what a bpf_link holds', () => {
    const { program: first } = load();
    first.attach(near);
    const { program: second } = load();
    expectRefusal(() => second.attach(near, { replace: true }), /already runs XDP program.*EBUSY/);
  });

  it('leaves a foreign program alone on detach', () => {
    const { program: first } = load(withoutLinks);
    const link = first.attach(near);
    const { program: second } = load();
    const other = second.attach(near, { replace: true });
    link.detach();
    expect(query().native).toBe(second.info().id);
    other.detach();
    expect(query().mode).toBe('none');
  });

  it.each([
    ['a bpf_link', {}],
    ['rtnetlink', withoutLinks],
  ] as const)('exchanges the program of %s', (_name, over) => {
    const first = load(over);
    const second = load();
    const link = first.program.attach(near);
    link.update(second.program);
    expect(query().native).toBe(second.program.info().id);
    const before = first.counter.runs();
    expect(runsWithin(second.counter, send)).toBe(true);
    expect(first.counter.runs()).toBe(before);
    link.detach();
    expect(query().mode).toBe('none');
  });

  it('detaches in peace when the device is gone', () => {
    const name = `${near.slice(0, -1)}c`;
    for (const over of [{}, withoutLinks]) {
      const { program } = load(over);
      ip('link', 'add', name, 'type', 'veth');
      const link = program.attach(name);
      ip('link', 'del', name);
      link.detach();
      expect(link.attached).toBe(false);
    }
  });
});
