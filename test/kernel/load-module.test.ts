import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { openObject } from '@bpfskel/runtime';
import { describe, expect, it } from 'vitest';
import { kernelHas } from './facts.js';

const object = new URL('../testdata/module_fentry.o', import.meta.url).pathname;
const ip = (...args: string[]) => execFileSync('ip', args);

describe('functions of a kernel module', () => {
  it.runIf(kernelHas.fentry)('are found in its BTF, with or without its name, and can be traced', () => {
    execFileSync('modprobe', ['veth']);
    const before = readdirSync('/proc/self/fd').length;
    const live = openObject(object).load();
    try {
      live.attach();
      ip('link', 'add', 'bpfskel-m0', 'type', 'veth', 'peer', 'name', 'bpfskel-m1');
      ip('link', 'set', 'bpfskel-m0', 'up');
      ip('link', 'set', 'bpfskel-m0', 'down');
      const counters = live.data.get('.bss')?.view();
      expect([counters?.getBigUint64(0, true), counters?.getBigUint64(8, true)]).toEqual([1n, 1n]);
    } finally {
      ip('link', 'del', 'bpfskel-m0');
      live.destroy();
    }
    expect(readdirSync('/proc/self/fd')).toHaveLength(before);
  });

  it('are missed by name when the module is not there', () => {
    const open = openObject(new URL('../testdata/module_missing.o', import.meta.url).pathname);
    expect(() => open.load()).toThrow(
      /SEC\("fentry\/no_such_module:anything"\): no module no_such_module with BTF is loaded/,
    );
  });
});
