import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { cgroupArray } from '../../runtime/src/map/cgroup-array.js';
import { cpumap } from '../../runtime/src/map/cpumap.js';
import { devmap } from '../../runtime/src/map/devmap.js';
import { devmapHash } from '../../runtime/src/map/devmap-hash.js';
import type { HasFd } from '../../runtime/src/map/holder.js';
import { sockhash } from '../../runtime/src/map/sockhash.js';
import { sockmap } from '../../runtime/src/map/sockmap.js';
import { xskmap } from '../../runtime/src/map/xskmap.js';
import { fakeKernel } from '../../runtime/src/testing/index.js';
import { BPF_MAP_TYPE } from '../../runtime/src/uapi.js';
import { liveMap, u64 } from './live-map.js';

const attributes = { name: 'targets', keySize: 4, valueSize: 8, maxEntries: 4 };

describe.each([
  ['devmap', devmap(), BPF_MAP_TYPE.DEVMAP],
  ['devmapHash', devmapHash(), BPF_MAP_TYPE.DEVMAP_HASH],
] as const)('a %s', (_name, shape, type) => {
  const open = (valueSize = 8) => {
    const kernel = fakeKernel();
    kernel.addDevice('eth0');
    return { kernel, ...liveMap(kernel, shape, { ...attributes, type, valueSize }) };
  };

  it('has devices by name and index', () => {
    const { map } = open(4);
    map.set(0, 'eth0').set(1, 1);
    expect([...map]).toEqual([
      [0, { ifindex: 2, name: 'eth0', programId: undefined }],
      [1, { ifindex: 1, name: 'lo', programId: undefined }],
    ]);
    expect([map.get(2), map.has(2), map.has(1), map.size]).toEqual([undefined, false, true, 2]);
    expect([[...map.keys()], [...map.values()].map(({ name }) => name)]).toEqual([
      [0, 1],
      ['eth0', 'lo'],
    ]);
    expect([map.delete(1), map.delete(1)]).toEqual([true, false]);
    map.clear();
    expect([...map]).toEqual([]);
  });

  it('runs programs where its values have room for one', () => {
    const { map } = open();
    expect(map.set(0, { device: 'eth0', program: { fd: 33 } }).get(0)).toMatchObject({
      ifindex: 2,
      programId: 33,
    });
    expect(() => open(4).map.set(0, { device: 1, program: 33 })).toThrow(
      'set a program in map "targets": its values have 4 bytes, and 8 with a program; declare it with __type(value, struct bpf_devmap_val)',
    );
  });

  it('names a device that is not there', () => {
    expect(() => open().map.set(0, 'eth1')).toThrow(/^put a device into map "targets": .*eth1.*\(ENODEV\)$/);
  });
});

describe('a CPU map', () => {
  it('has queues of CPUs', () => {
    const { map } = liveMap(fakeKernel(), cpumap(), { ...attributes, type: BPF_MAP_TYPE.CPUMAP });
    map.set(1, { qsize: 192 }).set(2, { qsize: 64, program: 5 });
    expect([...map]).toEqual([
      [1, { qsize: 192, programId: undefined }],
      [2, { qsize: 64, programId: 5 }],
    ]);
    expect([[...map.keys()], [...map.values()].map(({ qsize }) => qsize), map.size]).toEqual([
      [1, 2],
      [192, 64],
      2,
    ]);
    expect([map.has(0), map.get(0), map.delete(1), map.delete(1)]).toEqual([false, undefined, true, false]);
    map.clear();
    expect([...map]).toEqual([]);
    expect(() => map.set(0, { qsize: 1, program: {} as HasFd })).toThrow(
      /takes a descriptor, or an object whose fd is one/,
    );
    expect(() => map.set(4, { qsize: 1 })).toThrow(
      'use index 4 of map "targets": its indexes are the integers from 0 to 3',
    );
  });
});

describe('maps of descriptors', () => {
  it('refuse what has no descriptor, as sockets of Node', () => {
    const { map } = liveMap(fakeKernel(), sockmap(), { ...attributes, type: BPF_MAP_TYPE.SOCKMAP });
    for (const socket of [new Socket(), undefined, null, 'socket', {}, 1.5]) {
      expect(() => map.set(1, socket as unknown as HasFd)).toThrow(
        'put something into map "targets": it takes a descriptor, or an object whose fd is one; sockets of Node do not tell theirs',
      );
    }
  });

  it('take sockets, by number and by key', () => {
    const kernel = fakeKernel();
    const { map } = liveMap(kernel, sockmap(), { ...attributes, type: BPF_MAP_TYPE.SOCKMAP });
    map.set(1, 40).set(2, { fd: 41 });
    expect([[...map.keys()], [...map.values()].length, map.size]).toEqual([[1, 2], 2, 2]);
    expect([map.delete(1), map.delete(1), map.has(2), map.size]).toEqual([true, false, true, 1]);
    const hash = { ...attributes, type: BPF_MAP_TYPE.SOCKHASH, keySize: 8 };
    const keyed = liveMap(kernel, sockhash(u64), hash).map.set(5n, 40).set(6n, 41);
    expect([[...keyed.keys()], keyed.size]).toEqual([[5n, 6n], 2]);
  });

  it('say why a cookie cannot be read', () => {
    const kernel = fakeKernel();
    const { map } = liveMap(kernel, sockmap(), { ...attributes, type: BPF_MAP_TYPE.SOCKMAP, valueSize: 4 });
    kernel.failing('mapLookup', 'ENOSPC');
    expect(() => map.get(0)).toThrow(/its values have 4 bytes, and a cookie of a socket 8; declare it with/);
  });

  it('take cgroups by their directory, and leave none open', () => {
    const kernel = fakeKernel();
    const { map } = liveMap(kernel, cgroupArray(), {
      ...attributes,
      type: BPF_MAP_TYPE.CGROUP_ARRAY,
      valueSize: 4,
    });
    const before = kernel.openFds.length;
    map.set(0, '/sys/fs/cgroup/a').set(1, 33).set(2, { fd: 34 });
    expect(kernel.openFds).toHaveLength(before);
    expect([map.length, map.delete(0), map.delete(3)]).toEqual([4, true, false]);
    map.clear();
    expect(map.delete(1)).toBe(false);
  });

  it('take AF_XDP sockets', () => {
    const { map } = liveMap(fakeKernel(), xskmap(), {
      ...attributes,
      type: BPF_MAP_TYPE.XSKMAP,
      valueSize: 4,
    });
    map.set(3, 40, { flag: 'create' });
    expect(() => map.set(3, 41, { flag: 'create' })).toThrow(/already has the key 3/);
    map.delete(3);
    map.set(3, 41, { flag: 'create' }).clear();
    expect(map.length).toBe(4);
  });
});
