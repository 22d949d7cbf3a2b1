import { describe, expect, it } from 'vitest';
import { cgroupStorage } from '../../runtime/src/map/cgroup-storage.js';
import { cgrpStorage } from '../../runtime/src/map/cgrp-storage.js';
import { inodeStorage } from '../../runtime/src/map/inode-storage.js';
import type { BpfMap, MapShape } from '../../runtime/src/map/map.js';
import { percpuCgroupStorage } from '../../runtime/src/map/percpu-cgroup-storage.js';
import { skStorage } from '../../runtime/src/map/sk-storage.js';
import { taskStorage } from '../../runtime/src/map/task-storage.js';
import { type FakeKernel, fakeKernel } from '../../runtime/src/testing/index.js';
import { BPF_F_NO_PREALLOC, BPF_MAP_TYPE } from '../../runtime/src/uapi.js';
import { liveMap, Sample, sample, u64 } from './live-map.js';

function open<M extends BpfMap>(
  kernel: FakeKernel,
  type: keyof typeof BPF_MAP_TYPE,
  shape: MapShape<M>,
  keySize = 4,
) {
  return liveMap(kernel, shape, {
    type: BPF_MAP_TYPE[type],
    name: 'kept',
    keySize,
    valueSize: 16,
    maxEntries: 0,
    flags: keySize === 4 ? BPF_F_NO_PREALLOC : 0,
  }).map;
}

describe('storage of sockets', () => {
  it('is of the socket behind a descriptor', () => {
    const kernel = fakeKernel();
    const map = open(kernel, 'SK_STORAGE', skStorage(Sample));
    const [one, two] = [kernel.packetSocket(1), kernel.packetSocket(1)];
    map.set(one, sample(1)).set({ fd: two }, sample(2), { flag: 'create' });
    expect([map.get({ fd: one }), map.get(kernel.duplicate(two)), map.has(two)]).toEqual([
      sample(1),
      sample(2),
      true,
    ]);
    expect([map.delete(one), map.delete(one), map.get(one)]).toEqual([true, false, undefined]);
    expect(() => map.set(two, sample(3), { flag: 'create' })).toThrow(/"kept" already has the key \d+/);
    expect(() => map.get(9)).toThrow(/^get from map "kept": .*\(EBADF\)$/);
    expect(map.getBytes(two)).toHaveLength(16);
  });
});

describe('storage of files', () => {
  it('is of a path or a descriptor, and leaves none open', () => {
    const kernel = fakeKernel();
    kernel.setFile('/etc/hosts', 'x');
    const map = open(kernel, 'INODE_STORAGE', inodeStorage(Sample));
    const before = kernel.openFds.length;
    map.set('/etc/hosts', sample(1));
    expect([map.get('/etc/hosts'), map.has('/etc/hosts')]).toEqual([sample(1), true]);
    expect(() => map.get('/etc/none')).toThrow(/\/etc\/none.*\(ENOENT\)$/);
    kernel.failing('mapUpdate', 'EPERM');
    expect(() => map.set('/etc/hosts', sample(2))).toThrow(/^set "\/etc\/hosts" of map "kept": .*\(EPERM\)$/);
    expect(kernel.openFds).toHaveLength(before);
    expect(map.get(kernel.openFile('/etc/hosts'))).toEqual(sample(1));
    expect(map.delete('/etc/hosts')).toBe(true);
  });
});

describe('storage of processes', () => {
  it('is of a process id or a pidfd', () => {
    const kernel = fakeKernel();
    const map = open(kernel, 'TASK_STORAGE', taskStorage(Sample));
    const before = kernel.openFds.length;
    map.set(77, sample(1));
    expect([map.get(77), map.get(78)]).toEqual([sample(1), undefined]);
    expect(kernel.openFds).toHaveLength(before);
    expect(map.get({ pidfd: kernel.pidfdOpen(77) })).toEqual(sample(1));
    kernel.failing('pidfdOpen', 'ESRCH');
    expect(() => map.get(77)).toThrow(/^find process 77 for map "kept": .*\(ESRCH\)$/);
  });
});

describe('storage of cgroups', () => {
  it('is of a directory', () => {
    const kernel = fakeKernel();
    const map = open(kernel, 'CGRP_STORAGE', cgrpStorage(Sample));
    map.set('/sys/fs/cgroup/a', sample(1));
    expect([map.get('/sys/fs/cgroup/a'), map.get('/sys/fs/cgroup/b')]).toEqual([sample(1), undefined]);
  });

  it('has what an attachment made, and nothing else can be added', () => {
    const kernel = fakeKernel({ cpus: 2 });
    const map = open(kernel, 'CGROUP_STORAGE', cgroupStorage(u64, Sample), 8);
    expect(() => map.set(1n, sample(1))).toThrow(/"kept" has no key 1/);
    kernel.map('kept').update(new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0]), new Uint8Array(16), 0n);
    map.set(1n, sample(1));
    expect([...map]).toEqual([[1n, sample(1)]]);
    expect([map.has(1n), map.has(2n), map.getBytes(1n)?.length]).toEqual([true, false, 16]);
  });

  it('has a value for each CPU', () => {
    const kernel = fakeKernel({ cpus: 2 });
    const map = open(kernel, 'PERCPU_CGROUP_STORAGE', percpuCgroupStorage(u64, Sample), 8);
    kernel.map('kept').update(new Uint8Array(8), new Uint8Array(32), 0n);
    map.set(0n, [sample(1), sample(2)]);
    expect([map.sum(0n, ({ pid }) => pid), map.sum(1n, ({ pid }) => pid)]).toEqual([3, undefined]);
  });
});
