import { isBpfError, VerifierError } from '@bpfskel/runtime';
import { array, at, ringbuf, type Skeleton, skeleton, u32, u64 } from '@bpfskel/runtime/codegen/v1';
import { type FakeKernel, fakeKernel } from '@bpfskel/runtime/testing';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Event, execsnoop_kern } from '../../examples/execsnoop/execsnoop.skel.js';
import { hello_kern } from '../../examples/hello/hello.skel.js';
import { xdp_kern } from '../../examples/xdp/xdp.skel.js';

let kernel: FakeKernel;
beforeEach(() => {
  kernel = fakeKernel({ cpus: 2 });
  for (const [event, id] of [
    ['sys_enter_execve', 1],
    ['sys_enter_execveat', 2],
  ]) {
    kernel.setFile(`/sys/kernel/tracing/events/syscalls/${event}/id`, `${id}\n`);
  }
  kernel.addDevice('eth0');
});

/** The one value of a data section's map, as the kernel holds it. */
function contentsOf(section: string): Uint8Array {
  for (const [, value] of kernel.map(section).entries()) return value;
  return new Uint8Array();
}

/** xdp_kern needs no CO-RE, so the fake kernel needs no types. */
const loaded = () => xdp_kern.openAndLoad({ kernel });
const code = (action: () => unknown): string | undefined => {
  try {
    action();
  } catch (error) {
    return isBpfError(error) ? error.code : String(error);
  }
  return undefined;
};

describe('before load()', () => {
  it('nothing is in the kernel', () => {
    using _open = xdp_kern.open();
    expect([kernel.maps, kernel.programs, kernel.openFds]).toEqual([[], [], []]);
  });

  it('constants have their compiled value and can be set', () => {
    using open = xdp_kern.open();
    expect([open.rodata.drop, open.rodata.drop_protocol]).toEqual([false, 0]);
    open.rodata.drop = true;
    open.rodata.drop_protocol = 6;
    using _skel = open.load({ kernel });
    expect([...contentsOf('.rodata').subarray(0, 2)]).toEqual([1, 6]);
  });

  it('settings of one open() do not reach the next', () => {
    using first = xdp_kern.open();
    first.rodata.drop = true;
    first.maps.by_protocol.maxEntries = 512;
    using second = xdp_kern.open();
    expect([second.rodata.drop, second.maps.by_protocol.maxEntries]).toEqual([false, 256]);
  });

  it('maps can be resized', () => {
    using open = xdp_kern.open();
    open.maps.by_protocol.maxEntries = 1024;
    using skel = open.load({ kernel });
    expect([skel.maps.by_protocol.maxEntries, kernel.map('by_protocol').maxEntries]).toEqual([1024, 1024]);
  });

  it.each([-1, 1.5, 2 ** 32, Number.NaN])('maxEntries %d is refused', (entries) => {
    using open = xdp_kern.open();
    expect(() => {
      open.maps.by_protocol.maxEntries = entries;
    }).toThrow(/is not a whole number of 32 bits/);
  });

  it('takes the options of load(), which may say otherwise', () => {
    const other = fakeKernel();
    using _first = xdp_kern.open({ kernel }).load();
    using _second = xdp_kern.open({ kernel }).load({ kernel: other });
    expect([kernel.programs.length, other.programs.length]).toEqual([1, 1]);
  });

  it('programs can be left out', () => {
    using open = hello_kern.open();
    expect([open.progs.hello.autoload, open.progs.hello_tracepoint.autoload]).toEqual([true, false]);
    open.progs.hello.autoload = false;
    open.progs.hello_tracepoint.autoload = true;
    using _skel = open.load({ kernel });
    expect(kernel.programs.map((program) => program.name)).toEqual(['hello_tracepoint']);
  });
});

describe('after load()', () => {
  it('the open object is used up', () => {
    const open = xdp_kern.open();
    using _skel = open.load({ kernel });
    expect(code(() => open.load({ kernel }))).toBe('ERR_BPF_STATE');
    expect(() => {
      open.rodata.drop = true;
    }).toThrow('set rodata.drop: xdp_kern is already loaded; do it between open() and load()');
  });

  it('constants are frozen and say so', () => {
    using skel = loaded();
    expect(() => {
      (skel.rodata as { drop: boolean }).drop = true;
    }).toThrow("set rodata.drop: '.rodata' is frozen; set it before load()");
  });

  it('globals of .bss are live in both directions', () => {
    using skel = withCounter().openAndLoad({ kernel, kernelBtf: taskTypes() });
    skel.bss.lost = 41n;
    skel.bss.lost += 1n;
    expect(u64.read(new DataView(contentsOf('.bss').slice().buffer), 0)).toBe(42n);
  });

  it('destroy() gives everything back, may be called twice, and closes what hangs on it', () => {
    const skel = loaded();
    const link = skel.progs.count_packets.attach('eth0');
    skel.destroy();
    skel.destroy();
    expect([kernel.openFds, kernel.links, link.attached]).toEqual([[], [], false]);
    for (const use of [
      () => skel.maps.by_protocol.get(0),
      () => skel.rodata.drop,
      () => skel.progs.count_packets.fd,
      () => skel.attach(),
    ]) {
      expect(code(use)).toBe('ERR_BPF_STATE');
    }
  });

  it('a `using` block ends in destroy()', () => {
    {
      using skel = loaded();
      skel.maps.by_protocol.set(6, [
        { packets: 1n, bytes: 60n },
        { packets: 2n, bytes: 120n },
      ]);
      expect(skel.maps.by_protocol.get(6)).toEqual([
        { packets: 1n, bytes: 60n },
        { packets: 2n, bytes: 120n },
      ]);
    }
    expect(kernel.openFds).toEqual([]);
  });
});

describe('attach()', () => {
  it('attaches what SEC() places, once, and detach() ends it', () => {
    using skel = withoutCore();
    skel.attach();
    skel.attach();
    expect(Object.keys(skel.links)).toEqual(['enter_execve', 'enter_execveat']);
    expect(kernel.links).toHaveLength(2);
    skel.detach();
    expect([Object.keys(skel.links), kernel.links]).toEqual([[], []]);
  });

  it('is all or nothing', () => {
    using skel = withoutCore();
    kernel.failing('linkCreate', 'EPERM', { times: 1 });
    const before = kernel.openFds.length;
    expect(() => skel.attach()).toThrow(/attach "enter_execve" to tracepoint syscalls\/sys_enter_execve: /);
    expect([kernel.links, kernel.openFds.length]).toEqual([[], before]);
  });

  it('goes on past what is optional, and reports it', () => {
    using skel = withoutCore();
    kernel.failing('linkCreate', 'EPERM', { times: 1 });
    const { attached, failed } = skel.attach({ optional: ['enter_execve'] });
    expect(attached).toEqual(['enter_execveat']);
    expect(failed).toEqual([
      { program: 'enter_execve', error: expect.objectContaining({ name: 'BpfError', code: 'EPERM' }) },
    ]);
    expect(Object.keys(skel.links)).toEqual(['enter_execveat']);
    // What failed is tried again, what runs is left alone.
    expect(skel.attach({ optional: 'all' })).toEqual({ attached: ['enter_execve'], failed: [] });
    expect(skel.attach()).toEqual({ attached: [], failed: [] });
  });

  it('is still all or nothing for what is not optional', () => {
    using skel = withoutCore();
    kernel.failing('linkCreate', 'EPERM');
    expect(() => skel.attach({ optional: ['enter_execve'] })).toThrow(/attach "enter_execveat"/);
    expect(kernel.links).toEqual([]);
    expect(skel.attach({ optional: 'all' }).failed.map(({ program }) => program)).toEqual([
      'enter_execve',
      'enter_execveat',
    ]);
  });

  it('refuses an optional program that is not there', () => {
    using skel = withoutCore();
    const misspelt = { optional: ['enter_exceve'] } as unknown as Parameters<typeof skel.attach>[0];
    expect(() => skel.attach(misspelt)).toThrow(
      'attach execsnoop_kern: it has no program "enter_exceve" to be optional; similar names: enter_execve, enter_execveat',
    );
  });

  it('lets no mistake pass as a refusal', () => {
    using skel = withoutCore();
    const mistake = vi.spyOn(skel.progs.enter_execve, 'attach').mockImplementation(() => {
      throw new TypeError('mistake');
    });
    expect(() => skel.attach({ optional: 'all' })).toThrow('mistake');
    mistake.mockRestore();
  });

  it('leaves out what autoattach says', () => {
    const open = execsnoop_kern.open();
    open.progs.enter_execveat.autoattach = false;
    using skel = open.load({ kernel, kernelBtf: taskTypes() });
    skel.attach();
    expect(Object.keys(skel.links)).toEqual(['enter_execve']);
  });

  it('leaves programs that need an argument to their own attach', () => {
    using skel = loaded();
    skel.attach();
    expect(kernel.links).toEqual([]);
  });
});

describe('records', () => {
  it('arrive typed, in order, and the loop ends with destroy()', async () => {
    using skel = withoutCore();
    const sent = ['one', 'two'].map((comm) => ({ cgroup: 1n, pid: 2, ppid: 3, comm, args: `/bin/${comm}` }));
    for (const event of sent) kernel.emit('events', Event, event);
    const seen: Event[] = [];
    for await (const event of skel.maps.events) {
      seen.push(event);
      if (seen.length === sent.length) skel.destroy();
    }
    expect(seen).toEqual(sent);
  });
});

describe('load() is all or nothing', () => {
  it('when the verifier refuses a program', () => {
    kernel.rejectProgram('count_packets', 'R1 is bad\nprocessed 1 insns\n');
    const open = xdp_kern.open();
    expect(() => open.load({ kernel })).toThrow(VerifierError);
    expect([kernel.openFds, kernel.maps]).toEqual([[], []]);
  });

  it.each(['mapUpdate', 'mapFreeze', 'progLoad'] as const)('when %s fails', (call) => {
    kernel.failing(call, 'EPERM');
    expect(code(loaded)).toBe('EPERM');
    expect([kernel.openFds, kernel.maps]).toEqual([[], []]);
  });

  it('and can be tried again', () => {
    const open = xdp_kern.open();
    kernel.failing('mapFreeze', 'EPERM', { times: 1 });
    expect(code(() => open.load({ kernel }))).toBe('EPERM');
    using skel = open.load({ kernel });
    expect(skel.maps.by_protocol.maxEntries).toBe(256);
  });
});

describe('a skeleton that does not fit its object', () => {
  const elf = () => xdp_kern.elfBytes();
  const none = { maps: {}, progs: {}, globals: {} };
  const cases: [string, () => Skeleton<unknown, unknown>, RegExp][] = [
    [
      'names a map it lacks',
      () => skeleton({ ...none, name: 'x', maps: { gone: array(u32) }, elf }),
      /has no map "gone"/,
    ],
    [
      'has a value of another size',
      () => skeleton({ ...none, name: 'x', maps: { by_protocol: array(u64) }, elf }),
      /values of map "by_protocol" are struct traffic, 16 bytes, in the object and 8 bytes in the skeleton; generate/,
    ],
    [
      'has a global that the object lacks',
      () => skeleton({ ...none, name: 'x', globals: { rodata: { far: at(4096, u32) } }, elf }),
      /the object has no variable rodata\.far/,
    ],
  ];
  it.each(cases)('is refused by open() when it %s', (_name, make, pattern) => {
    expect(() => make().open()).toThrow(pattern);
    expect(code(() => make().open())).toBe('ERR_BPF_LAYOUT');
  });
});

/** The part of the execsnoop object that counts. */
function withCounter() {
  return skeleton({
    name: 'execsnoop_kern',
    maps: { events: ringbuf(u64) },
    progs: {},
    globals: { bss: { lost: at(0, u64) } },
    elf: () => execsnoop_kern.elfBytes(),
  });
}

function withoutCore() {
  return execsnoop_kern.openAndLoad({ kernel, kernelBtf: taskTypes() });
}

/** BTF of a kernel whose task_struct and tracepoint context look as the program wants them: the object's own. */
function taskTypes(): Uint8Array {
  return execsnoop_kern.elfBytes();
}
