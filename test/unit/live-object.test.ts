import { BpfError } from '@bpfskel/runtime';
import { describe, expect, it } from 'vitest';
import { Link } from '../../runtime/src/link/link.js';
import { LiveObject, Ownership } from '../../runtime/src/loader/live-object.js';
import { fakeKernel } from '../../runtime/src/testing/index.js';

/** An object of struct_ops attachments, which are the simplest there are; `log` tells what happens to them. */
function liveWith(parts: readonly { readonly name: string; readonly fails?: 'attach' | 'detach' }[]) {
  const kernel = fakeKernel();
  const log: string[] = [];
  const ownership = new Ownership(kernel, 'object');
  const link = (name: string, fails: boolean) =>
    new Link({
      kernel,
      program: name,
      target: 'somewhere',
      release: () => {
        log.push(`detach ${name}`);
        if (fails) throw new BpfError('EIO', `detach ${name}: broken`);
      },
    });
  const structOps = parts.map(({ name, fails }) => ({
    name,
    attach: () => {
      log.push(`attach ${name}`);
      if (fails === 'attach') throw new BpfError('EPERM', `attach ${name}: refused`);
      return ownership.link(link(name, fails === 'detach'));
    },
  }));
  const none = { maps: new Map(), data: new Map(), programs: [], declared: [], verifierLogs: new Map() };
  const live = new LiveObject('object', ownership, { ...none, structOps });
  return { live, log, ownership, kernel };
}

const take = (log: string[]) => log.splice(0);

describe('attach()', () => {
  it('attaches everything once', () => {
    const { live, log } = liveWith([{ name: 'a' }, { name: 'b' }]);
    live.attach();
    live.attach();
    expect(log).toEqual(['attach a', 'attach b']);
    expect([...live.links.keys()]).toEqual(['a', 'b']);
  });

  it('attaches again what was detached by hand', () => {
    const { live, log } = liveWith([{ name: 'a' }, { name: 'b' }]);
    live.attach();
    live.links.get('a')?.detach();
    expect([...live.links.keys()]).toEqual(['b']);
    take(log);
    live.attach();
    expect(log).toEqual(['attach a']);
  });

  it('detaches in reverse what it attached when one fails, and nothing else', () => {
    const parts = [{ name: 'a' }, { name: 'b' }, { name: 'c' }, { name: 'd', fails: 'attach' as const }];
    const { live, log } = liveWith(parts);
    expect(() => live.attach()).toThrow('attach d: refused');
    expect(take(log)).toEqual([
      'attach a',
      'attach b',
      'attach c',
      'attach d',
      'detach c',
      'detach b',
      'detach a',
    ]);
    expect(live.links.size).toBe(0);
    expect(() => live.attach()).toThrow('attach d: refused');
  });

  it('throws the refusal even when detaching fails as well', () => {
    const { live, log } = liveWith([
      { name: 'a' },
      { name: 'b', fails: 'detach' },
      { name: 'c', fails: 'attach' },
    ]);
    expect(() => live.attach()).toThrow('attach c: refused');
    expect(log).toContain('detach a');
  });
});

describe('detach()', () => {
  it('goes in reverse, and on past failures, and tells of the first', () => {
    const { live, log } = liveWith([{ name: 'a' }, { name: 'b', fails: 'detach' }, { name: 'c' }]);
    live.attach();
    take(log);
    expect(() => live.detach()).toThrow('detach b: broken');
    expect(log).toEqual(['detach c', 'detach b', 'detach a']);
  });

  it('of nothing is nothing', () => {
    const { live, log } = liveWith([{ name: 'a' }]);
    live.detach();
    expect(log).toEqual([]);
  });

  it('runs listeners after the links, every time', () => {
    const { live, log, ownership } = liveWith([{ name: 'a' }]);
    ownership.onDetach(() => log.push('listener'));
    live.attach();
    live.detach();
    live.detach();
    expect(log).toEqual(['attach a', 'detach a', 'listener', 'listener']);
  });
});

describe('destroy()', () => {
  it('detaches, ends what hangs on the object, then closes descriptors, newest first', () => {
    const { live, log, ownership, kernel } = liveWith([{ name: 'a' }]);
    const fds = ['first', 'second'].map((name) =>
      ownership.fd(kernel.mapCreate({ type: 1, keySize: 4, valueSize: 4, maxEntries: 1, name })),
    );
    ownership.onClose(() => log.push(`closer with ${kernel.openFds.length} open`));
    ownership.onClose(() => log.push('later closer'));
    live.attach();
    live.destroy();
    expect(log).toEqual(['attach a', 'detach a', 'later closer', 'closer with 2 open']);
    expect(fds).toHaveLength(2);
    expect(kernel.openFds).toEqual([]);
  });

  it('closes everything although something fails, and does nothing the second time', () => {
    const { live, ownership, kernel, log } = liveWith([{ name: 'a', fails: 'detach' }]);
    ownership.fd(kernel.mapCreate({ type: 1, keySize: 4, valueSize: 4, maxEntries: 1 }));
    live.attach();
    expect(() => live.destroy()).toThrow('detach a: broken');
    expect(kernel.openFds).toEqual([]);
    take(log);
    live.destroy();
    expect(log).toEqual([]);
  });

  it('is what `using` does', () => {
    const { live, log } = liveWith([{ name: 'a' }]);
    {
      using object = live;
      object.attach();
    }
    expect(log).toEqual(['attach a', 'detach a']);
    expect(() => live.attach()).toThrow('attach: object is destroyed');
  });
});

describe('an object that is given up while it loads', () => {
  it('undoes what outlives descriptors, newest first, then is destroyed', () => {
    const { ownership, log } = liveWith([]);
    ownership.onAbandon(() => log.push('undo first'));
    ownership.onAbandon(() => log.push('undo second'));
    ownership.onClose(() => log.push('close'));
    ownership.abandon();
    ownership.abandon();
    expect(log).toEqual(['undo second', 'undo first', 'close']);
  });

  it('undoes nothing once it lives', () => {
    const { ownership, log } = liveWith([]);
    ownership.onAbandon(() => log.push('undo'));
    ownership.destroy();
    expect(log).toEqual([]);
  });
});
