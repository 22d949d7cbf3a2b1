import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { SyscallError } from '../../runtime/src/errors.js';
import { ERRNO, errnoName, errnoText, syscallError } from '../../runtime/src/kernel/errno.js';

describe('an errno', () => {
  it('has the number Node gives it', () => {
    const here = Object.entries(constants.errno).filter(([name]) => name in ERRNO);
    expect(here.length).toBeGreaterThan(70);
    expect(Object.fromEntries(here)).toEqual(
      Object.fromEntries(here.map(([name]) => [name, ERRNO[name as keyof typeof ERRNO]])),
    );
  });

  it.each([
    [1, 'EPERM', 'operation not permitted'],
    [2, 'ENOENT', 'no such file or directory'],
    [524, 'ENOTSUPP', 'operation is not supported'],
    [4000, 'ERRNO_4000', 'error 4000'],
  ])('%i is %s', (number, name, text) => {
    expect([errnoName(number), errnoText(number)]).toEqual([name, text]);
  });

  it('becomes a sentence', () => {
    const error = syscallError('bpf(BPF_OBJ_PIN)', 17, '/sys/fs/bpf/a\nb', { hint: 'no' });
    expect(error).toBeInstanceOf(SyscallError);
    expect(error.message).toBe('bpf(BPF_OBJ_PIN): /sys/fs/bpf/a\\u{a}b: file exists (EEXIST)');
    expect(error).toMatchObject({ code: 'EEXIST', errno: 17, syscall: 'bpf(BPF_OBJ_PIN)', hint: 'no' });
  });
});
