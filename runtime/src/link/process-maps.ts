import { isBpfError } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';

/** A piece of a process's memory, as `/proc/PID/maps` shows it. */
export interface MappedRegion {
  readonly start: bigint;
  readonly end: bigint;
  readonly executable: boolean;
  /** Where in the file it begins, bytes. */
  readonly offset: bigint;
  readonly inode: bigint;
  /** As the process sees it; `[heap]` and the like, or empty, for memory of no file. */
  readonly path: string;
  /** The file was removed, or replaced by another. */
  readonly deleted: boolean;
}

/** What a process has mapped; undefined when it is gone or not ours to look at. */
export function processMaps(kernel: Kernel, pid: number): readonly MappedRegion[] | undefined {
  const bytes = readOwn(kernel, `/proc/${pid}/maps`);
  if (bytes === undefined) return undefined;
  const lines = new TextDecoder().decode(bytes).matchAll(line);
  return [...lines].map(([, start, end, mode = '', offset, inode = '0', path = '']) => ({
    start: BigInt(`0x${start}`),
    end: BigInt(`0x${end}`),
    executable: mode.includes('x'),
    offset: BigInt(`0x${offset}`),
    inode: BigInt(inode),
    path: path.replace(deletedMark, '').replaceAll('\\012', '\n'),
    deleted: deletedMark.test(path),
  }));
}

const line = /^([0-9a-f]{1,16})-([0-9a-f]{1,16}) (\S{4}) ([0-9a-f]{1,16}) \S+ (\d+)(?: +(.*))?$/gm;
const deletedMark = / \(deleted\)$/;

/** Is there a process of this id? Undefined where procfs is not mounted. */
export function processExists(kernel: Kernel, pid: number): boolean | undefined {
  if (kernel.fileFacts(`/proc/${pid}`) !== undefined) return true;
  return kernel.fileFacts('/proc/self') === undefined ? undefined : false;
}

/** The directory under which a process finds its files; empty for this one, and for one that is closed to us. */
export function processRoot(kernel: Kernel, pid: number | undefined): string {
  if (pid === undefined || pid === kernel.pid) return '';
  const root = `/proc/${pid}/root`;
  try {
    return kernel.fileFacts(root) === undefined ? '' : root;
  } catch (error) {
    if (!isBpfError(error)) throw error;
    return '';
  }
}

function readOwn(kernel: Kernel, path: string): Uint8Array | undefined {
  try {
    return kernel.readFile(path);
  } catch (error) {
    if (!isBpfError(error)) throw error;
    return undefined;
  }
}
