import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync, readlinkSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { FlowDissectorProgram, SkLookupProgram } from '../../runtime/src/program/index.js';
import { Agent } from './agent.js';
import { type Counter, loadCounter } from './counter.js';
import './facts.js';
import { expectRefusal, linkContract, runsWithin } from './link-contract.js';

const runtime = new URL('../../runtime/dist/', import.meta.url).href;
const ip = (...args: string[]) => execFileSync('ip', args, { stdio: 'pipe' });
const names = ['a', 'b'].map((end) => `bpfskel-${process.pid}-${end}`);
const [path = '', otherPath = ''] = names.map((name) => `/run/netns/${name}`);
const SK_PASS = 1;
const BPF_OK = 0;

let agent: Agent;
let local: Agent;

/** A namespace where packets are given to CPUs by flow, which asks the dissector. */
beforeAll(() => {
  const [name = ''] = names;
  for (const each of names) {
    ip('netns', 'add', each);
    ip('-n', each, 'link', 'set', 'lo', 'up');
  }
  agent = new Agent(undefined, ['ip', 'netns', 'exec', name]);
  agent.do('fill("/sys/class/net/lo/queues/rx-0/rps_cpus", "3")');
  local = new Agent();
});
afterAll(() => {
  agent.close();
  local.close();
  for (const name of names) ip('netns', 'del', name);
});

/** Whether this process is in the first namespace, as far as it may know. */
function isFirst(): boolean {
  try {
    return readlinkSync('/proc/self/ns/net') === readlinkSync('/proc/1/ns/net');
  } catch {
    return false;
  }
}

const send = 'send(udp4(), "x", 0, in4(9))';

linkContract({
  name: 'SEC("sk_lookup") in a namespace given by path',
  load: () => loadCounter('sk_lookup', SK_PASS),
  attach: ({ handle }) => new SkLookupProgram(handle).attach(path),
  trigger: () => void agent.do(send),
  twice: 'runs',
});

linkContract({
  name: 'SEC("sk_lookup") in the namespace of this process',
  load: () => loadCounter('sk_lookup', SK_PASS),
  attach: ({ handle }) => new SkLookupProgram(handle).attach(),
  trigger: () => void local.do(send),
  twice: 'runs',
});

linkContract({
  name: 'SEC("flow_dissector")',
  load: () => loadCounter('flow_dissector', BPF_OK),
  attach: ({ handle }) => new FlowDissectorProgram(handle).attach(path),
  trigger: () => void agent.do(send),
  twice: /the namespace already has program "counter" id \d+, which is as many as it can have/,
});

describe('a network namespace', () => {
  const counters: Counter[] = [];
  const load = (section: string, answer: number) => {
    const counter = loadCounter(section, answer);
    counters.push(counter);
    return counter;
  };
  const lookup = () => new SkLookupProgram(load('sk_lookup', SK_PASS).handle);
  const dissector = () => new FlowDissectorProgram(load('flow_dissector', BPF_OK).handle);
  afterEach(() => {
    for (const counter of counters.splice(0)) counter.close();
  });

  it('is given by descriptor, which stays open', () => {
    const counter = load('sk_lookup', SK_PASS);
    const fd = openSync(path, 'r');
    const link = new SkLookupProgram(counter.handle).attach(fd);
    closeSync(fd);
    expect(link.target).toBe(`sk_lookup in descriptor ${fd}`);
    expect(runsWithin(counter, () => agent.do(send))).toBe(true);
  });

  it('keeps its programs to itself', () => {
    const counter = load('sk_lookup', SK_PASS);
    new SkLookupProgram(counter.handle).attach(otherPath);
    agent.do(send);
    expect(counter.runs()).toBe(0);
  });

  const wrong: readonly (readonly [what: string, target: string | number, text: string])[] = [
    [
      'a file',
      '/tmp',
      '/tmp is not a network namespace (EINVAL). Those are /proc/PID/ns/net, and /run/netns/NAME',
    ],
    [
      'another namespace',
      '/proc/self/ns/mnt',
      '/proc/self/ns/mnt is not a network namespace, or this kernel has no',
    ],
    [
      'nothing',
      '/run/netns/none',
      'there is no /run/netns/none (ENOENT). Network namespaces are /proc/PID/ns/net',
    ],
    ['a descriptor that is closed', 9999, 'descriptor 9999 is not open (EBADF)'],
  ];
  it.each(wrong)('is not %s', (_what, target, text) => {
    const program = lookup();
    expectRefusal(() => program.attach(target), text);
  });

  it('tells its programs', () => {
    const [one, two] = [lookup(), lookup()];
    one.attach(path);
    two.attach(path);
    expect(one.query(path)).toEqual([one, two].map((each) => ({ id: each.info().id, name: 'counter' })));
    expect(dissector().query(path)).toEqual([]);
    expectRefusal(() => one.query('/tmp'), 'query the programs of /tmp: /tmp is not a network namespace');
  });

  it('exchanges the program of a link', () => {
    const [one, two] = [load('sk_lookup', SK_PASS), load('sk_lookup', SK_PASS)];
    const link = new SkLookupProgram(one.handle).attach(path);
    link.update(new SkLookupProgram(two.handle));
    expect(runsWithin(two, () => agent.do(send))).toBe(true);
    expect(one.runs()).toBe(0);
  });

  it('takes 64 programs that look sockets up', () => {
    const program = lookup();
    for (let i = 0; i < 64; i++) program.attach(path);
    expectRefusal(
      () => program.attach(path),
      /already has program ("counter" id \d+(, )?){4} and 60 more, which is as many as it can have \(E2BIG\)/,
    );
  });

  it.runIf(isFirst())('that is the first has a flow dissector for all, or none has', () => {
    const [one, two] = [dissector(), dissector()];
    const link = one.attach(path);
    expectRefusal(
      () => two.attach(),
      'another namespace has a flow dissector, and that of the first namespace is for all',
    );
    link.detach();
    two.attach();
    expectRefusal(
      () => one.attach(path),
      `the first namespace has flow dissector "counter" id ${two.info().id}, which is for all (EEXIST)`,
    );
  });

  it('has one flow dissector without links before Linux 5.8, that of its process', () => {
    const pins = ['one', 'two', 'three'].map((name) => `/sys/fs/bpf/bpfskel-${process.pid}-${name}`);
    const programs = pins.map(() => dissector());
    pins.forEach((pin, index) => {
      linuxKernel().pin(programs[index]?.fd ?? -1, pin);
    });
    // In a namespace of its own, so that no other has a dissector meanwhile.
    const child = `
      import { readdirSync } from 'node:fs';
      import { syscallError } from '${runtime}kernel/errno.js';
      import { linuxKernel } from '${runtime}kernel/linux.js';
      import { FlowDissectorProgram } from '${runtime}program/index.js';
      const linkCreate = () => { throw syscallError('bpf(BPF_LINK_CREATE)', 22); };
      const kernel = { ...linuxKernel(), linkCreate };
      const [one, two, three] = ${JSON.stringify(pins)}.map((pin) => {
        const fd = kernel.pinned(pin);
        return new FlowDissectorProgram({
          kernel, name: 'counter', section: 'flow_dissector', target: '', expectedAttachType: 17, fd: () => fd,
          own: (link) => link,
        });
      });
      const open = () => readdirSync('/proc/self/fd').length;
      const say = (act) => { try { act(); console.log('done'); } catch (error) { console.log(error.message); } };
      console.log('begin');
      const before = open();
      const link = one.attach();
      say(() => two.attach());
      link.update(three);
      say(() => two.attach());
      link.detach();
      say(() => two.attach().detach());
      say(() => two.attach('${path}'));
      console.log(open() - before);
    `;
    const { stdout, stderr } = spawnSync(
      'unshare',
      ['--net', process.execPath, '--input-type=module', '-e', child],
      { encoding: 'utf8' },
    );
    for (const pin of pins) linuxKernel().unpin(pin);
    expect(stderr).toBe('');
    const [one, , three] = programs.map((program) => program.info().id);
    expect(stdout.trim().split('\n')).toEqual([
      'begin',
      expect.stringContaining(`already has program "counter" id ${one}, which is as many as it can have`),
      expect.stringContaining(`already has program "counter" id ${three}, which is as many as it can have`),
      'done',
      expect.stringContaining('or this kernel has no links for it (they came with Linux 5.8)'),
      '0',
    ]);
  });
});
