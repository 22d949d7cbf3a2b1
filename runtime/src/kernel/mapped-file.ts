import { statSync } from 'node:fs';
import type { Libc } from './libc.js';

const O_CLOEXEC = 0o2000000;
const PROT_READ = 1;
const MAP_PRIVATE = 2;

/**
 * A file that never changes, without copying it: mapped for as long as the process lives. For the kernel's own types,
 * which sysfs hands out 4 KiB a read(2): 5 MB take 11 ms, and none when mapped. Undefined where it cannot be mapped
 * (sysfs: before Linux 6.16; Electron takes no memory that is not its own), or is not there.
 */
export function mapFile(libc: Libc, path: string): Uint8Array | undefined {
  const length = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (length === 0) return undefined;
  const fd = libc.open(path, O_CLOEXEC, 0);
  if (fd < 0) return undefined;
  const address = libc.mmap(0, length, PROT_READ, MAP_PRIVATE, fd, 0);
  libc.close(fd);
  if (address === -1) return undefined;
  try {
    return new Uint8Array(libc.view(address, length));
  } catch {
    // Reading the file is the way out.
    libc.munmap(address, length);
    return undefined;
  }
}
