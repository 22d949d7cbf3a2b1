import { afterEach, describe, expect, it } from 'vitest';
import type { BpfRoute, Fd } from '../../runtime/src/kernel/kernel.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { BPF_PROG_TYPE } from '../../runtime/src/uapi.js';
import { cable, ip } from './cable.js';

const kernel = linuxKernel();
const { near } = cable();
const open: Fd[] = [];
afterEach(() => {
  for (const fd of open.splice(0)) kernel.close(fd);
});

/** r0 = 0; exit */
const insns = new Uint8Array([0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0]);
const load = (type: keyof typeof BPF_PROG_TYPE): Fd => {
  const fd = kernel.progLoad({ type: BPF_PROG_TYPE[type], insns, license: 'GPL', name: 'nothing' });
  open.push(fd);
  return fd;
};

describe('filters over netlink', () => {
  const filter = () => ({
    ifindex: kernel.ifindex(near),
    direction: 'ingress' as const,
    prog: load('SCHED_CLS'),
    as: 'classifier' as const,
    name: 'nothing:[1]',
  });

  it('are made in a clsact qdisc, found, exchanged and deleted', () => {
    const ifindex = kernel.ifindex(near);
    expect(kernel.filterQdisc(ifindex)).toBeUndefined();
    expect(kernel.filterQuery(ifindex, 'ingress')).toEqual([]);
    expect(() => kernel.filterSet(filter())).toThrow(
      /^netlink\(RTM_NEWTFILTER\): [^:]+: invalid argument \(EINVAL\)$/,
    );
    kernel.clsactCreate(ifindex);
    try {
      expect(() => kernel.clsactCreate(ifindex)).toThrow('EEXIST');
      expect(kernel.filterQdisc(ifindex)).toBe('clsact');
      const first = kernel.filterSet(filter());
      expect(first).toMatchObject({ kind: 'bpf', priority: 49152, handle: 1, name: 'nothing:[1]' });
      // Priorities from 32768 on set the sign of a 32-bit number.
      const second = kernel.filterSet({ ...filter(), priority: 40000, handle: 7, name: 'b' });
      expect(second).toMatchObject({ kind: 'bpf', priority: 40000, handle: 7, name: 'b' });
      expect(kernel.filterQuery(ifindex, 'ingress')).toEqual([second, first]);
      expect(kernel.filterQuery(ifindex, 'egress')).toEqual([]);

      const again = { ...filter(), priority: 40000, handle: 7 };
      expect(() => kernel.filterSet(again)).toThrow('EEXIST');
      expect(kernel.filterSet({ ...again, replace: true }).progId).toBe(kernel.progInfo(again.prog).id);
      kernel.filterDelete({ ifindex, direction: 'ingress', priority: 40000, handle: 7 });
      expect(kernel.filterQuery(ifindex, 'ingress')).toEqual([first]);
      expect(() =>
        kernel.filterDelete({ ifindex, direction: 'ingress', priority: 40000, handle: 7 }),
      ).toThrow('ENOENT');
    } finally {
      kernel.clsactDelete(ifindex);
    }
    expect(kernel.filterQuery(ifindex, 'ingress')).toEqual([]);
    expect(kernel.filterQdisc(ifindex)).toBeUndefined();
    expect(() => kernel.filterQdisc(0x7ffffff)).toThrow('ENODEV');
  });

  it('are a list that takes more than one message', () => {
    const ifindex = kernel.ifindex(near);
    kernel.clsactCreate(ifindex);
    try {
      const prog = load('SCHED_CLS');
      const made = Array.from({ length: 400 }, (_, index) =>
        kernel.filterSet({ ...filter(), prog, priority: 1, handle: index + 1 }),
      );
      const found = kernel.filterQuery(ifindex, 'ingress');
      expect(found.map(({ handle }) => handle).sort((a, b) => a - b)).toEqual(
        made.map(({ handle }) => handle),
      );
    } finally {
      kernel.clsactDelete(ifindex);
    }
  });
});

describe('routes over netlink', () => {
  const route = (over: Partial<BpfRoute> = {}): BpfRoute => ({
    hook: 'xmit',
    prog: load('LWT_XMIT'),
    name: 'nothing:[1]',
    destination: Uint8Array.of(10, 214, 0, 0),
    prefixLength: 16,
    ifindex: kernel.ifindex(near),
    ...over,
  });

  it('run a program, and are deleted by its name', () => {
    const one = route({ headroom: 16, metric: 7 });
    kernel.routeCreate(one);
    expect(ip('route', 'show', '10.214.0.0/16')).toMatch(/encap bpf xmit nothing:\[1\] dev \S+ .*metric 7/);
    expect(() => kernel.routeCreate(one)).toThrow('EEXIST');
    expect(() => kernel.routeDelete({ ...one, name: 'other' })).toThrow('ESRCH');
    kernel.routeDelete(one);
    expect(ip('route', 'show', '10.214.0.0/16')).toBe('');
  });

  it('are of IPv6, and of a table, too', () => {
    const destination = new Uint8Array(16);
    destination.set([0xfd, 0, 2, 14]);
    const one = route({ hook: 'in', prog: load('LWT_IN'), destination, prefixLength: 64, table: 1000 });
    kernel.routeCreate(one);
    expect(ip('-6', 'route', 'show', 'table', '1000')).toMatch(/^fd00:20e::\/64 +encap bpf in nothing:\[1\]/);
    kernel.routeDelete(one);
    expect(ip('-6', 'route', 'show', 'table', 'all')).not.toContain('fd00:20e::');
  });

  it('end segments of IPv6 with a program', () => {
    const destination = new Uint8Array(16);
    destination.set([0xfd, 0, 2, 15]);
    const one = route({ hook: 'seg6local', prog: load('LWT_SEG6LOCAL'), destination, prefixLength: 128 });
    kernel.routeCreate(one);
    expect(ip('-6', 'route', 'show', 'fd00:20f::')).toMatch(
      /seg6local action End.BPF endpoint nothing:\[1\]/,
    );
    kernel.routeDelete(one);
  });

  it('are refused a program of another kind', () => {
    expect(() => kernel.routeCreate(route({ prog: load('LWT_IN') }))).toThrow('EINVAL');
  });
});
