import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import type { Fd } from '../../runtime/src/kernel/kernel.js';
import { loadLibc } from '../../runtime/src/kernel/libc.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import {
  BPF_PROG_TYPE,
  PERF_COUNT_SW_CPU_CLOCK,
  PERF_TYPE_SOFTWARE,
  XDP_FLAGS_DRV_MODE,
  XDP_FLAGS_REPLACE,
  XDP_FLAGS_SKB_MODE,
  XDP_FLAGS_UPDATE_IF_NOEXIST,
} from '../../runtime/src/uapi.js';

const kernel = linuxKernel();
const open: Fd[] = [];
const own = (fd: Fd): Fd => {
  open.push(fd);
  return fd;
};
afterEach(() => {
  for (const fd of open.splice(0)) kernel.close(fd);
});

/** r0 = `result`; exit */
const returning = (result: number): Uint8Array =>
  new Uint8Array([0xb7, 0, 0, 0, result, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0]);
const load = (type: keyof typeof BPF_PROG_TYPE, result: number): Fd =>
  own(kernel.progLoad({ type: BPF_PROG_TYPE[type], insns: returning(result), license: 'GPL' }));

describe('network devices', () => {
  it('have an index and a name', () => {
    const lo = kernel.ifindex('lo');
    expect(kernel.ifname(lo)).toBe('lo');
    expect(kernel.ifname(0x7ffffff)).toBeUndefined();
    expect(() => kernel.ifindex('no\nsuch')).toThrow('if_nametoindex: no\\u{a}such: no such device (ENODEV)');
  });
});

describe('XDP over netlink', () => {
  const lo = kernel.ifindex('lo');
  const off = { mode: 'none', native: 0, generic: 0, offload: 0 };

  it('is set, found, guarded, exchanged and cleared', () => {
    const first = load('XDP', 2);
    const second = load('XDP', 2);
    const id = (fd: Fd): number => kernel.progInfo(fd).id;
    expect(kernel.xdpQuery(lo)).toEqual(off);
    try {
      kernel.xdpSet(lo, first, XDP_FLAGS_SKB_MODE);
      expect(kernel.xdpQuery(lo)).toEqual({ ...off, mode: 'generic', generic: id(first) });
      expect(() => kernel.xdpSet(lo, second, XDP_FLAGS_SKB_MODE | XDP_FLAGS_UPDATE_IF_NOEXIST)).toThrow(
        /^netlink\(RTM_SETLINK\): .+: device or resource busy \(EBUSY\)$/,
      );
      const replace = XDP_FLAGS_SKB_MODE | XDP_FLAGS_REPLACE;
      expect(() => kernel.xdpSet(lo, second, replace, second)).toThrow('EEXIST');
      kernel.xdpSet(lo, second, replace, first);
      expect(kernel.xdpQuery(lo).generic).toBe(id(second));
    } finally {
      kernel.xdpSet(lo, -1, XDP_FLAGS_SKB_MODE);
    }
    expect(kernel.xdpQuery(lo)).toEqual(off);
  });

  it('is refused with the words of the kernel', () => {
    const prog = load('XDP', 2);
    expect(() => kernel.xdpSet(lo, prog, XDP_FLAGS_DRV_MODE)).toThrow(
      /^netlink\(RTM_SETLINK\): [^:]+: operation not supported \(EOPNOTSUPP\)$/,
    );
    expect(() => kernel.xdpQuery(0x7ffffff)).toThrow('ENODEV');
  });
});

describe('packet sockets', () => {
  it('see what passes the device, through the filter that is attached', async () => {
    const lo = kernel.ifindex('lo');
    const socket = own(kernel.packetSocket(lo));
    const packet = new Uint8Array(2048);
    const sender = createSocket('udp4');
    sender.bind(0, '127.0.0.1');
    await once(sender, 'listening');
    const { port } = sender.address();
    const received = async (text: string): Promise<boolean> => {
      const arrived = once(sender, 'message');
      sender.send(text, port, '127.0.0.1');
      await arrived;
      for (let length = kernel.read(socket, packet); length > 0; length = kernel.read(socket, packet)) {
        if (Buffer.from(packet.subarray(0, length)).includes(text)) return true;
      }
      return false;
    };
    try {
      expect(await received('without a filter')).toBe(true);
      kernel.socketAttach(socket, load('SOCKET_FILTER', 0));
      expect(await received('dropped')).toBe(false);
      kernel.socketDetach(socket);
      expect(await received('without again')).toBe(true);
      expect(() => kernel.socketDetach(socket)).toThrow('setsockopt(SO_DETACH_BPF)');
    } finally {
      sender.close();
    }
  });
});

describe('groups of sockets on one port', () => {
  it('take a program, and give it back', () => {
    const socket = own(kernel.packetSocket(kernel.ifindex('lo')));
    const prog = load('SOCKET_FILTER', 0);
    expect(() => kernel.reuseportAttach(socket, prog)).toThrow('setsockopt(SO_ATTACH_REUSEPORT_EBPF)');
    const SO_REUSEPORT = 15;
    const one = new Uint8Array(new Uint32Array([1]).buffer);
    const libc = loadLibc();
    const udp = own(libc.socket(2, 2, 0));
    expect(libc.setsockopt(udp, 1, SO_REUSEPORT, one, 4)).toBe(0);
    kernel.reuseportAttach(udp, prog);
    kernel.reuseportDetach(udp);
    expect(() => kernel.reuseportDetach(udp)).toThrow('setsockopt(SO_DETACH_REUSEPORT_BPF)');
  });
});

describe('descriptors', () => {
  it('are duplicated, close-on-exec', () => {
    const file = kernel.openFile('/dev/null');
    const copy = own(kernel.duplicate(file));
    kernel.close(file);
    expect(readFileSync(`/proc/self/fdinfo/${copy}`, 'utf8')).toMatch(/^flags:\s+0?2[0-7]{6}$/m);
    expect(() => kernel.duplicate(file)).toThrow('EBADF');
  });

  it('tell the file system of what they are of', () => {
    const directory = own(kernel.openFile('/proc'));
    expect(kernel.fileSystem(`/proc/self/fd/${directory}`)).toBe(0x9fa0);
    expect(kernel.fileSystem('/nowhere/at/all')).toBeUndefined();
  });
});

describe('perf events', () => {
  it('open, are given a program, and are switched', () => {
    const event = own(
      kernel.perfEventOpen({
        type: PERF_TYPE_SOFTWARE,
        config: PERF_COUNT_SW_CPU_CLOCK,
        sampleFrequency: 10n,
        disabled: true,
        pid: -1,
        cpu: 0,
      }),
    );
    kernel.perfEventSetBpf(event, load('PERF_EVENT', 0));
    kernel.perfEventEnable(event);
    kernel.perfEventDisable(event);
  });

  it('are refused in a sentence', () => {
    const event = { type: 9999, config: 0n, pid: -1, cpu: 0 };
    expect(() => kernel.perfEventOpen(event)).toThrow(/^perf_event_open: .+ \(ENOENT\)$/);
    const file = own(kernel.openFile('/dev/null'));
    expect(() => kernel.perfEventEnable(file)).toThrow('ioctl(PERF_EVENT_IOC_ENABLE)');
  });
});
