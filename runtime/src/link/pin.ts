import { BpfError, printable } from '../errors.js';
import { ERRNO } from '../kernel/errno.js';
import type { Fd, Kernel } from '../kernel/kernel.js';
import { BPF_FS_MAGIC } from '../uapi.js';
import { errnoOf, type Reason, refusal } from './attach-error.js';
import { fileSystemOf } from './file-target.js';
import { whyRefused } from './privilege.js';
import { readText } from './text.js';

/** What a BPF file system holds. */
export type PinnedKind = 'map' | 'program' | 'link';

const kinds: Readonly<Record<string, PinnedKind>> = { map: 'map', prog: 'program', link: 'link' };

/** What a descriptor is of; undefined when it is of nothing of BPF, or /proc does not say. */
export function kindOfDescriptor(kernel: Kernel, fd: Fd): PinnedKind | 'something else' | undefined {
  const facts = readText(kernel, `/proc/self/fdinfo/${fd}`);
  if (facts === undefined) return undefined;
  return kinds[/^(map|prog|link)_type:/m.exec(facts)?.[1] ?? ''] ?? 'something else';
}

/** Throws EINVAL unless the descriptor is of a `wanted`: the kernel answers questions about the others with their own facts. */
export function assertKind(kernel: Kernel, fd: Fd, wanted: PinnedKind, what: string): void {
  const found = kindOfDescriptor(kernel, fd);
  if (found === undefined || found === wanted) return;
  const shown = found === 'something else' ? found : `a ${found}`;
  throw new BpfError('EINVAL', `open ${wanted} ${printable(what)}: it is ${shown}, not a ${wanted}`, {
    errno: ERRNO.EINVAL,
  });
}

/** Opens what is pinned at `path`, which the caller owns. Throws a BpfError that says why not. */
export function openPin(kernel: Kernel, wanted: PinnedKind, path: string): Fd {
  const head = `open ${wanted} ${printable(path)}`;
  assertPath(head, path);
  try {
    return kernel.pinned(path);
  } catch (error) {
    throw refusal(head, error, whyNotOpened(kernel, path, error));
  }
}

/** Opens what the kernel has under `id`, which the caller owns. Throws a BpfError that says why not. */
export function openId(kernel: Kernel, wanted: 'map' | 'link', id: number): Fd {
  const head = `open ${wanted} id ${id}`;
  // The kernel would be asked for a part of the number, and may have another of that.
  if (!(Number.isInteger(id) && id > 0 && id <= 0xffffffff)) {
    throw new BpfError('ERR_BPF_ARGUMENT', `${head}: ids are whole numbers from 1 up`);
  }
  try {
    return wanted === 'map' ? kernel.mapById(id) : kernel.linkById(id);
  } catch (error) {
    throw refusal(head, error, whyNoId(kernel, error));
  }
}

function whyNoId(kernel: Kernel, error: unknown): Reason | undefined {
  switch (errnoOf(error)) {
    case 'ENOENT':
      return { why: 'there is none' };
    case 'EPERM':
      return whyRefused(kernel, ['CAP_SYS_ADMIN']);
    default:
      return undefined;
  }
}

/**
 * Pins what a descriptor is of, as bpf_link__pin and bpf_map__pin of libbpf: the last directory of the path is made when it
 * is missing (inside a BPF file system).
 */
export function pinAt(kernel: Kernel, fd: Fd, head: string, path: string): void {
  assertPath(head, path);
  try {
    try {
      kernel.pin(fd, path);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || !makeDirectoryOf(kernel, path)) throw error;
      kernel.pin(fd, path);
    }
  } catch (error) {
    throw refusal(head, error, whyNotPinned(kernel, path, error));
  }
}

/** Removes a pin. */
export function unpinAt(kernel: Kernel, head: string, path: string): void {
  try {
    kernel.unpin(path);
  } catch (error) {
    const missing = errnoOf(error) === 'ENOENT';
    throw refusal(head, error, missing ? { why: `nothing is at ${printable(path)} by now` } : undefined);
  }
}

/** The kernel would read no further than the NUL, and open or make something else. */
function assertPath(head: string, path: string): void {
  if (path !== '' && !path.includes('\0')) return;
  throw new BpfError(
    'ERR_BPF_ARGUMENT',
    `${head}: ${path === '' ? 'the path is empty' : 'a path has no NUL'}`,
  );
}

function makeDirectoryOf(kernel: Kernel, path: string): boolean {
  const directory = directoryOf(path);
  if (fileSystemOf(kernel, directory) !== undefined) return false;
  if (fileSystemOf(kernel, directoryOf(directory)) !== BPF_FS_MAGIC) return false;
  kernel.makeDirectory(directory);
  return true;
}

function whyNotOpened(kernel: Kernel, path: string, error: unknown): Reason | undefined {
  switch (errnoOf(error)) {
    case 'ENOENT':
      return { why: 'nothing is there' };
    case 'ENOTDIR':
      return { why: 'part of the path is no directory' };
    case 'EPERM':
      return whyRefused(kernel, ['CAP_BPF']);
    case 'EACCES': {
      const system = fileSystemOf(kernel, path);
      if (system !== undefined && system !== 0 && system !== BPF_FS_MAGIC) {
        return { why: 'it is not in a BPF file system' };
      }
      const facts = system === 0 ? undefined : kernel.fileFacts(path);
      if (facts?.kind === 'directory') return { why: 'it is a directory' };
      return { why: 'this process may not read and write it, or not enter a directory on the way' };
    }
    default:
      return undefined;
  }
}

function whyNotPinned(kernel: Kernel, path: string, error: unknown): Reason | undefined {
  const errno = errnoOf(error) ?? '';
  if (errno === 'EEXIST') return { why: 'something is there already' };
  if (!['ENOENT', 'EPERM', 'EACCES'].includes(errno)) return undefined;
  const directory = directoryOf(path);
  const shown = printable(directory);
  switch (fileSystemOf(kernel, directory)) {
    case undefined:
      return { why: `there is no directory ${shown}`, hint: 'Create it, inside a BPF file system' };
    case 0:
    case BPF_FS_MAGIC:
      return errno === 'EPERM'
        ? whyRefused(kernel, ['CAP_BPF'])
        : { why: `this process may not write to ${shown}` };
    default:
      return {
        why: `${shown} is not in a BPF file system`,
        hint: 'Pin below /sys/fs/bpf (mount -t bpf bpf /sys/fs/bpf, where it is not mounted)',
      };
  }
}

/** `/a` of `/a/b`. */
function directoryOf(path: string): string {
  const trimmed = path.replace(/\/+$/, '');
  const slash = trimmed.lastIndexOf('/');
  if (slash < 0) return '.';
  return slash === 0 ? '/' : trimmed.slice(0, slash);
}
