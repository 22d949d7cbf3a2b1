import { describe, expect, it } from 'vitest';
import { tail_calls } from '../golden/tail_calls/expected.skel.ts';
import { openFds } from './link-contract.js';

const packet = (slot: number) => {
  const bytes = new Uint8Array(60);
  bytes[0] = slot;
  return bytes;
};

describe('a program array', () => {
  it('holds programs that others jump to, those of its declaration and those put in while it runs', () => {
    using skel = tail_calls.openAndLoad();
    const { entry, pass, drop } = skel.progs;
    const { jumps } = skel.maps;
    const through = (slot: number) => entry.run(packet(slot)).action;
    expect([through(0), through(1)]).toEqual(['XDP_PASS', 'XDP_ABORTED']);
    jumps.set(1, drop);
    expect([through(0), through(1)]).toEqual(['XDP_PASS', 'XDP_DROP']);
    jumps.set(0, drop).set(1, pass);
    expect([through(0), through(1)]).toEqual(['XDP_DROP', 'XDP_PASS']);
    expect([...jumps]).toEqual([
      [0, drop.info().id],
      [1, pass.info().id],
    ]);
    expect([jumps.delete(1), jumps.delete(1), through(1)]).toEqual([true, false, 'XDP_ABORTED']);
    expect([jumps.has(0), jumps.has(1)]).toEqual([true, false]);
    jumps.clear();
    expect([[...jumps], through(0)]).toEqual([[], 'XDP_ABORTED']);
  });

  it('takes no program of another kind, and says so', () => {
    using skel = tail_calls.openAndLoad();
    expect(() => skel.maps.jumps.set(1, skel.progs.of_another_kind)).toThrow(/jumps.*\(EINVAL\)/s);
    expect(skel.maps.jumps.get(1)).toBeUndefined();
  });

  it('takes programs of other objects', () => {
    const before = openFds();
    {
      using one = tail_calls.openAndLoad();
      {
        using other = tail_calls.openAndLoad();
        one.maps.jumps.set(2, other.progs.drop);
      }
      // The array holds the program although its object is gone.
      expect(one.progs.entry.run(packet(2)).action).toBe('XDP_DROP');
    }
    expect(openFds()).toBe(before);
  });
});
