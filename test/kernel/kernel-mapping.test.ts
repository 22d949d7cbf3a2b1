import { afterEach, describe, expect, it } from 'vitest';
import type { Fd } from '../../runtime/src/kernel/kernel.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { BPF_F_MMAPABLE, BPF_F_RDONLY_PROG, BPF_MAP_TYPE } from '../../runtime/src/uapi.js';
import { runChild } from './child.js';

const kernel = linuxKernel();
const open: Fd[] = [];
afterEach(() => {
  for (const fd of open.splice(0)) kernel.close(fd);
});

function mappable(valueSize: number, flags = 0): Fd {
  const fd = kernel.mapCreate({
    type: BPF_MAP_TYPE.ARRAY,
    keySize: 4,
    valueSize,
    maxEntries: 1,
    flags: BPF_F_MMAPABLE | flags,
  });
  open.push(fd);
  return fd;
}

const key = new Uint8Array(4);

describe('a mapping', () => {
  it('is the memory of the map, in both directions', () => {
    const fd = mappable(16);
    const { buffer, close } = kernel.mmap(fd, 0, kernel.pageSize, true);
    const words = new BigUint64Array(buffer);
    kernel.mapUpdate(fd, key, new Uint8Array(16).fill(1));
    expect(words[1]).toBe(0x0101010101010101n);
    Atomics.store(words, 0, 7n);
    const value = new Uint8Array(16);
    expect(kernel.mapLookup(fd, key, value)).toBe(true);
    expect(value[0]).toBe(7);
    close();
  });

  it('reads zeros and forgets writes once it is closed, however often', () => {
    const fd = mappable(16);
    const mapping = kernel.mmap(fd, 0, kernel.pageSize, true);
    const bytes = new Uint8Array(mapping.buffer);
    bytes[0] = 9;
    mapping.close();
    mapping.close();
    expect(bytes[0]).toBe(0);
    bytes[0] = 5;
    const value = new Uint8Array(16);
    kernel.mapLookup(fd, key, value);
    expect(value[0]).toBe(9);
  });

  it('outlives the descriptor', () => {
    const fd = kernel.mapCreate({
      type: BPF_MAP_TYPE.ARRAY,
      keySize: 4,
      valueSize: 8,
      maxEntries: 1,
      flags: BPF_F_MMAPABLE,
    });
    const mapping = kernel.mmap(fd, 0, kernel.pageSize, true);
    kernel.close(fd);
    new Uint8Array(mapping.buffer)[0] = 3;
    expect(new Uint8Array(mapping.buffer)[0]).toBe(3);
    mapping.close();
  });

  it('is refused writable where the map is frozen', () => {
    const fd = mappable(8, BPF_F_RDONLY_PROG);
    kernel.mapFreeze(fd);
    expect(() => kernel.mmap(fd, 0, kernel.pageSize, true)).toThrow('mmap: operation not permitted (EPERM)');
    const mapping = kernel.mmap(fd, 0, kernel.pageSize, false);
    expect(new Uint8Array(mapping.buffer)[0]).toBe(0);
    mapping.close();
  });

  it('is refused of a map without BPF_F_MMAPABLE', () => {
    const fd = kernel.mapCreate({ type: BPF_MAP_TYPE.ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 });
    open.push(fd);
    expect(() => kernel.mmap(fd, 0, kernel.pageSize, true)).toThrow(/^mmap: .*\(E[A-Z]+\)$/);
  });
});

describe('address space', () => {
  const start = `
    import { readFileSync } from 'node:fs';
    const fd = kernel.mapCreate({ type: 2, keySize: 4, valueSize: 8, maxEntries: 1 << 17, flags: 0x400 });
    const length = 1 << 20;
    const size = () => Number(/^VmSize:\\s+(\\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]) / 1024;
    const collect = async () => { for (let i = 0; i < 4; i++) { gc(); await sleep(5); } };`;

  it('comes back when nobody can look at a closed mapping any more', () => {
    const child = runChild(
      `${start}
      await collect();
      const before = size();
      for (let i = 0; i < 2000; i++) {
        kernel.mmap(fd, 0, length, true).close();
        if (i % 100 === 0) await collect();
      }
      await collect();
      console.log(Math.round((size() - before) / 2000 * 100) / 100);`,
      ['--expose-gc'],
    );
    expect(child.stderr).toBe('');
    // Of the 1 MiB each, nearly nothing.
    expect(Number(child.stdout)).toBeLessThan(0.1);
  });

  it('stays while a stale view is held, so that reading it is harmless', () => {
    const child = runChild(
      `${start}
      const views = [];
      for (let i = 0; i < 200; i++) {
        const mapping = kernel.mmap(fd, 0, length, i % 2 === 0);
        views.push(new DataView(mapping.buffer, 4096));
        mapping.close();
      }
      kernel.close(fd);
      await collect();
      console.log(views.reduce((sum, view) => sum + view.getUint32(8) + view.getUint32(900000), 0));`,
      ['--expose-gc'],
    );
    expect([child.status, child.stdout.trim(), child.stderr]).toEqual([0, '0', '']);
  });
});
