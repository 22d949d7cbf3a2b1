import { describe, expect, it } from 'vitest';
import { progCalls } from '../../runtime/src/kernel/bpf.js';
import { ERRNO } from '../../runtime/src/kernel/errno.js';
import type { Libc } from '../../runtime/src/kernel/libc.js';
import { kernelVersion } from '../../runtime/src/uapi.js';

/** A libc whose verifier is interrupted `times` times, then ends with `errno` or a descriptor. */
function interrupted(times: number, errno = 0): { libc: Libc; calls: string[] } {
  const calls: string[] = [];
  let left = times;
  let last = 0;
  const known = {
    address: () => 0x1000n,
    errno: () => last,
    bpf: () => {
      last = left-- > 0 ? ERRNO.EAGAIN : errno;
      calls.push('bpf');
      return last === 0 ? 7 : -1;
    },
    signalMask: (how: number) => {
      // What a call that is allowed to change errno leaves there.
      last = 0;
      calls.push(how === 0 ? 'block' : 'restore');
      return 0;
    },
  };
  return { libc: known as unknown as Libc, calls }; // these four are all it calls
}

const load = (libc: Libc): number =>
  progCalls(libc, kernelVersion(6, 1)).progLoad({ type: 1, insns: new Uint8Array(8), license: 'GPL' });

describe('a program whose verification a signal interrupts', () => {
  it('is loaded with the first call where no signal comes', () => {
    const { libc, calls } = interrupted(0);
    expect([load(libc), calls]).toEqual([7, ['bpf']]);
  });

  it('is tried again while signals wait', () => {
    const { libc, calls } = interrupted(1);
    expect([load(libc), calls]).toEqual([7, ['bpf', 'block', 'bpf', 'restore']]);
  });

  it('keeps the errno of the refusal', () => {
    const { libc, calls } = interrupted(1, ERRNO.EINVAL);
    expect(() => load(libc)).toThrow('bpf(BPF_PROG_LOAD): invalid argument (EINVAL)');
    expect(calls.at(-1)).toBe('restore');
  });

  it('is given up after five calls, as libbpf', () => {
    const { libc, calls } = interrupted(9);
    expect(() => load(libc)).toThrow('EAGAIN');
    expect(calls.filter((call) => call === 'bpf')).toHaveLength(5);
  });
});
