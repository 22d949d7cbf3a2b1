import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { encodeInsns, LD_IMM64, PseudoLoad } from '../../runtime/src/insn.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { buildIdStackTrace } from '../../runtime/src/map/build-id-stack-trace.js';
import { cgroupArray } from '../../runtime/src/map/cgroup-array.js';
import { cpumap } from '../../runtime/src/map/cpumap.js';
import type { DeviceMap } from '../../runtime/src/map/devices.js';
import { devmap } from '../../runtime/src/map/devmap.js';
import { devmapHash } from '../../runtime/src/map/devmap-hash.js';
import type { BpfMap } from '../../runtime/src/map/map.js';
import { hasCode } from '../../runtime/src/map/map-error.js';
import { progArray } from '../../runtime/src/map/prog-array.js';
import { reuseportSockarray } from '../../runtime/src/map/reuseport-sockarray.js';
import type { SocketMap } from '../../runtime/src/map/sockets.js';
import { sockhash } from '../../runtime/src/map/sockhash.js';
import { sockmap } from '../../runtime/src/map/sockmap.js';
import { stackTrace } from '../../runtime/src/map/stack-trace.js';
import { xskmap } from '../../runtime/src/map/xskmap.js';
import { BPF_ATTACH_TYPE, BPF_F_STACK_BUILD_ID, BPF_PROG_TYPE } from '../../runtime/src/uapi.js';
import { u32 } from '../unit/live-map.js';
import { mapContract } from './map-contract.js';
import { type TestSocket, udpSocket, xdpSocket } from './map-sockets.js';

const kernel = linuxKernel();
const BPF_FUNC_GET_STACKID = 27;
const BPF_F_USER_STACK = 0x100;

/** Runs a program that keeps its stack in the map, and gives the stack's id. */
function keepStack({ fd }: BpfMap, flags: number): number {
  const insns = encodeInsns(
    [
      { code: LD_IMM64, dst: 2, src: PseudoLoad.MAP_FD, imm: fd },
      { code: 0 },
      { code: 0xb7, dst: 3, imm: flags },
      { code: 0x85, imm: BPF_FUNC_GET_STACKID },
      { code: 0x95 },
    ],
    kernel.littleEndian,
  );
  const prog = kernel.progLoad({ type: BPF_PROG_TYPE.RAW_TRACEPOINT, insns, license: 'GPL' });
  try {
    return kernel.progTestRun(prog, {}).returnValue | 0;
  } finally {
    kernel.close(prog);
  }
}

/** A loaded XDP program that lets packets pass, of `SEC("xdp/devmap")` or `SEC("xdp/cpumap")`. */
function xdpProgram(expectedAttachType: number): Disposable & { readonly fd: number } {
  const insns = encodeInsns([{ code: 0xb7, imm: 2 }, { code: 0x95 }], kernel.littleEndian);
  const fd = kernel.progLoad({ type: BPF_PROG_TYPE.XDP, insns, license: 'GPL', expectedAttachType });
  return { fd, [Symbol.dispose]: () => kernel.close(fd) };
}

let cgroup: string;
beforeAll(() => {
  cgroup = mkdtempSync(join(tmpdir(), 'cgroup-'));
  execFileSync('mount', ['-t', 'cgroup2', 'none', cgroup]);
});
afterAll(() => {
  execFileSync('umount', [cgroup]);
  rmdirSync(cgroup);
});

const frozen = <M extends BpfMap>(map: M): M => {
  map.freeze();
  return map;
};

mapContract({
  type: 'STACK_TRACE',
  shape: stackTrace(),
  attributes: { valueSize: 127 * 8 },
  put: (map) => expect(keepStack(map, 0)).toBeGreaterThanOrEqual(0),
  see: (map) =>
    [...map].map(([id, frames]) => map.has(id) && frames.length > 1 && frames.every((ip) => ip > 1n << 63n)),
  shown: [true],
  refuse: (map) => frozen(map).delete(0),
  refusal: /^delete from map "table": .*\(EPERM\)$/,
  more: {
    'gives the frames of one stack, symbolized too': (map) => {
      const id = keepStack(map, BPF_F_USER_STACK);
      const frames = map.get(id) ?? [];
      expect(frames.length).toBeGreaterThan(0);
      expect(frames.length).toBeLessThanOrEqual(map.depth);
      expect(map.symbolize(id, { symbolize: (address) => `${address}` })).toEqual(frames.map(String));
    },
    'forgets what is taken, deleted and cleared': (map) => {
      const id = keepStack(map, 0);
      expect([map.size, map.take(id)?.length, map.take(id), map.size]).toEqual([
        1,
        expect.any(Number),
        undefined,
        0,
      ]);
      keepStack(map, 0);
      map.clear();
      expect([...map.keys(), map.delete(id), map.get(-14)]).toEqual([false, undefined]);
    },
  },
});

mapContract({
  type: 'STACK_TRACE',
  variant: 'with build ids',
  shape: buildIdStackTrace(),
  attributes: { valueSize: 16 * 32, flags: BPF_F_STACK_BUILD_ID },
  put: (map) => expect(keepStack(map, BPF_F_USER_STACK)).toBeGreaterThanOrEqual(0),
  // What the kernel can read of a file's first page decides between place and address.
  see: (map) =>
    [...map].map(([, frames]) =>
      frames.every((frame) =>
        frame.buildId === undefined
          ? frame.address > 0n
          : /^[\da-f]{40}$/.test(frame.buildId) && frame.offset > 0n,
      ),
    ),
  shown: [true],
  refuse: (map) => frozen(map).delete(0),
  refusal: /^delete from map "table": .*\(EPERM\)$/,
  more: {
    'names the files of the stack by their build ids': (map) => {
      const frames = map.get(keepStack(map, BPF_F_USER_STACK)) ?? [];
      expect(frames.length).toBeGreaterThan(0);
      expect(frames.length).toBeLessThanOrEqual(map.depth);
    },
  },
});

mapContract({
  type: 'CGROUP_ARRAY',
  shape: cgroupArray(),
  attributes: { valueSize: 4, maxEntries: 4 },
  put: (map) => map.set(1, cgroup).set(3, cgroup),
  see: (map) => [map.delete(1), map.delete(2)],
  shown: [true, false],
  refuse: (map) => map.set(1, tmpdir()),
  refusal:
    /^set 1 of map "table": \S+ is not a cgroup of version 2 \((EBADF|EINVAL)\)\. The cgroups of version 2 are below/,
  more: {
    'takes descriptors, and refuses what is not there': (map) => {
      const fd = kernel.openFile(cgroup);
      map.set(0, fd).set(1, { fd });
      kernel.close(fd);
      map.clear();
      expect(map.delete(0)).toBe(false);
      expect(() => map.set(0, `${cgroup}/none`)).toThrow(
        /^set 0 of map "table": there is no cgroup \S+none \(ENOENT\)\. Make it: mkdir \S+none$/,
      );
    },
  },
});

const sockets: TestSocket[] = [];
/** A socket that stays open until the end of its test. */
const opened = (socket: TestSocket) => {
  sockets.push(socket);
  return socket;
};
const closeSockets = () => {
  for (const socket of sockets.splice(0)) socket[Symbol.dispose]();
};

for (const [type, shape] of [
  ['SOCKMAP', sockmap()],
  ['SOCKHASH', sockhash(u32)],
  ['REUSEPORT_SOCKARRAY', reuseportSockarray()],
] as const) {
  mapContract<SocketMap<number>>({
    type,
    shape,
    attributes: { valueSize: 8 },
    put: (map) => map.set(3, opened(udpSocket())),
    end: closeSockets,
    see: (map) => [map.has(3), map.get(4), map.size, ...map.keys()],
    shown: [true, undefined, 1, 3],
    refuse: (map) => map.set(3, 99_999),
    refusal: /^set 3 of map "table": .*\(EBADF\)$/,
    more: {
      'tells sockets apart by their cookies, and forgets them': (map) => {
        map.set(1, opened(udpSocket())).set(2, opened(udpSocket()));
        const cookies = new Map(map);
        expect(new Set(cookies.values()).size).toBe(2);
        expect([map.delete(1), map.delete(1), map.get(2)]).toEqual([true, false, cookies.get(2)]);
        map.clear();
        expect([...map]).toEqual([]);
      },
      'forgets a socket that is closed': (map) => {
        map.set(1, opened(udpSocket()));
        closeSockets();
        expect(map.get(1)).toBeUndefined();
      },
    },
  });
}

mapContract({
  type: 'PROG_ARRAY',
  shape: progArray(),
  attributes: { valueSize: 4 },
  put: (map) => {
    using program = xdpProgram(0);
    map.set(3, program);
  },
  see: (map) => [map.has(3), map.size, ...map.keys()],
  shown: [true, 1, 3],
  refuse: (map) => map.set(16, -1),
  refusal: /^set index 16 of map "table": its indexes are the integers from 0 to 15$/,
});

mapContract({
  type: 'SOCKMAP',
  variant: 'of 32-bit values',
  shape: sockmap(),
  attributes: { valueSize: 4 },
  put: (map) => map.set(3, opened(udpSocket())),
  end: closeSockets,
  see: (map) => map.delete(3),
  shown: true,
  refuse: (map) => map.get(3),
  refusal: /^get from map "table": its values have 4 bytes, and a cookie of a socket 8/,
});

mapContract({
  type: 'XSKMAP',
  shape: xskmap(),
  attributes: { valueSize: 4 },
  put: (map) => map.set(3, opened(xdpSocket())),
  end: closeSockets,
  // Only that a slot is taken can be seen.
  see(map) {
    try {
      map.set(3, opened(xdpSocket()), { flag: 'create' });
      map.delete(3);
      return 'free';
    } catch (error) {
      if (hasCode(error, 'EEXIST')) return 'taken';
      throw error;
    }
  },
  shown: 'taken',
  refuse: (map) => map.set(3, opened(udpSocket())),
  refusal: /^set 3 of map "table": .*\(EOPNOTSUPP\)$/,
  more: {
    'is emptied': (map) => {
      map.set(3, opened(xdpSocket())).clear();
      map.set(3, opened(xdpSocket()), { flag: 'create' });
    },
  },
});

for (const [type, shape] of [
  ['DEVMAP', devmap()],
  ['DEVMAP_HASH', devmapHash()],
] as const) {
  mapContract<DeviceMap>({
    type,
    shape,
    attributes: { valueSize: 8 },
    put: (map) => map.set(3, 'lo').set(5, 1),
    see: (map) => [map.get(3), map.get(4), map.has(5), map.size],
    shown: [{ ifindex: 1, name: 'lo', programId: undefined }, undefined, true, 2],
    refuse: (map) => map.set(3, 'nodevice'),
    refusal: /^put a device into map "table": .*nodevice.*\(ENODEV\)$/,
    more: {
      'runs a program for a device': (map) => {
        using program = xdpProgram(BPF_ATTACH_TYPE.XDP_DEVMAP);
        map.set(2, { device: 'lo', program });
        expect([...map]).toEqual([
          [2, { ifindex: 1, name: 'lo', programId: kernel.progInfo(program.fd).id }],
        ]);
        using other = xdpProgram(BPF_ATTACH_TYPE.XDP_CPUMAP);
        expect(() => map.set(2, { device: 'lo', program: other })).toThrow(
          /^set 2 of map "table": .*\(EINVAL\)$/,
        );
      },
      'forgets what is deleted': (map) => {
        map.set(1, 'lo').set(2, 'lo');
        expect([map.delete(1), map.delete(1), map.size]).toEqual([true, false, 1]);
        map.clear();
        expect([...map]).toEqual([]);
      },
    },
  });
}

mapContract({
  type: 'DEVMAP',
  variant: 'of device indexes alone',
  shape: devmap(),
  attributes: { valueSize: 4 },
  put: (map) => map.set(3, 'lo'),
  see: (map) => map.get(3),
  shown: { ifindex: 1, name: 'lo', programId: undefined },
  refuse: (map) => map.set(3, { device: 'lo', program: 1 }),
  refusal: /map "table": its values have 4 bytes, and 8 with a program; .*struct bpf_devmap_val/,
});

mapContract({
  type: 'CPUMAP',
  shape: cpumap(),
  attributes: { valueSize: 8, maxEntries: kernel.possibleCpus() + 1 },
  put: (map) => map.set(0, { qsize: 192 }),
  see: (map) => [map.get(0), map.has(0), map.size],
  shown: [{ qsize: 192, programId: undefined }, true, 1],
  refuse: (map) => map.set(0, { qsize: 20_000 }),
  refusal: /^set 0 of map "table": a queue has room for 16384 packets at most, and 20000 .* \(EOVERFLOW\)$/,
  more: {
    'runs a program on a CPU': (map) => {
      using program = xdpProgram(BPF_ATTACH_TYPE.XDP_CPUMAP);
      map.set(0, { qsize: 64, program });
      expect(map.get(0)).toEqual({ qsize: 64, programId: kernel.progInfo(program.fd).id });
    },
    'knows which CPUs there may be': (map) => {
      map.set(0, { qsize: 64 });
      expect(() => map.set(kernel.possibleCpus(), { qsize: 64 })).toThrow(
        /no possible CPU|indexes are the integers/,
      );
    },
    'forgets what is deleted': (map) => {
      map.set(0, { qsize: 64 });
      expect([map.delete(0), map.delete(0)]).toEqual([true, false]);
      map.set(0, { qsize: 64 }).clear();
      expect(map.has(0)).toBe(false);
    },
  },
});
