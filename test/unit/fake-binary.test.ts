import { openObject } from '@bpfskel/runtime';
import { fakeBinary, fakeKernel } from '@bpfskel/runtime/testing';
import { describe, expect, it } from 'vitest';
import { testObject } from './object-editor.js';

describe('a fake kernel with a fake binary', () => {
  it('lets uprobes of a skeleton find their places', () => {
    const kernel = fakeKernel();
    kernel.setFile('/usr/lib/libc.so.6', fakeBinary({ exports: ['open', 'openat'] }));
    const bytes = testObject('../../examples/opensnoop/opensnoop.o');
    const open = openObject(bytes, { kernel, kernelBtf: bytes });
    for (const program of open.progs.values()) program.autoload = program.section.includes('libc');
    using skel = open.load();
    skel.attach();
    expect(kernel.links.map(({ target, program }) => `${program.name} ${target}`)).toEqual([
      'libc_open /usr/lib/libc.so.6',
      'libc_open_done /usr/lib/libc.so.6',
      'libc_openat /usr/lib/libc.so.6',
      'libc_openat_done /usr/lib/libc.so.6',
    ]);
    skel.detach();
    expect(kernel.links).toEqual([]);
  });

  it('says which binary a test has to make', () => {
    using skel = openObject(testObject('usdt.o')).load({ kernel: fakeKernel() });
    expect(() => skel.attach()).toThrow('there is no build/probed/probed');
  });

  it.each(['6.12', '6.1'])('lets USDT probes find theirs on Linux %s', (version) => {
    const kernel = fakeKernel({ version });
    const usdt = [{ provider: 'test', name: 'args', args: '-4@%eax', semaphore: 4 }];
    kernel.setFile('build/probed/probed', fakeBinary({ usdt, fixed: true }));
    using skel = openObject(testObject('usdt.o')).load({ kernel });
    skel.attach();
    expect(kernel.links).toHaveLength(1);
    const [argument] = kernel.map('__bpf_usdt_specs').entries();
    expect(Buffer.from(argument?.[1] ?? []).toString('hex', 8, 16)).toBe('0100000050000120');
    skel.detach();
    expect(kernel.links).toEqual([]);
  });
});
