import { describe, expect, it } from 'vitest';
import type { Libc } from '../../runtime/src/kernel/libc.js';
import { raiseMemlock } from '../../runtime/src/kernel/memlock.js';
import { kernelVersion } from '../../runtime/src/uapi.js';

/** A libc that remembers its calls; `probe` is what loading a program gives. */
function fakeLibc(probe: number): { libc: Libc; calls: string[] } {
  const calls: string[] = [];
  const known = {
    address: () => 0x1000n,
    bpf: (command: number) => {
      calls.push(`bpf(${command})`);
      return probe;
    },
    close: (fd: number) => {
      calls.push(`close(${fd})`);
      return 0;
    },
    setrlimit: (resource: number, limits: Uint8Array) => {
      calls.push(`setrlimit(${resource}, ${Buffer.from(limits).toString('hex')})`);
      return 0;
    },
  };
  return { libc: known as unknown as Libc, calls }; // these four are all it calls
}

const lifted = `setrlimit(8, ${'ff'.repeat(16)})`;

describe('the limit of locked memory', () => {
  it.each([
    ['is left alone since 5.11', [6, 1], -1, []],
    ['is left alone where the kernel counts by cgroup all the same', [5, 10], 7, ['bpf(5)', 'close(7)']],
    ['is lifted on older kernels', [5, 4], -1, ['bpf(5)', lifted]],
  ] as const)('%s', (_name, [major, minor], probe, expected) => {
    const { libc, calls } = fakeLibc(probe);
    raiseMemlock(libc, kernelVersion(major, minor));
    raiseMemlock(libc, kernelVersion(major, minor));
    expect(calls).toEqual(expected);
  });
});
