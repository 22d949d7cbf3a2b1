import { spawnSync } from 'node:child_process';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { NetkitProgram } from '../../runtime/src/program/index.js';
import { ip, Sender } from './cable.js';
import { type Counter, loadCounter } from './counter.js';
import './facts.js';
import { expectRefusal, linkContract, runsWithin } from './link-contract.js';

/** NETKIT_NEXT, NETKIT_DROP. */
const NEXT = -1;
const DROP = 2;
const primary = `bsk${process.pid}`;
const space = `bpfskel-nk${process.pid}`;
let peer = '';
let here: Sender | undefined;
let there: Sender | undefined;

/** Made here: whether the kernel has such devices is known when it made one. Not every ip tool can name the peer. */
const hasNetkit = spawnSync('ip', ['link', 'add', primary, 'type', 'netkit']).status === 0;

/** A pair of devices whose peer is in a network namespace of its own, as in a container. */
beforeAll(() => {
  if (!hasNetkit) return;
  ip('netns', 'add', space);
  peer = /^\d+: [^@:]+@([^:]+):/m.exec(ip('link', 'show', primary))?.[1] ?? '';
  ip('link', 'set', peer, 'netns', space);
  ip('addr', 'add', '10.212.77.1/30', 'dev', primary);
  ip('link', 'set', primary, 'up');
  ip('-n', space, 'addr', 'add', '10.212.77.2/30', 'dev', peer);
  ip('-n', space, 'link', 'set', peer, 'up');
  here = new Sender([]);
  there = new Sender(['ip', 'netns', 'exec', space]);
});
afterAll(() => {
  if (!hasNetkit) return;
  here?.close();
  there?.close();
  ip('link', 'del', primary);
  ip('netns', 'del', space);
});
const sendFromPrimary = () => here?.send('10.212.77.2');
const sendFromPeer = () => there?.send('10.212.77.1');

for (const [section, trigger] of [
  ['netkit/primary', sendFromPrimary],
  ['netkit/peer', sendFromPeer],
] as const) {
  linkContract({
    name: `a ${section} program`,
    when: hasNetkit,
    load: () => loadCounter(section, NEXT),
    attach: ({ handle }) => new NetkitProgram(handle).attach(primary),
    trigger,
    twice: /the program is attached there already/,
  });
}

describe('a netkit program', () => {
  const counters: Counter[] = [];
  const load = (section: string, answer = NEXT) => {
    const counter = loadCounter(section, answer);
    counters.push(counter);
    return { counter, program: new NetkitProgram(counter.handle) };
  };
  afterEach(() => {
    for (const counter of counters.splice(0)) counter.close();
  });

  it.runIf(hasNetkit)('runs in the order that was asked for, and is told by a query', () => {
    const [last, first] = [load('netkit/peer'), load('netkit/peer', DROP)] as const;
    const link = last.program.attach(primary);
    first.program.attach(primary, { before: link });
    const ids = last.program.query(primary).programs.map(({ id }) => id);
    expect(ids).toEqual([first.program.info().id, last.program.info().id]);
    expect(link.target).toBe(`netkit peer ${primary}`);
    expect(runsWithin(first.counter, sendFromPeer)).toBe(true);
    expect(last.counter.runs()).toBe(0);
    expect(load('netkit/primary').program.query(primary).programs).toEqual([]);
  });

  it.runIf(hasNetkit)('is exchanged in place', () => {
    const [one, two] = [load('netkit/primary'), load('netkit/primary')] as const;
    const link = one.program.attach(primary);
    link.update(two.program);
    expect(runsWithin(two.counter, sendFromPrimary)).toBe(true);
    link.detach();
    expect(() => link.update(one.program)).toThrow('it is detached');
  });

  it.runIf(hasNetkit)('is refused other devices, and the peer itself', () => {
    const { program } = load('netkit/peer');
    expectRefusal(() => program.attach('lo'), 'lo is not a netkit device (ENXIO)');
    ip('link', 'add', `${primary}x`, 'type', 'netkit');
    const end = /^\d+: [^@:]+@([^:]+):/m.exec(ip('link', 'show', `${primary}x`))?.[1] ?? '';
    try {
      expectRefusal(
        () => program.attach(end),
        `${end} is the peer of a netkit pair, and its programs are attached through the primary device (EACCES)`,
      );
    } finally {
      ip('link', 'del', `${primary}x`);
    }
  });

  it.runIf(!hasNetkit)('is refused by kernels without such devices', () => {
    const { program } = load('netkit/primary');
    expectRefusal(
      () => program.attach('lo'),
      /this kernel has no netkit devices; they came with Linux 6\.7 \(CONFIG_NETKIT\) and this is .* \(EINVAL\)/,
    );
  });
});
