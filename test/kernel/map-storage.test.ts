import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import type { Codec } from '../../runtime/src/codec/codec.js';
import { encodeInsns, LD_IMM64, PseudoLoad } from '../../runtime/src/insn.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import type { AttachedStorage } from '../../runtime/src/map/attached-storage.js';
import { cgroupStorage } from '../../runtime/src/map/cgroup-storage.js';
import { cgrpStorage } from '../../runtime/src/map/cgrp-storage.js';
import { inodeStorage } from '../../runtime/src/map/inode-storage.js';
import type { BpfMap } from '../../runtime/src/map/map.js';
import { percpuCgroupStorage } from '../../runtime/src/map/percpu-cgroup-storage.js';
import { skStorage } from '../../runtime/src/map/sk-storage.js';
import { taskStorage } from '../../runtime/src/map/task-storage.js';
import { BPF_ATTACH_TYPE, BPF_F_NO_PREALLOC, BPF_PROG_TYPE, kernelVersion } from '../../runtime/src/uapi.js';
import type { BtfBuilder } from '../unit/btf-builder.js';
import { u64 } from '../unit/live-map.js';
import { kernelHas } from './facts.js';
import { mapContract } from './map-contract.js';
import { type TestSocket, udpSocket } from './map-sockets.js';

const kernel = linuxKernel();
const cpus = kernel.possibleCpus();
const BPF_FUNC_GET_LOCAL_STORAGE = 81;

let folder: string;
let cgroup: string;
let file: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'storage-'));
  mkdirSync(join(folder, 'cgroup'));
  execFileSync('mount', ['-t', 'cgroup2', 'none', join(folder, 'cgroup')]);
  cgroup = join(folder, 'cgroup', `storage-${process.pid}`);
  mkdirSync(cgroup);
  file = join(folder, 'file');
  writeFileSync(file, '');
  linkSync(file, join(folder, 'link'));
});
afterAll(() => {
  rmdirSync(cgroup);
  execFileSync('umount', [join(folder, 'cgroup')]);
  rmSync(folder, { recursive: true });
});

const frozen = <M extends BpfMap>(map: M): M => {
  map.freeze();
  return map;
};
/** What the kernel wants of every local storage: an `int` key that BTF describes, entries without a limit. */
const local = {
  attributes: { valueSize: 8, maxEntries: 0, flags: BPF_F_NO_PREALLOC },
  types: (btf: BtfBuilder) => ({ key: btf.int('int', 4), value: btf.int('u64', 8, 'unsigned') }),
};

let socket: TestSocket | undefined;
const theSocket = () => {
  socket ??= udpSocket();
  return socket;
};
mapContract({
  type: 'SK_STORAGE',
  shape: skStorage(u64),
  ...local,
  put: (map) => map.set(theSocket(), 7n),
  see: (map) => [map.get(theSocket()), map.has(theSocket().fd), map.getBytes(theSocket())?.[0]],
  shown: [7n, true, 7],
  end: () => {
    socket?.[Symbol.dispose]();
    socket = undefined;
  },
  refuse: (map) => map.set(theSocket(), 1n, { flag: 'exist' }),
  refusal: /^map "table" has no key \d+|map "table" has no key \{"fd":\d+\}, and flag is 'exist'/,
  more: {
    'is of one socket': (map) => {
      using other = udpSocket();
      map.set(theSocket(), 1n, { flag: 'create' });
      expect([map.get(other), map.has(other), map.delete(other)]).toEqual([undefined, false, false]);
      expect([map.delete(theSocket()), map.get(theSocket())]).toEqual([true, undefined]);
    },
  },
});

mapContract({
  type: 'TASK_STORAGE',
  when: kernel.version >= kernelVersion(5, 11),
  shape: taskStorage(u64),
  ...local,
  put: (map) => map.set(process.pid, 7n),
  see: (map) => [map.get(process.pid), map.get(1), map.has(process.pid)],
  shown: [7n, undefined, true],
  refuse: (map) => map.get(0x3fffff),
  refusal: /^find process 4194303 for map "table": .*\((ESRCH|EINVAL)\)$/,
  more: {
    'takes a pidfd': (map) => {
      const pidfd = kernel.pidfdOpen(process.pid);
      expect(map.set({ pidfd }, 3n).get(process.pid)).toBe(3n);
      kernel.close(pidfd);
      expect([map.delete(process.pid), map.delete(process.pid)]).toEqual([true, false]);
    },
  },
});

mapContract({
  type: 'INODE_STORAGE',
  when: kernelHas.lsm,
  shape: inodeStorage(u64),
  ...local,
  put: (map) => map.set(file, 7n),
  see: (map) => [map.get(file), map.get(join(folder, 'link')), map.get(folder)],
  shown: [7n, 7n, undefined],
  refuse: (map) => frozen(map).set(file, 1n),
  refusal: /^set "\S+file" of map "table": .*\(EPERM\)$/,
  more: {
    'takes descriptors': (map) => {
      const fd = kernel.openFile(file);
      expect(map.set(fd, 3n).get(file)).toBe(3n);
      kernel.close(fd);
      expect(map.delete(file)).toBe(true);
    },
  },
});

mapContract({
  type: 'CGRP_STORAGE',
  when: kernel.version >= kernelVersion(6, 2),
  shape: cgrpStorage(u64),
  ...local,
  put: (map) => map.set(cgroup, 7n),
  see: (map) => [map.get(cgroup), map.get(join(folder, 'cgroup'))],
  shown: [7n, undefined],
  refuse: (map) => map.set(folder, 7n),
  refusal:
    /^use map "table": \S+ is not a cgroup of version 2 \((EBADF|EINVAL)\)\. The cgroups of version 2 are below/,
  more: { 'forgets what is deleted': (map) => expect(map.set(cgroup, 1n).delete(cgroup)).toBe(true) },
});

const attachType = BPF_ATTACH_TYPE.CGROUP_INET_EGRESS;
/** `struct bpf_cgroup_storage_key` */
interface StorageKey {
  cgroup_inode_id: bigint;
  attach_type: number;
}
const StorageKey: Codec<StorageKey> = {
  size: 16,
  read: (view, offset) => ({
    cgroup_inode_id: view.getBigUint64(offset, true),
    attach_type: view.getUint32(offset + 8, true),
  }),
  write(view, offset, { cgroup_inode_id, attach_type }) {
    view.setBigUint64(offset, cgroup_inode_id, true);
    view.setUint32(offset + 8, attach_type, true);
  },
};
const keyHere = (): StorageKey => ({
  cgroup_inode_id: statSync(cgroup, { bigint: true }).ino,
  attach_type: attachType,
});
const nowhere: StorageKey = { cgroup_inode_id: 1n << 60n, attach_type: attachType };

let detach: (() => void) | undefined;
/** Attaches a program that keeps something in the map to the cgroup. */
function attachTo({ fd }: BpfMap): void {
  const insns = encodeInsns(
    [
      { code: LD_IMM64, dst: 1, src: PseudoLoad.MAP_FD, imm: fd },
      { code: 0 },
      { code: 0xb7, dst: 2 },
      { code: 0x85, imm: BPF_FUNC_GET_LOCAL_STORAGE },
      { code: 0xb7, imm: 1 },
      { code: 0x95 },
    ],
    kernel.littleEndian,
  );
  const prog = kernel.progLoad({
    type: BPF_PROG_TYPE.CGROUP_SKB,
    insns,
    license: 'GPL',
    expectedAttachType: attachType,
  });
  const target = kernel.openFile(cgroup);
  kernel.progAttach({ target, prog, attachType });
  detach = () => {
    kernel.progDetach({ target, prog, attachType });
    kernel.close(target);
    kernel.close(prog);
    detach = undefined;
  };
}

mapContract<AttachedStorage<StorageKey, bigint>>({
  type: 'CGROUP_STORAGE',
  shape: cgroupStorage(StorageKey, u64),
  attributes: { keySize: 16, valueSize: 8, maxEntries: 0 },
  put(map) {
    attachTo(map);
    map.set(keyHere(), 7n);
  },
  end: () => detach?.(),
  see: (map) => [map.get(keyHere()), map.has(nowhere), [...map]],
  get shown() {
    return [7n, false, [[keyHere(), 7n]]];
  },
  refuse: (map) => map.set(nowhere, 1n),
  refusal: /^map "table" has no key/,
});

mapContract<AttachedStorage<bigint, bigint[]>>({
  type: 'PERCPU_CGROUP_STORAGE',
  variant: 'of whole cgroups',
  shape: percpuCgroupStorage(u64, u64),
  attributes: { keySize: 8, valueSize: 8, maxEntries: 0 },
  put(map) {
    attachTo(map);
    map.set(keyHere().cgroup_inode_id, new Array(cpus).fill(2n));
  },
  end: () => detach?.(),
  see: (map) => map.get(keyHere().cgroup_inode_id),
  shown: new Array(cpus).fill(2n),
  refuse: (map) => map.set(1n << 60n, new Array(cpus).fill(1n)),
  refusal: /^map "table" has no key/,
});
