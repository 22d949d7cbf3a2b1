import { printable } from '../errors.js';
import type { Fd, Kernel, ProgQueryResult } from '../kernel/kernel.js';
import { kernelVersion } from '../uapi.js';
import { type Attachment, attachedAlready, errnoOf, type Reason } from './attach-error.js';
import { type CgroupMode, modeOf } from './cgroup-programs.js';
import { type FileTarget, fileSystemOf, nameOfTarget, pathOfTarget } from './file-target.js';
import { Link } from './link.js';
import { type Anchor, isOrdered, type OrderOptions } from './order.js';
import { whyRefused } from './privilege.js';
import { describeProgram } from './program-name.js';
import { readText } from './text.js';

// linux/magic.h
const CGROUP_SUPER_MAGIC = 0x27e0eb;
const CGROUP2_SUPER_MAGIC = 0x63677270;

/** Ancestors that are looked at: a cgroup that lies deeper is not asked further. */
const MAX_DEPTH = 64;

/** What was to go into which cgroup, and how. */
export interface CgroupEntry extends Attachment {
  readonly kernel: Kernel;
  readonly prog: Fd;
  readonly attachType: number;
  readonly cgroup: FileTarget;
  /** The cgroup, opened. */
  readonly fd: Fd;
  readonly mode: CgroupMode;
  readonly options: OrderOptions & {
    readonly preorder?: boolean;
    readonly replace?: true | { readonly fd: Fd };
  };
}

/** Why a path or descriptor is no cgroup that takes programs; undefined when it is one. */
export function whyNoCgroup(kernel: Kernel, cgroup: FileTarget): Reason | undefined {
  const shown = printable(nameOfTarget(cgroup));
  const magic = fileSystemOf(kernel, pathOfTarget(cgroup));
  const where = mountedAt(kernel);
  switch (magic) {
    case undefined:
      if (typeof cgroup !== 'string') return { why: `${shown} is not open` };
      return fileSystemOf(kernel, parentOf(cgroup)) === CGROUP2_SUPER_MAGIC
        ? { why: `there is no cgroup ${shown}`, hint: `Make it: mkdir ${shown}` }
        : { why: `there is no ${shown}`, ...where };
    case CGROUP_SUPER_MAGIC:
      return { why: `${shown} is a cgroup of version 1, which takes no programs`, ...where };
    case CGROUP2_SUPER_MAGIC:
    case 0:
      return undefined;
    default:
      return { why: `${shown} is not a cgroup of version 2`, ...where };
  }
}

function parentOf(path: string): string {
  const parent = path.replace(/\/*[^/]*\/*$/, '');
  return parent === '' ? '/' : parent;
}

function mountedAt(kernel: Kernel): { hint: string } {
  const mount = /^\S+ (\S+) cgroup2 /m.exec(readText(kernel, '/proc/mounts') ?? '')?.[1];
  return mount === undefined
    ? { hint: 'No cgroup2 file system is mounted here: mount -t cgroup2 cgroup2 DIRECTORY' }
    : { hint: `The cgroups of version 2 are below ${printable(mount)}` };
}

/** Why the kernel says EBADF of what could be opened. */
export function whyBadCgroup(kernel: Kernel, cgroup: FileTarget): Reason {
  const file = { why: `${printable(nameOfTarget(cgroup))} is a file in a cgroup, not a cgroup` };
  return whyNoCgroup(kernel, cgroup) ?? file;
}

/** Why the kernel did not let the program in. */
export function whyNotInCgroup(entry: CgroupEntry, error: unknown): Reason | undefined {
  const { kernel, cgroup } = entry;
  switch (errnoOf(error)) {
    case 'EBADF':
      return whyBadCgroup(kernel, cgroup);
    case 'EPERM':
    case 'EACCES':
      return whyOccupied(entry) ?? whyRefused(kernel, ['CAP_BPF', 'CAP_NET_ADMIN']);
    case 'E2BIG':
      return { why: 'the cgroup already has as many of these programs as it can (64)' };
    case 'EINVAL':
      return whyInvalid(entry);
    case 'ENOENT':
      return whyMissing(entry);
    case 'ESTALE':
      return whyStale(entry);
    case 'EOPNOTSUPP':
    case 'ENOTSUPP':
      return {
        why: `this kernel cannot attach programs to LSM hooks on ${kernel.arch}: it was built without ftrace direct calls`,
        unsupported: { feature: 'lsm_cgroup' },
      };
    default:
      return undefined;
  }
}

/** The programs of this kind in a cgroup; undefined where this process or this kernel cannot ask. */
function ask({ kernel, attachType }: CgroupEntry, fd: Fd): ProgQueryResult | undefined {
  try {
    return kernel.progQuery({ target: { fd }, attachType });
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

/** A program here that shares the cgroup in another way, or one in an ancestor that leaves no room below it. */
function whyOccupied(entry: CgroupEntry): Reason | undefined {
  const { kernel, fd, mode } = entry;
  const here = ask(entry, fd);
  if (here === undefined) return undefined;
  const theirs = modeOf(here);
  if (theirs !== undefined && theirs !== mode) {
    const names = here.programs.map(({ id }) => describeProgram(kernel, id)).join(', ');
    return {
      why: `the cgroup already has program ${names}, in mode ${theirs}, which goes with no other mode`,
      hint: `Attach in that mode, { mode: '${theirs}'${theirs === 'multi' ? '' : ', replace: true'} }, or detach it where it was attached (bpftool cgroup detach)`,
    };
  }
  return whyOccupiedAbove(entry);
}

function whyOccupiedAbove(entry: CgroupEntry): Reason | undefined {
  const { kernel, cgroup } = entry;
  let below = '';
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    below += '/..';
    const path = pathOfTarget(cgroup) + below;
    if (fileSystemOf(kernel, path) !== CGROUP2_SUPER_MAGIC) return undefined;
    const there = askPath(entry, path);
    const mode = there === undefined ? undefined : modeOf(there);
    if (mode === 'multi') return undefined;
    if (there !== undefined && mode === 'single') {
      const names = there.programs.map(({ id }) => describeProgram(kernel, id)).join(', ');
      return {
        why: `its ancestor ${printable(nameOfTarget(cgroup) + below)} has program ${names}, in mode single, which lets no descendant have one`,
        hint: 'Detach that program where it was attached (bpftool cgroup detach)',
      };
    }
  }
  return undefined;
}

function askPath(entry: CgroupEntry, path: string): ProgQueryResult | undefined {
  const { kernel } = entry;
  const fd = kernel.openFile(path);
  try {
    return ask(entry, fd);
  } finally {
    kernel.close(fd);
  }
}

function whyInvalid(entry: CgroupEntry): Reason | undefined {
  const { kernel, options } = entry;
  const lacks = (what: string, since: string, number: number): Reason | undefined =>
    kernel.version >= number
      ? undefined
      : {
          why: `${what} came with Linux ${since} and this is ${kernel.release}`,
          unsupported: { feature: 'cgroup order', since },
        };
  if (isOrdered(options)) {
    const lack = lacks('the order of programs in a cgroup', '6.17', kernelVersion(6, 17));
    if (lack !== undefined) return lack;
  } else if (options.preorder === true) {
    const lack = lacks('{ preorder }', '6.15', kernelVersion(6, 15));
    if (lack !== undefined) return lack;
  }
  return isAttached(entry, entry.prog) ? attachedAlready : undefined;
}

function whyMissing(entry: CgroupEntry): Reason | undefined {
  const { kernel, cgroup, options } = entry;
  if (typeof options.replace === 'object' && !isAttached(entry, options.replace.fd)) {
    return { why: 'the program to replace is not attached to this cgroup' };
  }
  const anchor = options.before ?? options.after;
  if (anchor !== undefined) return whyNoAnchor(entry, anchor);
  return whyNoCgroup(kernel, cgroup) ?? { why: 'the cgroup is being removed' };
}

/** The kernel compares a link with links, and a program with those that no link holds. */
function whyNoAnchor(entry: CgroupEntry, anchor: Anchor | 'all'): Reason {
  const missing = { why: 'the program to go next to is not attached to this cgroup' };
  if (anchor === 'all' || anchor instanceof Link || 'link' in anchor) return missing;
  const isProgram = 'fd' in anchor;
  if (!isProgram && anchor.linkId !== undefined) return missing;
  const id = isProgram ? entry.kernel.progInfo(anchor.fd).id : anchor.id;
  return isThere(entry, id)
    ? {
        why: `program ${describeProgram(entry.kernel, id)}, to go next to, is held by a bpf_link`,
        hint: 'Name its link instead of the program',
      }
    : missing;
}

function whyStale(entry: CgroupEntry): Reason {
  const now = ask(entry, entry.fd)?.revision;
  const found =
    now === undefined ? '' : `: they are of revision ${now}, not ${entry.options.expectedRevision}`;
  return { why: `the programs of the cgroup are others by now${found}`, hint: 'Query them again' };
}

function isAttached(entry: CgroupEntry, prog: Fd): boolean {
  return isThere(entry, entry.kernel.progInfo(prog).id);
}

function isThere(entry: CgroupEntry, id: number): boolean {
  return ask(entry, entry.fd)?.programs.some((program) => program.id === id) ?? false;
}
