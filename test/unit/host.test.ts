import { describe, expect, it } from 'vitest';
import { Addresses } from '../../runtime/src/kernel/addresses.js';
import { parseCpuList, parseVersion } from '../../runtime/src/kernel/host.js';
import { kernelVersion } from '../../runtime/src/uapi.js';

describe('a list of CPUs', () => {
  it.each([
    ['0\n', [0]],
    ['0-3\n', [0, 1, 2, 3]],
    ['0-1,4,6-7', [0, 1, 4, 6, 7]],
    ['', undefined],
    ['\n', undefined],
    ['3-1', undefined],
    ['0-', undefined],
    ['all', undefined],
    ['0-99999999999', undefined],
  ])('%j is %j', (text, cpus) => {
    expect(parseCpuList(text)).toEqual(cpus);
  });
});

describe('the version of a kernel', () => {
  it.each([
    ['is in its name', undefined, '#1 SMP', '6.18.44-fc', [6, 18, 44]],
    ['needs no third number', undefined, '', '6.19-rc1', [6, 19, 0]],
    ['is cut at 255 as the kernel does', undefined, '', '4.9.337', [4, 9, 255]],
    [
      'is in /proc/version_signature on Ubuntu',
      'Ubuntu 5.15.0-25.25-generic 5.15.30\n',
      '',
      '5.15.0-25',
      [5, 15, 30],
    ],
    [
      'is in the build on Debian',
      undefined,
      '#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)',
      '6.1.0-18-amd64',
      [6, 1, 76],
    ],
    ['is 0 where nothing tells', undefined, '', 'custom', [0, 0, 0]],
  ] as const)('%s', (_name, signature, build, name, [major, minor, patch]) => {
    expect(parseVersion(signature, build, name)).toBe(kernelVersion(major, minor, patch));
  });
});

describe('remembered addresses', () => {
  it('are asked for once per array, and not at all for an empty or detached one', () => {
    let asked = 0;
    const addresses = new Addresses(() => BigInt(++asked));
    const a = new Uint8Array(8);
    const b = new Uint8Array(8);
    expect([a, b, a, b].map((array) => addresses.of(array))).toEqual([1n, 2n, 1n, 2n]);
    structuredClone(a, { transfer: [a.buffer] });
    expect([a, new Uint8Array(0)].map((array) => addresses.of(array))).toEqual([0n, 0n]);
    expect(asked).toBe(2);
  });
});
