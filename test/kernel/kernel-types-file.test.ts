import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import './facts.js';

it('the types of the kernel, mapped or read, are what the file says', () => {
  const path = '/sys/kernel/btf/vmlinux';
  const bytes = linuxKernel().readFile(path) ?? new Uint8Array();
  expect(bytes.length).toBeGreaterThan(1 << 20);
  expect(Buffer.compare(bytes, readFileSync(path))).toBe(0);
});
