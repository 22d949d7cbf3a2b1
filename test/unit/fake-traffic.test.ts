import { describe, expect, it } from 'vitest';
import { encodeInsns } from '../../runtime/src/insn.js';
import { LwtProgram, NetkitProgram, TcProgram, TcxProgram } from '../../runtime/src/program/index.js';
import type { Program, ProgramHandle } from '../../runtime/src/program/program.js';
import { type FakeKernel, fakeKernel } from '../../runtime/src/testing/index.js';
import { BPF_PROG_TYPE } from '../../runtime/src/uapi.js';

const insns = encodeInsns([{ code: 0xb7 }, { code: 0x95 }], true);

/** A kernel with eth0, and programs loaded into it. */
function host(version = '6.12') {
  const kernel = fakeKernel({ version });
  kernel.addDevice('eth0');
  const load = <P extends Program>(
    type: new (handle: ProgramHandle) => P,
    section: string,
    name: string,
  ): P => {
    const fd = kernel.progLoad({ type: BPF_PROG_TYPE.SCHED_CLS, insns, license: 'GPL', name });
    return new type({
      kernel,
      name,
      section,
      target: section.slice(section.indexOf('/') + 1),
      expectedAttachType: 0,
      fd: () => fd,
      own: (link) => link,
    });
  };
  const tcx = (name: string) => load(TcxProgram, 'tcx/ingress', name);
  return { kernel, load, tcx, tc: (name: string) => load(TcProgram, 'tc', name) };
}
const names = ({ links }: FakeKernel) => links.map(({ program }) => program.name);

describe('fakeKernel: hooks of devices', () => {
  it('keep programs in the order that was asked for', () => {
    const { kernel, tcx } = host();
    const [a, b, c, d] = [tcx('a'), tcx('b'), tcx('c'), tcx('d')];
    const link = a.attach('eth0');
    b.attach('eth0', { before: 'all' });
    c.attach('eth0', { before: a });
    d.attach('eth0', { after: { id: b.info().id } });
    expect(a.query('eth0').programs.map(({ name }) => name)).toEqual(['b', 'd', 'c', 'a']);
    expect(names(kernel)).toEqual(['b', 'd', 'c', 'a']);
    expect(link.info().type).toBe('tcx');
    link.detach();
    expect(a.query('eth0').programs.map(({ name }) => name)).toEqual(['b', 'd', 'c']);
  });

  it('refuse a program twice, one next to nobody, and one that comes late', () => {
    const { tcx } = host();
    const [a, b] = [tcx('a'), tcx('b')];
    const { revision } = a.query('eth0');
    const link = a.attach('eth0', { expectedRevision: revision });
    expect(() => a.attach('eth0')).toThrow('attached there already');
    expect(() => b.attach('eth0', { expectedRevision: revision })).toThrow('are others by now');
    link.detach();
    expect(() => b.attach('eth0', { after: a })).toThrow('the program to go next to is not there');
  });

  it('came with Linux 6.6, and netkit with 6.7', () => {
    const { tcx, load } = host('6.5');
    expect(() => tcx('a').attach('eth0')).toThrow('this kernel has no tcx');
    const netkit = load(NetkitProgram, 'netkit/peer', 'n');
    expect(() => netkit.attach('eth0')).toThrow('this kernel has no netkit devices');
  });
});

describe('fakeKernel: filters', () => {
  it('stand in for tcx on older kernels, and go with their link and their qdisc', () => {
    const { kernel, tc } = host('6.1');
    const [a, b] = [tc('a'), tc('b')];
    const one = a.attach('eth0', { direction: 'ingress' });
    const two = b.attach('eth0', { direction: 'egress', priority: 3, handle: 4 });
    expect([one.via, one.priority, two.handle]).toEqual(['clsact', 49152, 4]);
    expect(a.query('eth0', 'egress')).toMatchObject({
      tcx: undefined,
      filters: [{ priority: 3, handle: 4 }],
    });
    expect(kernel.links).toMatchObject([
      { via: 'netlink', target: 'eth0', program: { name: 'a' } },
      { via: 'netlink', target: 'eth0', program: { name: 'b' } },
    ]);
    two.update(a);
    expect(names(kernel)).toEqual(['a', 'a']);
    one.detach();
    expect(kernel.filterQdisc(2)).toBe('clsact');
    two.detach();
    expect(kernel.links).toEqual([]);
    expect(kernel.filterQdisc(2)).toBeUndefined();
  });

  it('are refused where one is, and replaced when told', () => {
    const { kernel, tc } = host();
    const place = { direction: 'ingress', priority: 1, handle: 1 } as const;
    tc('a').attach('eth0', place);
    expect(() => tc('b').attach('eth0', place)).toThrow('is there already and runs program "a"');
    tc('c').attach('eth0', { ...place, replace: true });
    expect(names(kernel)).toEqual(['c']);
  });

  it('go with the qdisc, and not without one', () => {
    const { kernel, tc } = host();
    const prog = tc('a').fd;
    const set = { ifindex: 2, direction: 'ingress', prog, as: 'action', name: 'a' } as const;
    expect(() => kernel.filterSet(set)).toThrow('EINVAL');
    kernel.clsactCreate(2);
    expect(() => kernel.clsactCreate(2)).toThrow('EEXIST');
    expect([kernel.filterSet(set), kernel.filterSet(set)]).toMatchObject([
      { kind: 'matchall', priority: 49152, handle: 1 },
      { kind: 'matchall', priority: 49151, handle: 1 },
    ]);
    kernel.clsactDelete(2);
    expect(kernel.links).toEqual([]);
    expect(() => kernel.clsactDelete(2)).toThrow('ENOENT');
    expect(() => kernel.filterQdisc(9)).toThrow('ENODEV');
  });

  it('fail when a test says so', () => {
    const { kernel, tc } = host();
    kernel.failing('filterSet', 'ENOMEM', { name: 'eth0' });
    expect(() => tc('a').attach('eth0', { direction: 'ingress', via: 'clsact' })).toThrow('ENOMEM');
    expect(kernel.filterQdisc(2)).toBeUndefined();
  });
});

describe('fakeKernel: routes', () => {
  it('hold a program until they are deleted', () => {
    const { kernel, load } = host();
    const program = load(LwtProgram, 'lwt_out', 'watch');
    const route = { destination: '10.0.0.0/8', device: 'eth0' };
    const link = program.attach(route);
    expect(kernel.links).toMatchObject([{ via: 'netlink', target: 'eth0', program: { name: 'watch' } }]);
    expect(() => program.attach(route)).toThrow('there is a route to the same destination');
    program.attach({ ...route, metric: 2 }).detach();
    link.detach();
    link.detach();
    expect(kernel.links).toEqual([]);
  });
});
