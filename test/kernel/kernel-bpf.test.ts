import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmdirSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { isBpfError } from '../../runtime/src/errors.js';
import type { Fd, MapCreate } from '../../runtime/src/kernel/kernel.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import {
  BPF_EXIST,
  BPF_MAP_TYPE,
  BPF_NOEXIST,
  BPF_PROG_TYPE,
  kernelVersion,
} from '../../runtime/src/uapi.js';
import { runChild } from './child.js';
import './facts.js';

const kernel = linuxKernel();
const open: Fd[] = [];
const own = (fd: Fd): Fd => {
  open.push(fd);
  return fd;
};
afterEach(() => {
  for (const fd of open.splice(0)) kernel.close(fd);
});

const map = (type: keyof typeof BPF_MAP_TYPE, shape: Partial<MapCreate> = {}): Fd =>
  own(kernel.mapCreate({ type: BPF_MAP_TYPE[type], keySize: 4, valueSize: 8, maxEntries: 64, ...shape }));
const u32 = (value: number): Uint8Array => new Uint8Array(new Uint32Array([value]).buffer);
const u64 = (value: bigint): Uint8Array => new Uint8Array(new BigUint64Array([value]).buffer);

// r0 = 2; exit
const pass = new Uint8Array([0xb7, 0, 0, 0, 2, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0]);
// exit, without a result
const bad = new Uint8Array([0x95, 0, 0, 0, 0, 0, 0, 0]);

/** The error, as plain data. */
function refusal(action: () => unknown) {
  try {
    action();
  } catch (error) {
    if (!isBpfError(error)) throw error;
    const { code, errno, syscall, message, hint } = error;
    return { code, errno, syscall, message, hint };
  }
  throw new Error('was not refused');
}

describe('element calls that reuse their buffers', () => {
  const key = u32(1);
  const value = u64(0n);
  const put = (fd: Fd, at: number, what: bigint, flags?: bigint) => {
    key.set(u32(at));
    value.set(u64(what));
    kernel.mapUpdate(fd, key, value, flags);
  };
  const get = (fd: Fd, at: number): bigint | undefined => {
    key.set(u32(at));
    return kernel.mapLookup(fd, key, value) ? new DataView(value.buffer).getBigUint64(0, true) : undefined;
  };

  it('reach the map that was named, with what the buffers hold now', () => {
    const [a, b] = [map('HASH'), map('HASH')];
    put(a, 1, 10n);
    put(b, 1, 20n);
    put(a, 2, 11n);
    expect([get(a, 1), get(b, 1), get(a, 2), get(b, 2)]).toEqual([10n, 20n, 11n, undefined]);
  });

  it('use the flags of this call, not of the one before', () => {
    const fd = map('HASH');
    put(fd, 1, 1n, BPF_NOEXIST);
    put(fd, 1, 2n);
    expect(refusal(() => put(fd, 1, 3n, BPF_NOEXIST)).code).toBe('EEXIST');
    expect(get(fd, 1)).toBe(2n);
  });

  it('reach a map whose descriptor was another map a moment ago', () => {
    const first = kernel.mapCreate({ type: BPF_MAP_TYPE.HASH, keySize: 4, valueSize: 8, maxEntries: 1 });
    put(first, 1, 1n);
    kernel.close(first);
    const second = map('HASH');
    expect(second).toBe(first);
    expect(get(second, 1)).toBeUndefined();
  });

  it('tell a queue, which has no key, from a hash', () => {
    const [hash, queue] = [map('HASH'), map('QUEUE', { keySize: 0 })];
    put(hash, 1, 1n);
    kernel.mapUpdate(queue, null, value);
    expect([kernel.mapLookupAndDelete(queue, null, value), get(hash, 1)]).toEqual([true, 1n]);
  });
});

describe('a map', () => {
  it('keeps entries', () => {
    const fd = map('HASH', { name: 'entries' });
    const value = u64(0n);
    expect(kernel.mapLookup(fd, u32(1), value)).toBe(false);
    kernel.mapUpdate(fd, u32(1), u64(10n));
    kernel.mapUpdate(fd, u32(1), u64(11n), BPF_EXIST);
    expect([kernel.mapLookup(fd, u32(1), value), value]).toEqual([true, u64(11n)]);
    expect(refusal(() => kernel.mapUpdate(fd, u32(1), value, BPF_NOEXIST)).code).toBe('EEXIST');
    expect(refusal(() => kernel.mapUpdate(fd, u32(2), value, BPF_EXIST)).code).toBe('ENOENT');
    expect([kernel.mapDelete(fd, u32(1)), kernel.mapDelete(fd, u32(1))]).toEqual([true, false]);
  });

  it('gives its keys one after the other', () => {
    const fd = map('HASH');
    const keys = [3, 5, 7, 900];
    for (const key of keys) kernel.mapUpdate(fd, u32(key), u64(1n));
    const seen: number[] = [];
    const next = u32(0);
    for (let key: Uint8Array | null = null; kernel.mapNextKey(fd, key, next); key = next.slice()) {
      seen.push(new Uint32Array(next.buffer)[0] ?? -1);
    }
    expect(seen.sort((a, b) => a - b)).toEqual(keys);
  });

  it('gives its entries many at a time', () => {
    const fd = map('HASH', { maxEntries: 1000 });
    for (let i = 0; i < 1000; i++) kernel.mapUpdate(fd, u32(i), u64(BigInt(i * i)));
    const keys = new Uint8Array(4 * 300);
    const values = new Uint8Array(8 * 300);
    const seen = new Map<number, bigint>();
    let cursor: Uint8Array | null | undefined = null;
    let rounds = 0;
    while (cursor !== undefined) {
      const batch = kernel.mapLookupBatch(fd, { keys, values, count: 300, cursor, keySize: 4 });
      const ids = new Uint32Array(keys.buffer, 0, batch.count);
      ids.forEach((id, i) => {
        seen.set(id, new BigUint64Array(values.buffer)[i] ?? -1n);
      });
      cursor = batch.cursor;
      rounds++;
    }
    expect(rounds).toBeGreaterThan(3);
    expect([...seen].every(([id, square]) => square === BigInt(id * id))).toBe(true);
    expect(seen.size).toBe(1000);
  });

  it('is emptied many at a time', () => {
    const fd = map('HASH');
    for (let i = 0; i < 10; i++) kernel.mapUpdate(fd, u32(i), u64(0n));
    const batch = {
      keys: new Uint8Array(256),
      values: new Uint8Array(512),
      count: 64,
      cursor: null,
      keySize: 4,
    };
    expect(kernel.mapLookupBatch(fd, { ...batch, remove: true }).count).toBe(10);
    expect(kernel.mapNextKey(fd, null, u32(0))).toBe(false);
  });

  it('without keys is a queue', () => {
    const fd = map('QUEUE', { keySize: 0 });
    kernel.mapUpdate(fd, null, u64(1n));
    kernel.mapUpdate(fd, null, u64(2n));
    const value = u64(0n);
    const taken = [1, 2, 3].map(() => [kernel.mapLookupAndDelete(fd, null, value), value[0]]);
    expect(taken.slice(0, 2)).toEqual([
      [true, 1],
      [true, 2],
    ]);
    expect(taken[2]?.[0]).toBe(false);
  });

  it('has a value per possible CPU', () => {
    const fd = map('PERCPU_ARRAY', { maxEntries: 1 });
    const cpus = kernel.possibleCpus();
    const sent = new Uint8Array(8 * cpus).map((_, i) => i);
    kernel.mapUpdate(fd, u32(0), sent);
    const read = new Uint8Array(8 * cpus);
    expect(kernel.mapLookup(fd, u32(0), read)).toBe(true);
    expect(read).toEqual(sent);
    expect(kernel.onlineCpus().length).toBeLessThanOrEqual(cpus);
  });

  it('tells what it is', () => {
    const fd = map('RINGBUF', { keySize: 0, valueSize: 0, maxEntries: 4096, name: 'a_ring' });
    expect(kernel.mapInfo(fd)).toEqual({
      type: BPF_MAP_TYPE.RINGBUF,
      id: expect.any(Number),
      keySize: 0,
      valueSize: 0,
      maxEntries: 4096,
      flags: 0,
      name: 'a_ring',
      btfId: 0,
      mapExtra: 0n,
    });
  });

  it('can be frozen', () => {
    const fd = map('ARRAY');
    kernel.mapFreeze(fd);
    expect(refusal(() => kernel.mapUpdate(fd, u32(0), u64(1n))).code).toBe('EPERM');
  });

  it('is refused in a sentence with errno and system call', () => {
    expect(refusal(() => map('RINGBUF', { maxEntries: 4096 }))).toMatchObject({
      code: 'EINVAL',
      errno: 22,
      syscall: 'bpf(BPF_MAP_CREATE)',
      message: 'bpf(BPF_MAP_CREATE): invalid argument (EINVAL)',
    });
  });

  it('works the same from buffers of every kind and size', () => {
    const keySize = 300;
    const fd = map('HASH', { keySize, valueSize: 70_000 });
    const pool = new Uint8Array(1 << 18);
    for (let i = 0; i < 20; i++) {
      const key = pool.subarray(i, i + keySize).fill(i);
      kernel.mapUpdate(fd, key.slice(), new Uint8Array(70_000).fill(i));
      const value = new Uint8Array(70_001).subarray(1);
      expect(kernel.mapLookup(fd, Buffer.from(key), value)).toBe(true);
      expect([value[0], value[69_999]]).toEqual([i, i]);
    }
  });
});

describe('a program', () => {
  it('loads, tells what it is, and is found by its id', () => {
    const fd = own(
      kernel.progLoad({ type: BPF_PROG_TYPE.XDP, insns: pass, license: 'GPL', name: 'xdp_pass' }),
    );
    const info = kernel.progInfo(fd);
    expect(info).toMatchObject({ type: BPF_PROG_TYPE.XDP, name: 'xdp_pass', mapIds: [], btfId: 0 });
    expect(info.tag).toMatch(/^[0-9a-f]{16}$/);
    expect(info.xlatedSize).toBe(16);
    const again = own(kernel.progById(info.id));
    expect(kernel.progInfo(again)).toEqual(info);
    expect(refusal(() => kernel.progById(0x7fffffff)).code).toBe('ENOENT');
  });

  it('names its maps', () => {
    // A chain of ld_imm64, of nearly as many maps as a program may have.
    const maps = Array.from({ length: 63 }, () => map('ARRAY', { maxEntries: 1 }));
    const insns = new Uint8Array(maps.length * 16 + pass.length);
    const view = new DataView(insns.buffer);
    maps.forEach((fd, i) => {
      view.setUint8(i * 16, 0x18);
      view.setUint8(i * 16 + 1, 0x12); // r2 = map by fd
      view.setInt32(i * 16 + 4, fd, kernel.littleEndian);
    });
    insns.set(pass, maps.length * 16);
    const fd = own(kernel.progLoad({ type: BPF_PROG_TYPE.SOCKET_FILTER, insns, license: 'GPL' }));
    expect(kernel.progInfo(fd).mapIds).toEqual(maps.map((id) => kernel.mapInfo(id).id));
  });

  it('runs on given data', () => {
    const fd = own(kernel.progLoad({ type: BPF_PROG_TYPE.XDP, insns: pass, license: 'GPL' }));
    const data = new Uint8Array(64).fill(7);
    const result = kernel.progTestRun(fd, { data, repeat: 10 });
    expect(result.returnValue).toBe(2);
    expect(result.data).toEqual(data);
  });

  it('leaves the log of a refusal in the buffer', () => {
    const log = { level: 1, buffer: new Uint8Array(4096) };
    const load = () => kernel.progLoad({ type: BPF_PROG_TYPE.XDP, insns: bad, license: 'GPL', log });
    expect(refusal(load)).toMatchObject({ code: 'EACCES', syscall: 'bpf(BPF_PROG_LOAD)' });
    expect(Buffer.from(log.buffer).toString()).toContain('R0 !read_ok');
  });

  it('is refused with ENOSPC when the log is too small', () => {
    // 128 bytes are the least that Linux took before 6.4.
    const log = { level: 2, buffer: new Uint8Array(128) };
    const load = () => kernel.progLoad({ type: BPF_PROG_TYPE.XDP, insns: bad, license: 'GPL', log });
    expect(refusal(load).code).toBe('ENOSPC');
  });
});

describe('BTF', () => {
  it('of the kernel is listed by name, and opens by id', () => {
    const vmlinux = kernel.btfObjects().find(({ name }) => name === 'vmlinux');
    expect(vmlinux?.kernel).toBe(true);
    own(kernel.btfById(vmlinux?.id ?? 0));
    expect(refusal(() => kernel.btfById(0x7fffffff))).toMatchObject({
      code: 'ENOENT',
      message: 'bpf(BPF_BTF_GET_FD_BY_ID): BTF id 2147483647: no such file or directory (ENOENT)',
    });
  });

  it('is refused when it is none', () => {
    expect(refusal(() => kernel.btfLoad(new Uint8Array(64))).code).toBe('EINVAL');
  });
});

describe('pinning', () => {
  it('keeps a map under a path', () => {
    const directory = '/sys/fs/bpf/bpfskel-kernel-test';
    mkdirSync(directory, { recursive: true });
    const path = join(directory, 'map');
    const fd = map('ARRAY');
    try {
      kernel.pin(fd, path);
      expect(kernel.mapInfo(own(kernel.pinned(path))).id).toBe(kernel.mapInfo(fd).id);
      expect(refusal(() => kernel.pin(fd, path)).message).toBe(
        `bpf(BPF_OBJ_PIN): ${path}: file exists (EEXIST)`,
      );
    } finally {
      unlinkSync(path);
      rmdirSync(directory);
    }
    expect(refusal(() => kernel.pinned(path)).message).toContain('no such file or directory (ENOENT)');
  });

  it('says when the directory is not in a BPF file system', () => {
    const directory = mkdtempSync(join(tmpdir(), 'bpfskel-'));
    const fd = map('ARRAY');
    expect(refusal(() => kernel.pin(fd, join(directory, 'map'))).hint).toContain('not in a BPF file system');
    rmdirSync(directory);
    expect(refusal(() => kernel.pin(fd, join(directory, 'map'))).hint).toContain('create the directory');
  });
});

describe('descriptors', () => {
  it('are close-on-exec and never a standard stream', () => {
    const child = runChild(`
      import { closeSync, readFileSync } from 'node:fs';
      closeSync(0);
      const fd = kernel.mapCreate({ type: 2, keySize: 4, valueSize: 8, maxEntries: 1 });
      const flags = parseInt(/flags:\\s+(\\d+)/.exec(readFileSync('/proc/self/fdinfo/' + fd, 'utf8'))[1], 8);
      console.log(fd > 2, (flags & 0o2000000) !== 0);`);
    expect(child.stdout.trim()).toBe('true true');
  });

  it('do not leak from refusals', () => {
    const count = () => readdirSync('/proc/self/fd').length;
    const before = count();
    for (let i = 0; i < 50; i++) {
      refusal(() => kernel.progLoad({ type: BPF_PROG_TYPE.XDP, insns: bad, license: 'GPL' }));
      refusal(() => kernel.packetSocket(0x7ffffff));
      refusal(() => kernel.xdpQuery(0x7ffffff));
      refusal(() => kernel.watch(9999, () => undefined));
    }
    // The descriptor that waits for everything watched stays.
    expect(count() - before).toBeLessThanOrEqual(2);
  });

  it('are refused to be closed twice', () => {
    const fd = kernel.openFile('/proc/self/status');
    const text = new Uint8Array(64);
    expect(kernel.read(fd, text)).toBe(64);
    expect(readlinkSync(`/proc/self/fd/${fd}`)).toContain('/status');
    kernel.close(fd);
    expect(refusal(() => kernel.close(fd))).toMatchObject({ code: 'EBADF', syscall: 'close' });
  });
});

describe('the host', () => {
  it('has a version, a page size, and CPUs', () => {
    expect(kernel.version).toBeGreaterThan(kernelVersion(5, 0));
    expect(kernel.release).toMatch(/^\d+\.\d+/);
    expect([4096, 16384, 65536]).toContain(kernel.pageSize);
    expect(kernel.possibleCpus()).toBeGreaterThan(0);
  });

  it('gives files, or undefined when they do not exist', () => {
    expect(kernel.readFile('/proc/sys/kernel/osrelease')?.length).toBeGreaterThan(3);
    expect(kernel.readFile('/proc/self/nope')).toBeUndefined();
    expect(kernel.readFile('/proc/self/status/nope')).toBeUndefined();
    expect(kernel.listDirectory('/proc/self/nope')).toBeUndefined();
    expect(kernel.listDirectory('/sys/fs')).toContain('bpf');
    expect(refusal(() => kernel.readFile('/proc')).code).toBe('EISDIR');
    expect(refusal(() => kernel.writeFile('/proc/self/nope', 'x'))).toMatchObject({
      code: 'ENOENT',
      message: 'open: /proc/self/nope: no such file or directory (ENOENT)',
    });
  });
});
