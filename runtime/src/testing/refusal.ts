import type { SyscallError } from '../errors.js';
import { ERRNO, syscallError } from '../kernel/errno.js';

/** `EPERM`, `EINVAL` and so on. */
export type ErrnoName = keyof typeof ERRNO;

/** The error that the real kernel's `syscall` would give. */
export function refusal(syscall: string, errno: ErrnoName | number, subject?: string): SyscallError {
  return syscallError(syscall, typeof errno === 'number' ? errno : ERRNO[errno], subject);
}
