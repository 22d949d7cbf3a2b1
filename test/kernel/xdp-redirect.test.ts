import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import type { LiveObject } from '../../runtime/src/loader/live-object.js';
import { CpuMap } from '../../runtime/src/map/cpumap.js';
import { DevMap } from '../../runtime/src/map/devmap.js';
import { openObject } from '../../runtime/src/open.js';
import { XdpMapProgram, XdpProgram } from '../../runtime/src/program/index.js';
import { cable, ip } from './cable.js';
import './facts.js';
import { expectRefusal } from './link-contract.js';

const object = new URL('../testdata/redirect.o', import.meta.url).pathname;
const { near, far, space, address, receive } = cable();
/** Another pair of devices, where packets are redirected to. */
const exit = `bsx${process.pid}`;
beforeAll(() => {
  ip('link', 'add', `${exit}a`, 'type', 'veth', 'peer', 'name', `${exit}b`);
  ip('link', 'set', `${exit}a`, 'up');
  ip('link', 'set', `${exit}b`, 'up');
});
afterAll(() => void ip('link', 'del', `${exit}a`));

let live: LiveObject;
beforeEach(() => {
  live = openObject(object).load();
});
afterEach(() => live.destroy());

type Class<T> = abstract new (...args: never[]) => T;
const find = <T>(from: ReadonlyMap<string, unknown>, name: string, type: Class<T>): T => {
  const found = from.get(name);
  if (!(found instanceof type)) throw new Error(`${name} is no ${type.name}`);
  return found;
};
const xdp = (name: string) => find(live.progs, name, XdpProgram);
/** What the programs saw: `seen` of redirect.bpf.c. */
const globals = () => {
  const view = live.data.get('.bss')?.view();
  if (view === undefined) throw new Error('the object has no .bss');
  const [arrived, onDevice, onCpu] = [0, 8, 16].map((offset) => view.getBigUint64(offset, true));
  return { arrived, onDevice, onCpu, largest: view.getUint32(24, true), egress: view.getUint32(28, true) };
};
/** Sends until `isDone`, for at most five seconds. */
const until = (isDone: () => boolean, trigger: () => void = receive) => {
  const end = Date.now() + 5000;
  while (!isDone() && Date.now() < end) trigger();
  expect([isDone(), globals()]).toEqual([true, expect.anything()]);
};

describe.each(['generic', 'native'] as const)('packets that XDP redirects in mode %s', (mode) => {
  it('to a device pass the program in the device map', () => {
    const program = find(live.progs, 'on_device', XdpMapProgram);
    const ports = find(live.maps, 'ports', DevMap);
    // A veth device takes frames when its peer runs a program.
    xdp('in_pieces').attach(`${exit}b`, { mode });
    ports.set(0, { device: `${exit}a`, program });
    expect(ports.get(0)).toMatchObject({ name: `${exit}a`, programId: program.info().id });
    xdp('to_device').attach(near, { mode });
    until(() => globals().onDevice !== 0n);
    expect(globals().egress).toBe(linuxKernel().ifindex(`${exit}a`));
    expect(globals().onCpu).toBe(0n);
  });

  it('to a CPU pass the program in the CPU map', () => {
    const program = find(live.progs, 'on_cpu', XdpMapProgram);
    find(live.maps, 'cpus', CpuMap).set(0, { qsize: 64, program });
    xdp('to_cpu').attach(near, { mode });
    until(() => globals().onCpu !== 0n);
    expect(globals().onDevice).toBe(0n);
  });
});

describe('packets in several buffers', () => {
  const sizes = (mtu: number) => {
    ip('link', 'set', near, 'mtu', `${mtu}`);
    ip('-n', space, 'link', 'set', far, 'mtu', `${mtu}`);
  };
  afterEach(() => sizes(1500));

  it('are for programs of SEC("xdp.frags") only', () => {
    sizes(9000);
    expectRefusal(
      () => xdp('to_cpu').attach(near, { mode: 'native' }),
      `packets of ${near} (its MTU is 9000) or of its peer are too large for a program that takes them in one piece (ERANGE). Use SEC("xdp.frags")`,
    );
    xdp('in_pieces').attach(near, { mode: 'native' });
    // In one write; nobody listens, so that it may be refused.
    const send = `dd if=/dev/zero bs=8000 count=1 > /dev/udp/${address}/9 || true`;
    until(
      () => globals().largest >= 8000,
      () => void ip('netns', 'exec', space, 'bash', '-c', send),
    );
  });
});
