import { spawn } from 'node:child_process';
import { openObject, snapshot } from '@bpfskel/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LiveGlobals, live_globals, Mode } from '../golden/live_globals/expected.skel.ts';
import { openFds } from './link-contract.js';

const packet = new Uint8Array(60);

describe('variables of a program that runs', () => {
  let skel: LiveGlobals;
  beforeEach(() => {
    const open = live_globals.open();
    open.rodata.config.server.hits = 7n;
    open.rodata.config.mode = Mode.MODE_DROP;
    open.data_samples.samples_count = 1;
    open.bss.stats.word = 500;
    skel = open.load();
  });
  afterEach(() => skel.destroy());

  it('are what it reads', () => {
    skel.bss.counts[3] = 1000n;
    skel.data.weights[1] = 20;
    skel.bss.table[1] = [1, 2, 3];
    skel.progs.work.run(packet);
    expect([skel.bss.stats.hits, [...(skel.bss.table[1] ?? [])]]).toEqual([1020n, [1, 2, 4]]);
  });

  it('show what it writes', () => {
    const { stats } = skel.bss;
    const { best } = stats;
    for (let run = 0; run < 3; run++) skel.progs.work.run(packet);
    expect([stats.hits, stats.level, stats.urgent, stats.delay]).toEqual([6n, -3, 0, 77]);
    expect(snapshot(best)).toEqual({ port: 8080, name: 'e', hits: 7n });
    expect(stats.top[1]?.hits).toBe(500n);
    expect([skel.bss.packed.count, skel.bss.balance, skel.bss.mode]).toEqual([3n, -15n, Mode.MODE_DROP]);
    expect(snapshot(skel.data.words)).toEqual({ count: 2, items: [7, 12] });
    expect([skel.bss.enabled, skel.bss.pointer > 0n]).toEqual([true, true]);
  });
});

describe('a 64-bit variable that a program counts in on another CPU', () => {
  it('is never read half old and half new', () => {
    using open = live_globals.open();
    open.progs.bump.autoload = true;
    using skel = open.load();
    using _link = skel.progs.bump.attach();
    const busy = spawn('dd', ['if=/dev/zero', 'of=/dev/null', 'bs=1'], { stdio: 'ignore' });
    try {
      const seen = new Set<bigint>();
      for (const end = Date.now() + 400; Date.now() < end; ) {
        const value = skel.bss.halves;
        if (value >> 32n !== (value & 0xffff_ffffn)) throw new Error(`torn: ${value.toString(16)}`);
        seen.add(value);
      }
      expect(seen.size).toBeGreaterThan(10);
    } finally {
      busy.kill();
    }
  });
});

describe('the last array of a section', () => {
  it('is as long in the kernel as it was made', () => {
    using open = live_globals.open();
    open.progs.far.autoload = true;
    open.data_samples.samples.length = 8;
    open.bss_slots.slots.length = 3;
    open.rodata_allowed.allowed.length = 4;
    open.rodata_allowed.allowed[3] = 5;
    open.data_samples.samples_count = 8;
    using skel = open.load();
    skel.progs.far.run(packet);
    expect([...skel.data_samples.samples]).toEqual([0n, 0n, 0n, 0n, 0n, 0n, 0n, 13n]);
    expect(skel.bss_slots.slots[2]?.hits).toBe(13n);
  });

  it('spans pages', () => {
    using open = live_globals.open();
    open.data_samples.samples.length = 1000;
    using skel = open.load();
    skel.data_samples.samples[999] = 1n;
    expect([skel.data_samples.samples.length, skel.data_samples.samples.at(-1)]).toEqual([1000, 1n]);
  });

  it.each([
    ['keeps its type there', 8 + 8 * 8, true],
    ['has none when its last element is not whole', 8 + 8 * 8 + 1, false],
  ])('%s', (_what, size, typed) => {
    const object = openObject(live_globals.elfBytes(), { name: 'sized' });
    const map = object.maps.get('.data.samples');
    if (map !== undefined) map.valueSize = size;
    using live = object.load();
    const info = live.maps.get('.data.samples')?.info();
    // The kernel keeps BTF for a map only when it describes a value of this very size.
    expect([info?.valueSize, (info?.btfId ?? 0) > 0]).toEqual([size, typed]);
  });

  it('is needed by a program that looks behind the compiled one', () => {
    using open = live_globals.open();
    open.progs.far.autoload = true;
    expect(() => open.load()).toThrow(/^load program "far": verifier: /);
  });
});

describe('a view that outlives its object', () => {
  it('throws, and the process lives', () => {
    // The first use opens what the process keeps.
    live_globals.openAndLoad().destroy();
    const before = openFds();
    const skel = live_globals.openAndLoad();
    const { stats, counts } = skel.bss;
    const { best } = stats;
    skel.destroy();
    for (const use of [() => stats.hits, () => best.name, () => counts[2]]) {
      expect(use).toThrow(/its object is destroyed$/);
    }
    expect(() => {
      best.port = 1;
    }).toThrow(/its object is destroyed$/);
    expect(openFds()).toBe(before);
  });
});
