import { printable } from '../errors.js';
import type { Fd, Kernel } from '../kernel/kernel.js';
import { BPF_ATTACH_TYPE, BPF_F_UPROBE_MULTI_RETURN, kernelVersion } from '../uapi.js';
import { type Attachment, attachError, cannotAttach, errnoOf, type Reason } from './attach-error.js';
import type { Binary } from './binary.js';
import { findDebugFunctions } from './debug-file.js';
import { findFunctions, type MatchedFunction, matchFunctions } from './find-function.js';
import { Link } from './link.js';
import { ManyLinks } from './many-links.js';
import { failAfter, releaseAll } from './release.js';
import { attachUprobe, whyNoUprobe } from './uprobe.js';
import { processOf, requireBinary, withElf } from './uprobe-target.js';
import { whyNoFunction } from './why-no-function.js';

/** Many places in one binary, as a user says them. */
export interface MultiTarget {
  readonly binary?: string | undefined;
  /** A glob, or names. */
  readonly functions?: string | readonly string[] | undefined;
  /** Instead of functions: places in the file, bytes. */
  readonly offsets?: readonly number[] | undefined;
  readonly pid?: number | undefined;
  /** One for each name or offset. */
  readonly cookies?: readonly bigint[] | undefined;
  readonly refCtrOffsets?: readonly number[] | undefined;
}

/** What is attached, and how it is called. */
export interface MultiRequest {
  readonly kernel: Kernel;
  readonly prog: Fd;
  readonly program: string;
  /** `uprobe.multi`. */
  readonly what: string;
  /** `enum bpf_attach_type`: TRACE_UPROBE_MULTI or TRACE_UPROBE_SESSION. */
  readonly attachType: number;
  readonly isReturn: boolean;
}

/** Places of one binary, found. */
export interface MultiPlaces {
  readonly binary: Binary;
  /** Bytes from the start of the file. */
  readonly offsets: readonly number[];
  readonly cookies: readonly bigint[] | undefined;
  /** Places of counters, 0 for none. */
  readonly refCtrOffsets: readonly number[] | undefined;
  /** -1: every process. */
  readonly pid: number;
  /** Runs after the link ended, not when it cannot be made. */
  readonly after?: () => void;
}

/**
 * Attaches a program to many places of a binary by one link (Linux 6.6; sessions 6.13), as libbpf's
 * bpf_program__attach_uprobe_multi. Beyond libbpf, kernels before 6.6 get a link for each place, which end together.
 * Sessions cannot be made of those.
 */
export function attachUprobeMulti(request: MultiRequest, target: MultiTarget): Link {
  const { kernel, program } = request;
  const attachment = { program, target: `${request.what} ${describe(target, target.binary ?? '')}` };
  const wrong = contradiction(target);
  if (wrong !== undefined) throw cannotAttach(attachment, 'ERR_BPF_ARGUMENT', wrong);
  const pid = processOf(kernel, attachment, target.pid);
  const binary = requireBinary(kernel, attachment, target.binary, pid);
  const offsets = target.offsets ?? functionOffsets(kernel, attachment, binary, target, pid);
  const { cookies, refCtrOffsets } = target;
  const found = {
    program,
    target: `${request.what} ${describe({ ...target, pid }, binary.shown, offsets.length)}`,
  };
  return attachPlaces(request, found, { binary, offsets, cookies, refCtrOffsets, pid: pid ?? -1 });
}

/** One link of all places; where the kernel has no such links, one for each. */
export function attachPlaces(request: MultiRequest, attachment: Attachment, places: MultiPlaces): Link {
  const { kernel, prog, attachType, isReturn } = request;
  const { binary, offsets, cookies, refCtrOffsets, pid, after } = places;
  if (pid !== -1 && watchesThreads(request)) {
    throw cannotAttach(attachment, 'ENOTSUP', {
      why: `this kernel (${printable(kernel.release)}) would watch one thread of process ${pid} only; kernels watch the whole process since 6.10`,
      hint: 'Attach to every process, or use a uprobe program',
      unsupported: { feature: `${request.what} of one process`, since: '6.10' },
    });
  }
  try {
    const fd = kernel.linkCreate({
      prog,
      attachType,
      options: {
        kind: 'uprobe_multi',
        path: binary.path,
        offsets: offsets.map(BigInt),
        cookies,
        refCtrOffsets: refCtrOffsets?.map(BigInt),
        flags: isReturn ? BPF_F_UPROBE_MULTI_RETURN : 0,
        ...(pid === -1 ? {} : { pid }),
      },
    });
    return new Link({
      kernel,
      ...attachment,
      fd,
      release: (isPinned) => releaseAll(() => kernel.close(fd), isPinned ? undefined : after),
    });
  } catch (error) {
    const unknown = errnoOf(error) === 'EINVAL' && !hasLinks(request);
    if (unknown && attachType === BPF_ATTACH_TYPE.TRACE_UPROBE_MULTI) {
      return attachEach(request, attachment, places);
    }
    throw attachError(attachment, error, unknown ? tooOld(request) : whyNotLinked(kernel, error, places));
  }
}

/** A kernel that has them finds that "/" is no file (EBADF), another one finds the whole request wrong. */
function hasLinks(request: MultiRequest): boolean {
  return errnoOfRoot(request) !== 'EINVAL';
}

/**
 * Linux 6.6 watches the one thread whose id is given instead of the process; 6.10, and stable kernels with its fix, find
 * that -1 is no process before they look at the file.
 */
function watchesThreads(request: MultiRequest): boolean {
  return request.kernel.version < kernelVersion(6, 10) && errnoOfRoot(request, -1) === 'EBADF';
}

/** What the kernel says to a link of "/", which it cannot make. */
function errnoOfRoot({ kernel, prog, attachType }: MultiRequest, pid?: number): string | undefined {
  try {
    const options = { kind: 'uprobe_multi', path: '/', offsets: [0n], pid } as const;
    kernel.close(kernel.linkCreate({ prog, attachType, options }));
    return undefined;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    return errno;
  }
}

function tooOld({ kernel, what }: MultiRequest): Reason {
  const since = what.startsWith('uprobe.session') ? '6.13' : '6.6';
  return {
    why: `this kernel has no ${what}; kernels have since ${since}, and this is ${printable(kernel.release)}`,
    hint: 'Use a uprobe and a uretprobe program',
    unsupported: { feature: what, since },
  };
}

/** A link for each place, under one. All or none. */
export function attachEach(request: MultiRequest, attachment: Attachment, places: MultiPlaces): Link {
  const { kernel, prog, isReturn } = request;
  const { binary, offsets, cookies, refCtrOffsets, pid, after } = places;
  const links: Link[] = [];
  try {
    for (const [index, offset] of offsets.entries()) {
      const place = { binary, offset, isReturn, pid, refCtrOffset: refCtrOffsets?.[index] ?? 0 };
      links.push(attachUprobe(kernel, prog, attachment, place, cookies?.[index]));
    }
  } catch (error) {
    const reason = errnoOf(error) === 'EMFILE' ? tooManyFiles(kernel, offsets.length) : undefined;
    failAfter(
      reason === undefined ? error : attachError(attachment, error, reason),
      ...links.map((link) => () => link.detach()),
    );
  }
  const hint = 'Linux 6.6 has one link for all';
  return new ManyLinks({ kernel, ...attachment, links, each: 'place', hint, after });
}

function tooManyFiles(kernel: Kernel, count: number): Reason {
  return {
    why: `this kernel (${printable(kernel.release)}) takes two descriptors for each of the ${count} places, and this process cannot have as many`,
    hint: 'Raise its limit (ulimit -n), or match fewer functions; Linux 6.6 takes one for all',
  };
}

function whyNotLinked(kernel: Kernel, error: unknown, places: MultiPlaces): Reason | undefined {
  const { binary, offsets, pid } = places;
  if (errnoOf(error) === 'E2BIG') {
    return { why: 'one link takes at most 1,048,576 places', hint: 'Attach several times' };
  }
  // Of many places nobody says which one it was; one beyond the file's end can be told.
  const offset = offsets.reduce((most, each) => Math.max(most, each), 0);
  const reason = whyNoUprobe(kernel, error, { binary, offset, pid });
  if (offsets.length < 2 || reason?.why.startsWith('what stands at') !== true) return reason;
  return {
    why: `one of the ${offsets.length} places in ${printable(binary.shown)} has no instruction that can be probed`,
  };
}

function contradiction(target: MultiTarget): Reason | undefined {
  const { binary, functions, offsets, pid, cookies, refCtrOffsets } = target;
  const list = offsets ?? (typeof functions === 'string' ? undefined : functions);
  if ((functions === undefined) === (offsets === undefined)) {
    return {
      why: functions === undefined ? 'nothing says where' : 'functions and offsets cannot be given together',
      hint: `Name functions in the call: attach({ binary: 'libc.so.6', functions: 'open*' })`,
    };
  }
  if (functions === '' || list?.length === 0) return { why: 'no place is named' };
  if (binary === undefined && (pid === undefined || pid === -1)) {
    return { why: 'nothing says in which binary', hint: 'Give its path or name as binary, or a pid' };
  }
  if (pid !== undefined && pid !== -1 && !(Number.isSafeInteger(pid) && pid >= 0)) {
    return { why: `pid ${pid} is no whole number from 0 up` };
  }
  for (const number of [...(offsets ?? []), ...(refCtrOffsets ?? [])]) {
    if (!(Number.isSafeInteger(number) && number >= 0)) {
      return { why: `offset ${number} is no whole number from 0 up` };
    }
  }
  for (const [name, given] of Object.entries({ cookies, refCtrOffsets })) {
    if (given === undefined || given.length === list?.length) continue;
    if (list === undefined) return { why: `${name} go with a list of functions or offsets, one for each` };
    return { why: `${list.length} places need as many ${name}, not ${given.length}` };
  }
  return undefined;
}

function functionOffsets(
  kernel: Kernel,
  attachment: Attachment,
  binary: Binary,
  { functions = '' }: MultiTarget,
  pid: number | undefined,
): readonly number[] {
  return withElf(kernel, attachment, binary, (elf) => {
    const { size } = elf.file;
    if (typeof functions === 'string') {
      const inFile = ({ offset }: MatchedFunction) => offset > 0 && offset < size;
      const matches = matchFunctions(elf, functions).filter(inFile);
      if (matches.length > 0) return matches.map(({ offset }) => offset);
      const found = findFunctions(elf, [functions])[0];
      const reason =
        /[*?]/.test(functions) || (found !== undefined && 'offset' in found)
          ? { why: `no function of ${printable(binary.shown)} matches ${printable(functions)}` }
          : whyNoFunction({ kernel, elf, binary, pid, name: functions }, found);
      throw cannotAttach(attachment, 'ENOENT', reason);
    }
    const own = findFunctions(elf, functions);
    const stripped = functions.filter((_, index) => own[index] === undefined);
    const debug = findDebugFunctions(kernel, elf, binary, stripped);
    const inDebug = new Map(stripped.map((name, index) => [name, debug[index]]));
    return own.map((inFile, index) => {
      const found = inFile ?? inDebug.get(functions[index] ?? '');
      if (found !== undefined && 'offset' in found && found.offset > 0 && found.offset < size) {
        return found.offset;
      }
      const name = functions[index] ?? '';
      const missing = { kernel, elf, binary, pid, name };
      const reason =
        found !== undefined && 'offset' in found
          ? { why: `${printable(name)} lies outside of ${printable(binary.shown)}` }
          : whyNoFunction(missing, found);
      throw cannotAttach(attachment, 'ENOENT', reason);
    });
  });
}

/** `/usr/lib/libc.so.6:open* (4 functions) (pid 7)`. */
function describe({ functions, offsets, pid }: MultiTarget, binary: string, count?: number): string {
  const list = offsets?.map((offset) => `0x${offset.toString(16)}`) ?? functions ?? '';
  const places =
    typeof list === 'string' ? list : list.length > 3 ? `${list.length} places` : list.join(', ');
  const matched =
    typeof list !== 'string' || count === undefined ? '' : ` (${count} function${count === 1 ? '' : 's'})`;
  const process = pid === undefined || pid === -1 ? '' : ` (pid ${pid})`;
  return `${binary === '' ? '' : `${binary}:`}${places}${matched}${process}`;
}
