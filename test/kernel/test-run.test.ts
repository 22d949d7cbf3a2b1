import { fileURLToPath } from 'node:url';
import { type LiveObject, NotSupportedError, openObject } from '@bpfskel/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  CgroupSkbProgram,
  Program,
  RawTracepointProgram,
  SocketFilterProgram,
  XdpProgram,
} from '../../runtime/src/index.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { SocketFilterProgram as SocketFilter } from '../../runtime/src/program/index.js';
import { contexts } from '../golden/contexts/expected.skel.ts';
import { loadCounter } from './counter.js';
import { openFds } from './link-contract.js';

const path = fileURLToPath(new URL('../testdata/runs.o', import.meta.url));
const nowhere = 0x7fff_fff0;

let live: LiveObject;
let before: number;
beforeAll(() => {
  // The first use opens what the process keeps.
  openObject(path).load().destroy();
  before = openFds();
  live = openObject(path).load();
});
afterAll(() => {
  live.destroy();
  expect(openFds()).toBe(before);
});
/** Objects that were opened without a skeleton have programs of no particular kind, as far as types go. */
function program<P extends Program>(name: string): P {
  return live.progs.get(name) as unknown as P;
}
const packet = (first: number, length = 60) => {
  const bytes = new Uint8Array(length);
  bytes[0] = first;
  return bytes;
};

describe('an XDP program is run on a packet', () => {
  const edit = () => program<XdpProgram>('xdp_edit');

  it.each([
    [0, 'XDP_DROP'],
    [9, 'XDP_PASS'],
    [2, undefined],
  ])('and answers by name (%i: %s)', (first, action) => {
    const result = edit().run(packet(first));
    expect([result.action, result.packet, result.metadata.length]).toEqual([action, packet(first), 0]);
  });

  it('that it makes longer', () => {
    const { action, packet: after } = edit().run(packet(1));
    expect([action, after.length, after[4]]).toEqual(['XDP_TX', 64, 1]);
  });

  it('with metadata in front', () => {
    const result = edit().run(packet(9), { metadata: new Uint8Array([5, 0, 0, 0]) });
    expect([...result.metadata]).toEqual([6, 0, 0, 0]);
    expect(result.packet).toEqual(packet(9));
  });

  it('often, to see how long it takes', () => {
    const { duration, returnValue } = edit().run(packet(9), { repeat: 1000 });
    expect(returnValue).toBe(2);
    expect(duration).toBeLessThan(1_000_000);
  });

  it.each([
    ['without a whole header', packet(9, 13), {}, 'an Ethernet header of 14 bytes, and this one has 13'],
    [
      'with odd metadata',
      packet(9),
      { metadata: new Uint8Array(3) },
      'a multiple of 4 bytes up to 252, not 3',
    ],
    [
      'from a device that is not there',
      packet(9),
      { context: { ingress_ifindex: nowhere } },
      `no device ${nowhere}`,
    ],
    [
      'from a queue of no device',
      packet(9),
      { context: { rx_queue_index: 1 } },
      'give ingress_ifindex with it',
    ],
    ['with no room for what comes out', packet(1), { dataOutSize: 10 }, 'Give more in dataOutSize'],
  ])('and refused %s', (_, bytes, options, why) => {
    expect(() => edit().run(bytes, options)).toThrow(why);
  });
});

describe('live packets', () => {
  it('go through an XDP program and on to who listens on the device', () => {
    const listener = loadCounter('socket');
    const link = new SocketFilter(listener.handle).attach('lo');
    const runs = () => Number(live.data.get('.bss')?.view().getBigInt64(0, true));
    const earlier = runs();
    const inject = () =>
      program<XdpProgram>('xdp_count').inject(packet(1), {
        context: { ingress_ifindex: 1 },
        repeat: 500,
        batchSize: 100,
      });
    inject();
    expect(runs() - earlier).toBe(500);
    expect(listener.runs()).toBeGreaterThanOrEqual(500);
    link.detach();
    listener.close();
  });

  it('are refused as those that are not live', () => {
    const inject = (bytes: Uint8Array, ingress_ifindex: number) => () =>
      program<XdpProgram>('xdp_count').inject(bytes, { context: { ingress_ifindex } });
    expect(inject(packet(1, 3), 1)).toThrow('and this one has 3');
    expect(inject(packet(1), nowhere)).toThrow(`no device ${nowhere}`);
  });
});

describe('a program that sees socket buffers is run on a packet', () => {
  it('with the fields of the buffer that the kernel takes', () => {
    const filter = program<SocketFilterProgram>('socket_mark');
    const {
      returnValue,
      context,
      packet: after,
    } = filter.run(packet(1), {
      context: { mark: 40, priority: 3, cb: [0, 4, 0, 0, 9], tstamp: 12n },
    });
    expect(returnValue).toBe(40);
    expect(context).toMatchObject({ mark: 40, priority: 3, cb: [7, 4, 0, 0, 9], tstamp: 12n, ifindex: 1 });
    // A socket filter sees what follows the Ethernet header.
    expect(after.length).toBe(60);
  });

  it('and may answer with a negative number', () => {
    expect(program<SocketFilterProgram>('socket_mark').run(packet(1)).returnValue).toBe(-1);
  });

  it('of a cgroup', () => {
    const run = (mark: number) =>
      program<CgroupSkbProgram>('cgroup_mark').run(packet(1), { context: { mark } });
    expect([run(5).returnValue, run(6).returnValue]).toEqual([1, 0]);
  });

  it('and refused without a whole header', () => {
    expect(() => program<SocketFilterProgram>('socket_mark').run(packet(1, 5))).toThrow('and this one has 5');
  });
});

describe('a raw tracepoint program is run on arguments', () => {
  const sum = () => program<RawTracepointProgram>('raw_sum');

  it('of 64 bits', () => {
    expect(sum().run([40n, 2]).returnValue).toBe(42);
    expect(sum().run([-3, 1n]).returnValue).toBe(-2);
  });

  it('on a CPU of choice', () => {
    const cpus = linuxKernel().onlineCpus();
    const last = cpus.at(-1) ?? 0;
    sum().run([1, 2], { cpu: last });
    expect(live.data.get('.data')?.view().getInt32(0, true)).toBe(last);
  });

  it('and refused with too few of them, or on a CPU that is not there', () => {
    expect(() => sum().run([1])).toThrow('reads more arguments than the 1 given');
    expect(() => sum().run([1, 2], { cpu: 4095 })).toThrow('CPU 4095 does not run');
  });
});

describe('a syscall program is run', () => {
  it('on a typed context, which comes back as it left it', () => {
    using skel = contexts.openAndLoad();
    expect(skel.progs.add.run({ a: 40n, b: 2, result: 0n })).toEqual({
      returnValue: 0,
      context: { a: 40n, b: 2, result: 42n },
    });
    expect(skel.progs.add.run({ a: 0n, b: -1, result: 0n }).returnValue).toBe(-22);
    expect(skel.progs.add.run().context).toEqual({ a: 0n, b: 0, result: 0n });
  });

  it('on bytes where nothing types them', () => {
    using skel = contexts.openAndLoad();
    expect(skel.progs.untyped.run()).toEqual({ returnValue: 7, context: new Uint8Array(0) });
    expect(skel.progs.untyped.run(new Uint8Array(4)).context).toEqual(new Uint8Array(4));
    expect(() => skel.progs.untyped.run(new Uint8Array(70_000))).toThrow('at most, this one 70000');
  });
});

it('a kind that the kernel does not run on data is refused with those it does run', () => {
  const kprobe = live.progs.get('never');
  expect(() => kprobe?.testRun({ context: new Uint8Array(8) })).toThrow(NotSupportedError);
  expect(() => kprobe?.testRun()).toThrow(
    /run "never": the kernel runs no programs of SEC\("kprobe\/do_nanosleep"\) on given data .*XDP, SCHED_CLS/,
  );
});

describe('a raw tracepoint program that may write', () => {
  it('changes what the tracepoint gives, for as long as it is attached', () => {
    const object = openObject(path);
    for (const each of object.progs.values()) each.autoload = ['fail_runs', 'xdp_count'].includes(each.name);
    using other = object.load();
    const named = <P extends Program>(name: string) => other.progs.get(name) as unknown as P;
    const data = other.data.get('.bss')?.view();
    const run = () => named<XdpProgram>('xdp_count').run(packet(9)).action;
    // target_pid, behind `runs`.
    data?.setInt32(8, process.pid, true);
    const link = named<RawTracepointProgram>('fail_runs').attach();
    expect(run).toThrow('run "xdp_count": bpf(BPF_PROG_TEST_RUN): bad message (EBADMSG)');
    link.detach();
    expect(run()).toBe('XDP_PASS');
  });
});
