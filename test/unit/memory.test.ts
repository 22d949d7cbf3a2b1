import { describe, expect, it } from 'vitest';
import { CopiedMemory, MappedMemory, mappedSize, openMemory } from '../../runtime/src/map/memory.js';
import { fakeKernel } from '../../runtime/src/testing/index.js';
import { BPF_F_MMAPABLE, BPF_MAP_TYPE } from '../../runtime/src/uapi.js';
import { liveHandle } from './live-map.js';

const attributes = { type: BPF_MAP_TYPE.ARRAY, name: 'hello.bss', keySize: 4, valueSize: 20, maxEntries: 1 };

describe.each([
  ['shared with the kernel', BPF_F_MMAPABLE, MappedMemory],
  ['copied', 0, CopiedMemory],
])('memory of globals that is %s', (_how, flags, kind) => {
  const open = (writable = true) => {
    const kernel = fakeKernel();
    const live = liveHandle(kernel, { ...attributes, flags });
    const memory = openMemory(live.handle, writable);
    const inKernel = () => {
      const value = new Uint8Array(20);
      kernel.mapLookup(live.fd, new Uint8Array(4), value);
      return [...value];
    };
    return { kernel, ...live, memory, inKernel };
  };

  it('is of its kind', () => {
    expect(open().memory).toBeInstanceOf(kind);
  });

  it('shows what a program writes', () => {
    const { memory, kernel, fd } = open();
    kernel.mapUpdate(fd, new Uint8Array(4), new Uint8Array(20).fill(7));
    expect(memory.view().byteLength).toBe(20);
    expect(memory.view().getUint8(19)).toBe(7);
  });

  it('shows a program what is written', () => {
    const { memory, inKernel } = open();
    memory.view().setUint32(16, 0x01020304, true);
    memory.flush();
    expect(inKernel().slice(16)).toEqual([4, 3, 2, 1]);
  });

  it('says whether it may be written to', () => {
    expect(open(true).memory.writable).toBe(true);
    expect(open(false).memory.writable).toBe(false);
  });

  it('closes with its object, and once', () => {
    const { memory, destroy, kernel } = open();
    destroy();
    memory.close();
    expect(memory.closed).toBe(true);
    expect(() => memory.view()).toThrow('access hello.bss: its object is destroyed');
    expect(kernel.calls.filter((call) => call === 'munmap').length).toBeLessThan(2);
  });
});

describe('mappedSize', () => {
  it.each([
    [20, 1, 4096, 4096],
    [4096, 1, 4096, 4096],
    [4097, 1, 4096, 8192],
    [4, 1024, 4096, 8192],
    [20, 1, 65_536, 65_536],
  ])('of values of %s bytes, %s of them, on pages of %s is %s', (value, entries, page, size) => {
    expect(mappedSize(value, entries, page)).toBe(size);
  });
});
