import { refusal } from '../link/attach-error.js';
import { whyNoCgroup } from '../link/cgroup-refusal.js';
import type { HasFd } from './holder.js';
import type { MapHandle } from './map.js';
import { hasCode, mapText } from './map-error.js';

/** What the kernel says of something that is no cgroup of version 2, in words. */
export function cgroupError(
  handle: MapHandle,
  error: unknown,
  cgroup: string | HasFd,
  operation: string,
): unknown {
  if (!['EBADF', 'EINVAL', 'ENOENT'].some((code) => hasCode(error, code))) return error;
  const reason = whyNoCgroup(handle.kernel, cgroup);
  return reason === undefined ? error : refusal(`${operation} ${mapText(handle)}`, error, reason);
}
