import { fileURLToPath } from 'node:url';
import { openObject } from '@bpfskel/runtime';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Codec } from '../../runtime/src/codec/codec.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import type { MapShape } from '../../runtime/src/map/map.js';
import { RingBuffer, ringbuf } from '../../runtime/src/map/ringbuf.js';
import { UserRing } from '../../runtime/src/map/user-ring.js';
import { UserRingBuffer, userRingbuf } from '../../runtime/src/map/user-ringbuf.js';
import { kernelVersion } from '../../runtime/src/uapi.js';
import { openFds } from './link-contract.js';

const kernel = linuxKernel();
const object = fileURLToPath(new URL('../testdata/user_ringbuf.o', import.meta.url));

interface Command {
  number: number;
  subtract: boolean;
  operand: bigint;
}
const Command: Codec<Command> = {
  size: 32,
  read: (v, o) => ({
    number: v.getUint32(o, true),
    subtract: v.getUint32(o + 4, true) === 1,
    operand: v.getBigInt64(o + 8, true),
  }),
  write(v, o, x) {
    v.setUint32(o, x.number, true);
    v.setUint32(o + 4, Number(x.subtract), true);
    v.setBigInt64(o + 8, x.operand, true);
  },
};
interface Result {
  number: number;
  sum: bigint;
  why: string;
}
const Result: Codec<Result> = {
  size: 32,
  read: (v, o) => ({
    number: v.getUint32(o, true),
    sum: v.getBigInt64(o + 8, true),
    why: Buffer.from(v.buffer, v.byteOffset + o + 16, 12)
      .toString('latin1')
      .replace(/\0+$/, ''),
  }),
  write: () => undefined,
};

const ending: (() => void)[] = [];
afterEach(() => {
  for (const end of ending.splice(0)) end();
});

function open() {
  const shapes = new Map<string, MapShape>([
    ['commands', userRingbuf(Command)],
    ['results', ringbuf(Result)],
  ]);
  const live = openObject(object).load({ shapes });
  ending.push(() => live.destroy());
  const commands = live.maps.get('commands');
  const results = live.maps.get('results');
  const fd = live.progs.get('drain')?.fd;
  const bss = live.data.get('.bss');
  if (!(commands instanceof UserRingBuffer && results instanceof RingBuffer) || !fd || !bss) {
    throw new Error('the object is not what it was');
  }
  const drain = (flags = 0n) => {
    bss.view().setBigUint64(0, flags, true);
    kernel.progTestRun(fd, {});
    return Number(bss.view().getBigInt64(8, true));
  };
  return {
    live,
    commands: commands as UserRingBuffer<Command>,
    results: results as RingBuffer<Result>,
    drain,
  };
}

const add = (number: number, operand = 1n): Command => ({ number, subtract: false, operand });

describe.runIf(kernel.version >= kernelVersion(6, 1))('a user ring buffer of this kernel', () => {
  it('gives records to a program, which answers', () => {
    const { commands, results, drain } = open();
    expect(commands.send({ number: 1, subtract: false, operand: 40n })).toBe(true);
    commands.reserve()?.discard();
    commands.send({ number: 2, subtract: true, operand: -2n });
    expect(drain()).toBe(2);
    expect(results.consume()).toEqual([
      { number: 1, sum: 40n, why: '' },
      { number: 2, sum: 42n, why: '' },
    ]);
    expect(commands.stats()).toMatchObject({ records: 2, discarded: 1, pending: 0 });
  });

  it('holds records back until those before them are submitted', () => {
    const { commands, results, drain } = open();
    const first = commands.reserve();
    commands.send(add(2));
    expect(drain()).toBe(0);
    first?.view.setUint32(0, 1, true);
    first?.bytes.set(Buffer.from('by hand'), 16);
    first?.submit();
    expect(drain()).toBe(2);
    expect(results.consume()).toMatchObject([{ number: 1, why: 'by hand' }, { number: 2 }]);
  });

  it('writes across its end, again and again', () => {
    const { commands, results, drain } = open();
    for (let i = 0; i < 1000; i += 5) {
      const some = [i, i + 1, i + 2, i + 3, i + 4];
      for (const number of some) commands.send(add(number));
      expect(drain()).toBe(5);
      expect(results.consume().map(({ number }) => number)).toEqual(some);
    }
  });

  it('wakes who waits for room, each time a program drained it', async () => {
    const { commands, results, drain } = open();
    const room = Math.floor(4096 / 40);
    // The other ring holds all answers.
    const count = 10 * room;
    const program = setInterval(drain, 1);
    try {
      for (let i = 0; i < count; i++) await commands.sendWhenRoom(add(i));
    } finally {
      clearInterval(program);
    }
    drain();
    expect(results.consume().map(({ number }) => number)).toEqual(Array.from({ length: count }, (_, i) => i));
  });

  it('does not spin while there is too little room', async () => {
    const { commands, drain } = open();
    while (commands.send(add(0)));
    drain();
    // Some room, so that the kernel says "writable", but not as much as is wanted.
    commands.send(add(0));
    const looks = vi.spyOn(UserRing.prototype, 'reserve');
    const waiting = commands.reserveWhenRoom(4080);
    await new Promise((resolve) => setTimeout(resolve, 200));
    // On arrival, when the wait begins, and perhaps for the drain before.
    expect(looks.mock.calls.length).toBeLessThan(5);
    looks.mockRestore();
    drain();
    expect((await waiting).bytes).toHaveLength(4080);
  });

  it('tells nobody with BPF_RB_NO_WAKEUP, which pollInterval is for', async () => {
    const { commands, drain } = open();
    while (commands.send(add(0)));
    const waiting = commands.reserveWhenRoom(4000, { pollInterval: 5 });
    drain(1n);
    expect((await waiting).bytes).toHaveLength(4000);
  });

  it('leaves no descriptor behind', async () => {
    const { commands } = open();
    while (commands.send(add(0)));
    const before = openFds();
    const abort = new AbortController();
    const waiting = commands.reserveWhenRoom(100, { signal: abort.signal });
    abort.abort();
    await expect(waiting).rejects.toThrow();
    expect(openFds()).toBe(before);
  });
});
