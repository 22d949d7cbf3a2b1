import { describe, expect, it } from 'vitest';
import { syscallError } from '../../runtime/src/kernel/errno.js';
import type { Kernel, TcFilter } from '../../runtime/src/kernel/kernel.js';
import {
  LwtProgram,
  NetfilterProgram,
  NetkitProgram,
  TcActionProgram,
  TcDirectedProgram,
  TcProgram,
  TcxProgram,
} from '../../runtime/src/program/index.js';
import { kernelVersion } from '../../runtime/src/uapi.js';
import { fakeHost, handleFor } from './fake-host.js';

type Host = ReturnType<typeof fakeHost>;

const none = { flags: 0, revision: 1n, programs: [] };
/** A host whose kernel has tcx and netkit, and no qdisc. */
const host = (over: Partial<Kernel> = {}): Host =>
  fakeHost({
    progQuery: () => none,
    filterQdisc: () => undefined,
    filterQuery: () => [],
    filterSet: ({ priority = 49152, handle = 1 }) => ({
      kind: 'bpf',
      priority,
      handle,
      progId: 7,
      name: 'x',
    }),
    ...over,
  });
const refusing = (errno: number) => () => {
  throw syscallError('bpf', errno);
};
const EINVAL = 22;
/** A host of before 6.6. */
const old = (over: Partial<Kernel> = {}): Host =>
  host({ progQuery: refusing(EINVAL), linkCreate: refusing(EINVAL), version: kernelVersion(6, 1), ...over });

const tc = (at: Host, fd = 9) => new TcProgram(handleFor(at, { name: 'count', section: 'tc', fd }));
const directed = (at: Host) => new TcDirectedProgram(handleFor(at, { name: 'count', section: 'tc/egress' }));
const tcx = (at: Host, fd = 9) =>
  new TcxProgram(handleFor(at, { name: 'count', section: 'tcx/ingress', fd }));

describe('attaching a tc program', () => {
  it.each([
    ['ingress', 46],
    ['egress', 47],
  ] as const)('makes a tcx link for %s where the kernel has tcx', (direction, type) => {
    const at = host();
    const link = tc(at).attach('eth0', { direction });
    expect(at.calls).toEqual([
      `linkCreate({"prog":9,"attachType":${type},"target":{"ifindex":2},"flags":0,"options":{"kind":"ordered"}})`,
    ]);
    expect([link.target, link.via, link.priority, link.handle]).toEqual([
      `tcx eth0 ${direction}`,
      'tcx',
      undefined,
      undefined,
    ]);
    link.detach();
    expect(at.open.size).toBe(0);
  });

  it('makes a filter in a clsact qdisc where the kernel has no tcx, and removes both', () => {
    const filters: TcFilter[] = [];
    const at = old({
      clsactCreate: () => undefined,
      clsactDelete: () => undefined,
      filterDelete: () => void filters.pop(),
      filterQdisc: () => (filters.length > 0 ? 'clsact' : undefined),
      filterQuery: (_ifindex, direction) => (direction === 'egress' ? filters : []),
      filterSet: ({ priority = 49152, handle = 1, name }) => {
        const filter = { kind: 'bpf', priority, handle, progId: 7, name };
        filters.push(filter);
        return filter;
      },
    });
    const link = directed(at).attach('eth0');
    expect(at.calls.filter((call) => call.startsWith('filterSet'))).toEqual([
      'filterSet({"prog":9,"ifindex":2,"direction":"egress","as":"classifier","name":"other:[7]"})',
    ]);
    expect(link.target).toBe('tc eth0 egress priority 49152 handle 1');
    link.detach();
    expect(filters).toEqual([]);
  });

  it('asks for capabilities by the version when it may not ask for tcx', () => {
    const at = old({ progQuery: refusing(1), filterQdisc: refusing(1) });
    at.file('/proc/self/status', 'CapEff:\t0\n');
    expect(() => tc(at).attach('eth0', { direction: 'ingress' })).toThrow('lacks CAP_NET_ADMIN');
    const later = host({ progQuery: refusing(1), linkCreate: refusing(1) });
    later.file('/proc/self/status', 'CapEff:\t0\n');
    expect(() => tc(later).attach('eth0', { direction: 'ingress' })).toThrow(
      'attach "count" to tcx eth0 ingress: this process lacks CAP_NET_ADMIN (EPERM)',
    );
  });

  it('does not take the kernel for one without tcx when something else is invalid', () => {
    const at = host({ linkCreate: refusing(EINVAL) });
    expect(() => tc(at).attach('eth0', { direction: 'ingress' })).toThrow('invalid argument (EINVAL)');
  });

  it('takes a qdisc that somebody else made a moment before', () => {
    const at = old({ clsactCreate: refusing(17), clsactDelete: () => undefined });
    const link = tc(at).attach('eth0', { direction: 'ingress' });
    expect(link.via).toBe('clsact');
    link.detach();
    expect(at.calls.some((call) => call.startsWith('clsactDelete'))).toBe(false);
  });

  it('says that the kernel has no clsact qdisc', () => {
    const at = old({ clsactCreate: refusing(2) });
    expect(() => tc(at).attach('eth0', { direction: 'ingress' })).toThrow(
      'this kernel has no clsact qdisc (CONFIG_NET_SCH_INGRESS, module sch_ingress, Linux 4.5) (ENOENT)',
    );
  });

  it('says that the kernel has no BPF classifier', () => {
    const at = old({ filterSet: refusing(2), clsactCreate: () => undefined, clsactDelete: () => undefined });
    expect(() => tc(at).attach('eth0', { direction: 'ingress' })).toThrow(
      'this kernel has no BPF classifier (CONFIG_NET_CLS_BPF, module cls_bpf) (ENOENT)',
    );
  });
});

describe('attaching a tcx program', () => {
  const order = (at: Host) => at.calls.find((call) => call.startsWith('linkCreate'));

  it.each([
    [{}, '"flags":0,"options":{"kind":"ordered"}'],
    [{ before: 'all' }, '"flags":8,"options":{"kind":"ordered"}'],
    [{ after: { fd: 5 } }, '"flags":16,"options":{"kind":"ordered","relative":5}'],
    [{ before: { id: 77 } }, '"flags":40,"options":{"kind":"ordered","relative":77}'],
    [{ expectedRevision: 4n }, '"flags":0,"options":{"kind":"ordered","expectedRevision":"4n"}'],
  ] as const)('goes where %o says', (options, text) => {
    const at = host();
    tcx(at).attach('eth0', options);
    expect(order(at)).toContain(text);
  });

  it('goes next to a link', () => {
    const at = host();
    const first = tcx(at).attach('eth0');
    at.calls.length = 0;
    tcx(at, 8).attach('eth0', { before: first });
    expect(order(at)).toContain('"flags":8232,"options":{"kind":"ordered","relative":3}');
  });

  it('is refused by kernels before 6.6', () => {
    expect(() => tcx(old()).attach('eth0')).toThrow(
      'attach "count" to tcx eth0 ingress: this kernel has no tcx; it came with Linux 6.6 (CONFIG_NET_XGRESS) and this is 6.12.0-test (EINVAL). A program in SEC("tc") is attached to the clsact qdisc on such kernels',
    );
  });

  it.each([
    [17, 'the program is attached there already'],
    [34, 'there are as many programs as this hook can have (64)'],
    [2, 'the program to go next to is not there'],
    [116, 'the programs there are others by now: they are of revision 1, not 9'],
  ])('explains errno %i', (errno, text) => {
    const at = host({ linkCreate: refusing(errno) });
    expect(() => tcx(at).attach('eth0', { before: 'all', expectedRevision: 9n })).toThrow(text);
    expect(at.open.size).toBe(0);
  });

  it('tells the programs there are, without names where they may not be opened', () => {
    const programs = [
      { id: 5, linkId: 0, flags: 0 },
      { id: 6, linkId: 8, flags: 0 },
    ];
    const at = host({ progQuery: () => ({ flags: 0, revision: 3n, programs }) });
    expect(tcx(at).query('eth0')).toEqual({
      revision: 3n,
      programs: [
        { id: 5, name: 'other', linkId: undefined },
        { id: 6, name: 'other', linkId: 8 },
      ],
    });
    at.refuse('progById', 'EPERM');
    expect(tcx(at).query('eth0').programs[0]).toEqual({ id: 5, name: '', linkId: undefined });
    expect(at.open.size).toBe(0);
  });

  it('tells of none where there never was one', () => {
    const at = host({ progQuery: refusing(2) });
    expect(tcx(at).query('eth0')).toEqual({ revision: 1n, programs: [] });
  });
});

describe('attaching a tc action', () => {
  it('names what the kernel lacks', () => {
    const at = host({ filterSet: refusing(2), clsactCreate: () => undefined, clsactDelete: () => undefined });
    const program = new TcActionProgram(handleFor(at, { section: 'action' }));
    expect(() => program.attach('eth0', { direction: 'egress', priority: 3 })).toThrow(
      'attach "prog" to tc eth0 egress priority 3: this kernel lacks the classifier or the action of such a filter',
    );
  });
});

describe('attaching a netkit program', () => {
  const netkit = (at: Host) => new NetkitProgram(handleFor(at, { name: 'p', section: 'netkit/peer' }));

  it('makes a link of the primary device', () => {
    const at = host();
    const link = netkit(at).attach('eth0', { before: 'all' });
    expect(at.calls).toEqual([
      'linkCreate({"prog":9,"attachType":55,"target":{"ifindex":2},"flags":8,"options":{"kind":"ordered"}})',
    ]);
    expect(link.target).toBe('netkit peer eth0');
  });

  it.each([
    [6, 'eth0 is not a netkit device (ENXIO)'],
    [
      13,
      'eth0 is the peer of a netkit pair, and its programs are attached through the primary device (EACCES)',
    ],
  ])('explains errno %i', (errno, text) => {
    expect(() => netkit(host({ linkCreate: refusing(errno) })).attach('eth0')).toThrow(text);
  });

  it('is refused by kernels before 6.7', () => {
    expect(() => netkit(old()).attach('eth0')).toThrow('they came with Linux 6.7 (CONFIG_NETKIT)');
  });
});

describe('attaching a netfilter program', () => {
  const netfilter = (at: Host) => new NetfilterProgram(handleFor(at, { name: 'p', section: 'netfilter' }));
  const input = { family: 'ipv4', hook: 'input' } as const;

  it('makes a link of a hook', () => {
    const at = host();
    netfilter(at).attach({ family: 'ipv6', hook: 'postrouting', priority: -5, defrag: true });
    expect(at.calls).toEqual([
      'linkCreate({"prog":9,"attachType":45,"options":{"kind":"netfilter","family":10,"hook":4,"priority":-5,"flags":1}})',
    ]);
  });

  it.each([
    [6, 12, { ...input }, 16, 'a BPF program with priority 0 is there already'],
    [6, 12, { ...input, priority: 5 }, 34, 'priority 5 is kept for the kernel itself'],
    [6, 12, { ...input, defrag: true }, 97, '(CONFIG_NF_DEFRAG_IPV4)'],
    [6, 4, { ...input, defrag: true }, 95, '{ defrag } came with Linux 6.6'],
    [6, 12, { ...input, defrag: true }, 2, 'the kernel could not load its module nf_defrag_ipv4'],
    [6, 1, input, EINVAL, 'netfilter programs came with Linux 6.4'],
  ] as const)('explains on %i.%i why %o is refused with %i', (major, minor, options, errno, text) => {
    const at = host({ linkCreate: refusing(errno), version: kernelVersion(major, minor) });
    expect(() => netfilter(at).attach(options)).toThrow(text);
  });

  it.each([
    [{ family: 'ipv5', hook: 'input' }, 'there is no family ipv5; there are ipv4 and ipv6'],
    [{ family: 'ipv4', hook: 'toString' }, 'there is no hook toString; there are prerouting, input'],
    [{ ...input, priority: 2 ** 31 }, 'priority 2147483648 is no number of 32 bits'],
  ])('refuses %o, which types would', (options, text) => {
    // As code without types would.
    expect(() => netfilter(host()).attach(options as typeof input)).toThrow(text);
  });
});

describe('attaching a program to a route', () => {
  const lwt = (at: Host) => new LwtProgram(handleFor(at, { name: 'p', section: 'lwt_out' }));
  const route = { destination: '10.1.0.0/16', device: 'eth0' };

  it('adds it under the name of the program, and deletes that one', () => {
    const at = host({ routeCreate: () => undefined, routeDelete: () => undefined });
    const link = lwt(at).attach({ ...route, gateway: '10.0.0.1', metric: 3, table: 9 });
    link.detach();
    const shown =
      '"hook":"out","prog":9,"destination":{"0":10,"1":1,"2":0,"3":0},"prefixLength":16,"ifindex":2,"gateway":{"0":10,"1":0,"2":0,"3":1},"metric":3,"table":9,"name":"other:[7]"';
    expect(at.calls).toEqual([`routeCreate({${shown}})`, `routeDelete({${shown}})`]);
  });

  it.each([
    [17, 'there is a route to the same destination'],
    [100, 'eth0 is down (ENETDOWN). ip link set eth0 up'],
    [95, 'this kernel has no routes with programs (CONFIG_LWTUNNEL_BPF)'],
  ])('explains errno %i', (errno, text) => {
    expect(() => lwt(host({ routeCreate: refusing(errno) })).attach(route)).toThrow(text);
  });

  it.each([3, 19, 100])('detaches in peace when the kernel says errno %i: it is gone', (errno) => {
    const at = host({ routeCreate: () => undefined, routeDelete: refusing(errno) });
    const link = lwt(at).attach(route);
    link.detach();
    expect(link.attached).toBe(false);
  });
});
