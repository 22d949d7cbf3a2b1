import { isBpfError, printable } from '../errors.js';
import type { Fd, Kernel } from '../kernel/kernel.js';
import { BPF_ATTACH_TYPE, kernelVersion } from '../uapi.js';
import { type Attachment, cannotAttach, type Reason } from './attach-error.js';
import { type Binary, facts } from './binary.js';
import { type ElfFile, FileType, type Segment } from './elf-file.js';
import type { Link } from './link.js';
import { nearest } from './nearest.js';
import { type MappedRegion, processMaps } from './process-maps.js';
import { failAfter } from './release.js';
import { countsProbes } from './uprobe.js';
import { attachEach, attachPlaces, type MultiRequest } from './uprobe-multi.js';
import { processOf, requireBinary, withElf } from './uprobe-target.js';
import { encodeUsdtSpec, parseUsdtArguments } from './usdt-arguments.js';
import { readUsdtNotes, type UsdtNote } from './usdt-notes.js';
import type { SpecPlace, UsdtSpecs } from './usdt-specs.js';

/** A USDT probe, as a user names it. */
export interface UsdtTarget {
  readonly binary?: string | undefined;
  readonly provider: string;
  readonly name: string;
  readonly pid?: number | undefined;
  /** What bpf_usdt_cookie() gives the program. */
  readonly cookie?: bigint | undefined;
}

/** What is attached, and what its object keeps for that. */
export interface UsdtRequest {
  readonly kernel: Kernel;
  readonly prog: Fd;
  readonly program: string;
  /** `enum bpf_attach_type` the program was loaded for: TRACE_UPROBE_MULTI where the kernel has such links. */
  readonly attachType: number;
  readonly specs: UsdtSpecs;
}

/** One place of the probe, in the file. */
interface UsdtPlace extends SpecPlace {
  readonly offset: number;
  readonly refCtrOffset: number;
}

/**
 * Attaches a program to every place of a USDT probe in a binary: by one link where the kernel has links of many uprobes
 * (Linux 6.6), else by one for each. As libbpf's usdt_manager_attach_usdt.
 */
export function attachUsdt(request: UsdtRequest, target: UsdtTarget): Link {
  const { kernel, program, specs } = request;
  const attachment = attachmentOf(program, target.binary ?? '', target);
  const wrong = contradiction(target);
  if (wrong !== undefined) throw cannotAttach(attachment, 'ERR_BPF_ARGUMENT', wrong);
  const pid = processOf(kernel, attachment, target.pid);
  const binary = requireBinary(kernel, attachment, target.binary, pid);
  const found = attachmentOf(program, binary.shown, { ...target, pid });
  const places = withElf(kernel, found, binary, (elf) =>
    new Finder(request, found, elf, binary, pid).places(target),
  );
  const held = specs.hold(found, places);
  const all: MultiRequest = { ...request, what: 'usdt', isReturn: false };
  const attach = request.attachType === BPF_ATTACH_TYPE.TRACE_UPROBE_MULTI ? attachPlaces : attachEach;
  try {
    return attach(all, found, {
      binary,
      pid: pid ?? -1,
      offsets: places.map(({ offset }) => offset),
      refCtrOffsets: places.map(({ refCtrOffset }) => refCtrOffset),
      cookies: specs.cookies ? held.ids.map(BigInt) : undefined,
      after: held.release,
    });
  } catch (error) {
    return failAfter(error, held.release);
  }
}

/** `usdt /usr/bin/python3:python:function__entry (pid 7)`. */
function attachmentOf(program: string, binary: string, { provider, name, pid }: UsdtTarget): Attachment {
  const process = pid === undefined || pid === -1 ? '' : ` (pid ${pid})`;
  return { program, target: `usdt ${binary === '' ? '' : `${binary}:`}${provider}:${name}${process}` };
}

function contradiction({ binary, provider, name, pid }: UsdtTarget): Reason | undefined {
  if (provider === '' || name === '') {
    return {
      why: 'a USDT probe has a provider and a name',
      hint: `Name both: attach({ binary: 'libc.so.6', provider: 'libc', name: 'setjmp' })`,
    };
  }
  if (binary === undefined && (pid === undefined || pid === -1)) {
    return { why: 'nothing says in which binary', hint: 'Give its path or name as binary, or a pid' };
  }
  if (pid !== undefined && pid !== -1 && !(Number.isSafeInteger(pid) && pid >= 0)) {
    return { why: `pid ${pid} is no whole number from 0 up` };
  }
  return undefined;
}

/** Finds the places of a probe in one binary. */
class Finder {
  readonly #request: UsdtRequest;
  readonly #attachment: Attachment;
  readonly #elf: ElfFile;
  readonly #binary: Binary;
  readonly #shown: string;
  readonly #pid: number | undefined;
  readonly #segments: readonly Segment[];
  #regions: readonly MappedRegion[] | undefined;

  constructor(
    request: UsdtRequest,
    attachment: Attachment,
    elf: ElfFile,
    binary: Binary,
    pid: number | undefined,
  ) {
    this.#request = request;
    this.#attachment = attachment;
    this.#elf = elf;
    this.#binary = binary;
    this.#shown = printable(binary.shown);
    this.#pid = pid;
    this.#refuseForeign();
    this.#segments = elf.segments();
  }

  places({ provider, name, cookie = 0n }: UsdtTarget): readonly UsdtPlace[] {
    const all = readUsdtNotes(this.#elf);
    if (all === undefined)
      this.#refuse('ENOENT', `${this.#shown} has no USDT probes (no section .note.stapsdt)`);
    const notes = all.filter((note) => note.provider === provider && note.name === name);
    if (notes.length === 0)
      throw cannotAttach(this.#attachment, 'ENOENT', this.#whyNone(all, provider, name));
    const specs = new Map<string, Uint8Array>();
    return notes.map((note) => {
      const spec = specs.get(note.args) ?? this.#spec(note, cookie);
      specs.set(note.args, spec);
      return this.#place(note, spec);
    });
  }

  /** A register of this machine is no register of another; libbpf's sanity_check_usdt_elf. */
  #refuseForeign(): void {
    const { wide, littleEndian, type } = this.#elf;
    const foreign = !wide
      ? 'is a 32-bit binary; USDT probes are found in 64-bit ones'
      : littleEndian !== this.#request.kernel.littleEndian
        ? 'is of the other byte order'
        : type !== FileType.EXEC && type !== FileType.DYN
          ? 'is neither a program nor a shared library'
          : undefined;
    if (foreign !== undefined) this.#refuse('EBADF', `${this.#shown} ${foreign}`);
  }

  #spec(note: UsdtNote, cookie: bigint): Uint8Array {
    const { arch, littleEndian } = this.#request.kernel;
    try {
      return encodeUsdtSpec(parseUsdtArguments(note.args, arch), cookie, littleEndian);
    } catch (error) {
      if (!isBpfError(error)) throw error;
      this.#refuse(error.code, error.message);
    }
  }

  #place({ location, semaphore, args: text }: UsdtNote, spec: Uint8Array): UsdtPlace {
    const code = this.#segmentOf(location);
    if (code?.executable !== true) {
      this.#refuse(
        'ESRCH',
        `it is said to be at 0x${location.toString(16)}, where ${this.#shown} has no code`,
      );
    }
    const offset = location - code.address + code.offset;
    const skipped = this.#nops(offset);
    const address = this.#request.specs.cookies
      ? undefined
      : this.#addressOf(location, offset) + BigInt(skipped);
    return { text, spec, address, offset: offset + skipped, refCtrOffset: this.#counter(semaphore) };
  }

  #counter(semaphore: number): number {
    if (semaphore === 0) return 0;
    const { kernel } = this.#request;
    if (!countsProbes(kernel)) {
      throw cannotAttach(this.#attachment, 'ENOTSUP', {
        why: `the probe has a semaphore, which kernels serve since 4.20; this is ${printable(kernel.release)}`,
        unsupported: { feature: 'uprobe reference counter', since: '4.20' },
      });
    }
    const data = this.#segmentOf(semaphore);
    if (data === undefined || data.executable) {
      this.#refuse(
        'ESRCH',
        `its semaphore is said to be at 0x${semaphore.toString(16)}, where ${this.#shown} has no data`,
      );
    }
    return semaphore - data.address + data.offset;
  }

  #segmentOf(address: number): Segment | undefined {
    return this.#segments.find((each) => address >= each.address && address < each.address + each.memorySize);
  }

  /**
   * Newer sys/sdt.h write a nop of one byte and one of five; Linux 6.18 makes a uprobe on the second much faster
   * (libbpf: has_nop_combo).
   */
  #nops(offset: number): number {
    const { kernel } = this.#request;
    if (kernel.arch !== 'x64' || kernel.version < kernelVersion(6, 18)) return 0;
    if (offset + nopCombo.length > this.#elf.file.size) return 0;
    const bytes = this.#elf.file.read(offset, nopCombo.length);
    return nopCombo.every((byte, index) => bytes[index] === byte) ? 1 : 0;
  }

  /** Where the place is in memory: known of a program that is not position independent, else of one process only. */
  #addressOf(location: number, offset: number): bigint {
    if (this.#elf.type === FileType.EXEC) return BigInt(location);
    const pid = this.#pid;
    if (pid === undefined) {
      throw cannotAttach(this.#attachment, 'ENOTSUP', {
        why: `${this.#shown} can be anywhere in memory, and this kernel (${printable(this.#request.kernel.release)}) has no cookies to tell places apart`,
        hint: 'Give a pid; without one it takes Linux 5.15',
        unsupported: { feature: 'bpf_cookie', since: '5.15' },
      });
    }
    const region = this.#mapped(pid).find(
      ({ start, end, offset: from }) => BigInt(offset) >= from && BigInt(offset) < from + (end - start),
    );
    if (region === undefined) {
      this.#refuse('ESRCH', `process ${pid} has not mapped the code of ${this.#shown}`);
    }
    return region.start - region.offset + BigInt(offset);
  }

  /** The code of the binary in the process's memory. */
  #mapped(pid: number): readonly MappedRegion[] {
    if (this.#regions !== undefined) return this.#regions;
    const { kernel } = this.#request;
    const all = processMaps(kernel, pid);
    if (all === undefined)
      this.#refuse('EACCES', `the memory map of process ${pid} is closed to this process`);
    const file = facts(kernel, this.#binary.path);
    const names = [this.#binary.shown, file?.realPath];
    const base = file?.realPath.slice(file.realPath.lastIndexOf('/'));
    const isThis = ({ path, inode }: MappedRegion) =>
      names.includes(path) || (inode === file?.inode && base !== undefined && path.endsWith(base));
    this.#regions = all.filter((region) => region.executable && isThis(region));
    return this.#regions;
  }

  #whyNone(all: readonly UsdtNote[], provider: string, name: string): Reason {
    const names = [...new Set(all.map((note) => `${note.provider}:${note.name}`))];
    const wanted = `${provider}:${name}`;
    const near = nearest(wanted, names);
    const some = (near.length > 0 ? near : names.slice(0, 8)).map((each) => printable(each));
    const more = near.length === 0 && names.length > 8 ? ', …' : '';
    return {
      why: `${this.#shown} has no USDT probe ${printable(wanted)}`,
      ...(some.length === 0 ? {} : { hint: `It has ${some.join(', ')}${more}` }),
    };
  }

  #refuse(code: string, why: string): never {
    throw cannotAttach(this.#attachment, code, { why });
  }
}

const nopCombo: readonly number[] = [0x90, 0x0f, 0x1f, 0x44, 0x00, 0x00];
