import { isBpfError, printable } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import { splitArchive } from './archive.js';
import { type Attachment, cannotAttach, type Reason } from './attach-error.js';
import { type Binary, findBinary, findInArchive, readBinary } from './binary.js';
import { findDebugFunctions } from './debug-file.js';
import type { ElfFile } from './elf-file.js';
import { findFunction } from './find-function.js';
import { processExists, processMaps, processRoot } from './process-maps.js';
import type { UprobePlace } from './uprobe.js';
import { whyNoFunction } from './why-no-function.js';

/** Where a uprobe is to go, as a user says it. */
export interface UprobeTarget {
  readonly binary?: string | undefined;
  readonly symbol?: string | undefined;
  readonly offset?: number | undefined;
  readonly address?: bigint | number | undefined;
  readonly pid?: number | undefined;
  readonly refCtrOffset?: number | undefined;
}

/** What is attached, and as what: `uprobe` or `uretprobe`. */
export interface UprobeRequest {
  readonly kernel: Kernel;
  readonly program: string;
  readonly what: string;
  readonly isReturn: boolean;
}

export interface LocatedUprobe {
  readonly attachment: Attachment;
  readonly place: UprobePlace;
}

/** Finds the file and the place in it. Throws a BpfError that says what is absent, or contradicts itself. */
export function locateUprobe(request: UprobeRequest, target: UprobeTarget): LocatedUprobe {
  const { kernel, isReturn } = request;
  const attachment = attachmentOf(request, target.binary ?? '', target);
  const wrong = contradiction(target, isReturn);
  if (wrong !== undefined) throw cannotAttach(attachment, 'ERR_BPF_ARGUMENT', wrong);
  const pid = processOf(kernel, attachment, target.pid);
  const { binary, offset } =
    target.binary === undefined && target.address !== undefined && pid !== undefined
      ? mappedPlace(kernel, attachment, pid, BigInt(target.address))
      : placeIn(kernel, attachment, target, pid);
  return {
    attachment: attachmentOf(request, binary.shown, {
      ...target,
      ...(target.address ? { offset } : {}),
      pid,
    }),
    place: { binary, isReturn, pid: pid ?? -1, ...inFile(binary, offset, target.refCtrOffset) },
  };
}

/**
 * Where the kernel finds a place of `binary`: of one in an archive, by its place there. Unlike libbpf, an offset without a
 * symbol is one in the binary, too.
 */
function inFile(
  { part }: Binary,
  offset: number,
  refCtrOffset = 0,
): { offset: number; refCtrOffset: number } {
  const start = part?.start ?? 0;
  return { offset: start + offset, refCtrOffset: refCtrOffset === 0 ? 0 : start + refCtrOffset };
}

/** `uprobe /usr/lib/libc.so.6:open+0x4 (pid 7)`. */
function attachmentOf({ program, what }: UprobeRequest, binary: string, target: UprobeTarget): Attachment {
  const { symbol, offset = 0, address, pid } = target;
  const number = `0x${(address !== undefined && binary === '' ? address : offset).toString(16)}`;
  const place = symbol === undefined ? number : offset === 0 ? symbol : `${symbol}+${number}`;
  const process = pid === undefined || pid === -1 ? '' : ` (pid ${pid})`;
  return { program, target: `${what} ${binary === '' ? '' : `${binary}:`}${place}${process}` };
}

function contradiction(target: UprobeTarget, isReturn: boolean): Reason | undefined {
  const { binary, symbol, offset, address, pid, refCtrOffset } = target;
  const bad = { offset, pid: pid === -1 ? 0 : pid, refCtrOffset };
  for (const [name, value] of Object.entries(bad)) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 0)) {
      return { why: `${name} ${value} is no whole number from 0 up` };
    }
  }
  if (address !== undefined && (typeof address === 'number' ? !Number.isSafeInteger(address) : false)) {
    return { why: `address ${address} is no whole number`, hint: 'Addresses are bigints' };
  }
  if (address !== undefined && (symbol !== undefined || offset !== undefined)) {
    return { why: 'an address says everything; symbol and offset cannot be given with it' };
  }
  if (symbol === undefined && offset === undefined && address === undefined) {
    return {
      why: 'nothing says where',
      hint: "Name it in the call, attach({ binary: 'libc.so.6', symbol: 'open' }), or in SEC(\"uprobe/libc.so.6:open\")",
    };
  }
  if (binary === undefined && (pid === undefined || pid === -1)) {
    return { why: 'nothing says in which binary', hint: 'Give its path or name as binary, or a pid' };
  }
  if (isReturn && symbol !== undefined && offset !== undefined && offset !== 0) {
    return { why: 'a function returns as a whole, so a uretprobe has no offset in it' };
  }
  return undefined;
}

/** The process to probe, undefined for all. 0 is this one, as for libbpf. */
export function processOf(
  kernel: Kernel,
  attachment: Attachment,
  pid: number | undefined,
): number | undefined {
  if (pid === undefined || pid === -1) return undefined;
  if (pid === 0) return kernel.pid;
  if (processExists(kernel, pid) === false) {
    throw cannotAttach(attachment, 'ESRCH', { why: `there is no process ${pid}` });
  }
  return pid;
}

/** The binary of a request; what a process runs when none is named. */
export function requireBinary(
  kernel: Kernel,
  attachment: Attachment,
  name: string | undefined,
  pid: number | undefined,
): Binary {
  const found = findBinary(kernel, name ?? `/proc/${pid}/exe`, pid);
  if ('why' in found) throw cannotAttach(attachment, 'ENOENT', found);
  if (name !== undefined) return found;
  return { path: found.path, shown: kernel.fileFacts(found.path)?.realPath ?? found.shown };
}

/** The binary of a request, which may be in an archive, `app.apk!/lib/libc++.so`. As libbpf's attach_uprobe_opts. */
function requireBinaryOrMember(
  kernel: Kernel,
  attachment: Attachment,
  name: string | undefined,
  pid: number | undefined,
): Binary {
  const inside = splitArchive(name ?? '');
  if (inside === undefined) return requireBinary(kernel, attachment, name, pid);
  const archive = requireBinary(kernel, attachment, inside.archive, pid);
  const found = reading(attachment, archive, () => findInArchive(kernel, archive, inside.member));
  if ('why' in found) {
    throw cannotAttach(attachment, 'ENOENT', { ...found, why: `${printable(archive.shown)}: ${found.why}` });
  }
  return found;
}

/** Reads `binary` with `use`; what is wrong with the file is told as a reason not to attach. */
export function withElf<T>(
  kernel: Kernel,
  attachment: Attachment,
  binary: Binary,
  use: (elf: ElfFile) => T,
): T {
  return reading(attachment, binary, () => readBinary(kernel, binary, use));
}

function reading<T>(attachment: Attachment, binary: Binary, use: () => T): T {
  try {
    return use();
  } catch (error) {
    if (!isBpfError(error) || error.message.startsWith('attach ')) throw error;
    const named = error.message.includes(printable(binary.shown));
    throw cannotAttach(attachment, error.code, {
      why: named ? error.message : `${printable(binary.shown)}: ${error.message}`,
    });
  }
}

function placeIn(
  kernel: Kernel,
  attachment: Attachment,
  { binary: name, symbol, offset = 0, address }: UprobeTarget,
  pid: number | undefined,
): { binary: Binary; offset: number } {
  const binary = requireBinaryOrMember(kernel, attachment, name, pid);
  if (symbol === undefined && address === undefined) return { binary, offset };
  return withElf(kernel, attachment, binary, (elf) => {
    if (address !== undefined) {
      return { binary, offset: offsetOf(elf, attachment, binary, Number(address)) };
    }
    const name = symbol ?? '';
    const found = findFunction(elf, name) ?? findDebugFunctions(kernel, elf, binary, [name])[0];
    if (found === undefined || !('offset' in found)) {
      throw cannotAttach(attachment, 'ENOENT', whyNoFunction({ kernel, elf, binary, pid, name }, found));
    }
    const start = found.offset;
    if (!(start > 0 && start < elf.file.size)) {
      throw cannotAttach(attachment, 'ENOENT', {
        why: `${printable(name)} lies outside of ${printable(binary.shown)}, which may hold debugging information only`,
      });
    }
    return { binary, offset: start + offset };
  });
}

/** The place in the file of an address as nm and objdump print it. */
function offsetOf(elf: ElfFile, attachment: Attachment, { shown }: Binary, address: number): number {
  const segment = elf
    .segments()
    .find((each) => address >= each.address && address < each.address + each.fileSize);
  if (segment?.executable) return address - segment.address + segment.offset;
  throw cannotAttach(attachment, 'EINVAL', {
    why: `${segment === undefined ? 'nothing' : 'data'} of ${printable(shown)} lies at address 0x${address.toString(16)}`,
    hint: 'For an address inside a running process leave binary out and give pid',
  });
}

/** The file and the place in it that a process has mapped at an address. */
function mappedPlace(
  kernel: Kernel,
  attachment: Attachment,
  pid: number,
  address: bigint,
): { binary: Binary; offset: number } {
  const regions = processMaps(kernel, pid);
  if (regions === undefined) {
    throw cannotAttach(attachment, 'EACCES', {
      why: `the memory map of process ${pid} (/proc/${pid}/maps) is closed to this process`,
    });
  }
  const region = regions.find(({ start, end }) => address >= start && address < end);
  const shown = `0x${address.toString(16)}`;
  if (region === undefined) {
    throw cannotAttach(attachment, 'EINVAL', { why: `process ${pid} has nothing at ${shown}` });
  }
  if (!region.path.startsWith('/')) {
    const what = region.path === '' ? 'memory of no file' : printable(region.path);
    throw cannotAttach(attachment, 'EINVAL', {
      why: `what process ${pid} has at ${shown} is ${what}; a uprobe needs a file`,
    });
  }
  if (!region.executable) {
    throw cannotAttach(attachment, 'EINVAL', {
      why: `what process ${pid} has at ${shown} is data of ${printable(region.path)}`,
    });
  }
  // A removed file is still reached through the mapping.
  const range = `${region.start.toString(16)}-${region.end.toString(16)}`;
  const path = region.deleted ? `/proc/${pid}/map_files/${range}` : processRoot(kernel, pid) + region.path;
  return {
    binary: { path, shown: region.path },
    offset: Number(address - region.start + region.offset),
  };
}
