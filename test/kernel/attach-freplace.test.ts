import { type Link, openLink, openObject } from '@bpfskel/runtime';
import { describe, expect, it } from 'vitest';
import type { FreplaceProgram } from '../../runtime/src/program/freplace.js';
import { kernelHas } from './facts.js';
import { linkContract } from './link-contract.js';

const object = (name: string) => new URL(`../testdata/${name}.o`, import.meta.url).pathname;
const XDP_DROP = 1;
const XDP_PASS = 2;
const packet = new Uint8Array(64);

/** The program that has a function to replace. */
function target() {
  const live = openObject(object('freplace_target')).load();
  const decide = live.progs.get('decide');
  if (decide === undefined) throw new Error('freplace_target.o has no program "decide"');
  return { live, decide, verdict: () => decide.testRun({ data: packet }).returnValue };
}

function replacement() {
  const open = openObject(object('freplace'));
  const refuse = open.progs.get('refuse');
  if (refuse === undefined) throw new Error('freplace.o has no program "refuse"');
  return { open, refuse };
}

/** Sees whether the function is replaced: the other program then drops its packet. */
let see: () => void = () => undefined;

function loadReplacement() {
  let runs = 0;
  const { live, decide, verdict } = target();
  const { open, refuse } = replacement();
  refuse.attachTarget = { program: decide };
  const patch = open.load();
  const program = patch.progs.get('refuse') as unknown as FreplaceProgram;
  see = () => {
    if (verdict() === XDP_DROP) runs++;
  };
  return {
    attach: (): Link => program.attach(),
    runs: () => runs,
    close: () => {
      see = () => undefined;
      patch.destroy();
      live.destroy();
    },
  };
}

linkContract({
  name: 'a program that replaces a function of another',
  when: kernelHas.fentry,
  load: loadReplacement,
  attach: (counter) => counter.attach(),
  trigger: () => see(),
  twice: /attached there already, or the function is taken .*\(EBUSY\)/,
});

describe('a program that replaces a function of another', () => {
  it.runIf(kernelHas.fentry)('does so until it is detached', () => {
    const { live, decide, verdict } = target();
    using _target = live;
    expect(verdict()).toBe(XDP_PASS);
    const { open, refuse } = replacement();
    refuse.attachTarget = { program: decide };
    using patch = open.load();
    patch.attach();
    expect(verdict()).toBe(XDP_DROP);
    patch.detach();
    expect(verdict()).toBe(XDP_PASS);
  });

  it.runIf(kernelHas.fentry)('goes on by its pin, and tells the program whose function it replaces', () => {
    const pin = `/sys/fs/bpf/bpfskel-freplace-${process.pid}`;
    const { live, decide, verdict } = target();
    using _target = live;
    const { open, refuse } = replacement();
    refuse.attachTarget = { program: decide };
    {
      using patch = open.load();
      patch.attach();
      patch.links.get('refuse')?.pin(pin);
    }
    expect(verdict()).toBe(XDP_DROP);
    {
      using link = openLink(pin, 'tracing');
      expect(link.info()).toMatchObject({ progName: 'refuse', targetObjId: decide.info().id });
      expect(() => link.detach()).toThrow('the kernel detaches no link of type tracing while it is held');
      link.unpin();
    }
    expect(verdict()).toBe(XDP_PASS);
  });

  it('is verified against that function: another name is refused before the kernel is asked', () => {
    const { live, decide } = target();
    using _target = live;
    const { open, refuse } = replacement();
    refuse.attachTarget = { program: decide, function: 'verdicts' };
    expect(() => open.load()).toThrow('load program "refuse": program "decide" has no function "verdicts"');
  });

  it('needs to be told of the program', () => {
    const { open } = replacement();
    expect(() => open.load()).toThrow(
      'load program "refuse": SEC("freplace/verdict") replaces a function of another program; set its attachTarget between open() and load()',
    );
  });
});
