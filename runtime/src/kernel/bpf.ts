import { unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import type { SyscallError } from '../errors.js';
import { BPF_CMD, BPF_FS_MAGIC, kernelVersion } from '../uapi.js';
import { Addresses } from './addresses.js';
import * as attrs from './attr.js';
import { goodFd } from './descriptors.js';
import { ERRNO, syscallError } from './errno.js';
import type { Fields } from './fields.js';
import { fileSystemMagic, refusing } from './host.js';
import * as infos from './info.js';
import type { BtfObject, Fd, Kernel, MapWriteResult, ProgLoad, TestRun, TestRunResult } from './kernel.js';
import type { Libc } from './libc.js';
import { readLink } from './link-info.js';
import { raiseMemlock } from './memlock.js';
import * as progAttrs from './prog-attr.js';
import { withoutSignals } from './signals.js';

type Command = keyof typeof BPF_CMD;

/** libbpf's PROG_LOAD_ATTEMPTS. */
const LOAD_ATTEMPTS = 5;
/** Room for data a program adds in front of or behind its packet in a test run. */
const TEST_DATA_GROWTH = 256;
const EXPECTED_MAPS = 64;
/** MODULE_NAME_LEN of 64-bit kernels is less. */
const MODULE_NAME_SIZE = 64;

/** The calls of bpf(2) that have a structure of their own. */
export class Bpf {
  readonly libc: Libc;
  readonly addressOf: (bytes: Uint8Array) => bigint;

  constructor(libc: Libc) {
    this.libc = libc;
    this.addressOf = libc.address;
  }

  /** Runs a command; -1 on refusal, with the errno to be asked for next. */
  attempt(command: Command, fields: Fields): number {
    const result = this.libc.bpf(BPF_CMD[command], Number(this.addressOf(fields.bytes)), fields.end);
    // What the structure points at is used until here, whatever the optimiser thinks.
    fields.release();
    return result;
  }

  run(command: Command, fields: Fields, subject?: string): void {
    if (this.attempt(command, fields) < 0) throw this.refusal(command, subject);
  }

  open(command: Command, fields: Fields, subject?: string): Fd {
    return goodFd(this.libc, nameOf(command), this.attempt(command, fields), subject);
  }

  refusal(command: Command, subject?: string): SyscallError {
    return syscallError(nameOf(command), this.libc.errno(), subject);
  }

  info(fd: Fd, info: Fields): Fields {
    this.sizedInfo(fd, info);
    return info;
  }

  /** Says how many bytes of the answer are this kernel's. */
  sizedInfo(fd: Fd, info: Fields): number {
    const attr = attrs.infoAttr(fd, info, this.addressOf);
    this.run('OBJ_GET_INFO_BY_FD', attr);
    return attr.readU32(attrs.ATTR.info.info_len);
  }
}

function nameOf(command: Command): string {
  return `bpf(BPF_${command})`;
}

type ElementCalls = Pick<
  Kernel,
  'mapLookup' | 'mapUpdate' | 'mapDelete' | 'mapLookupAndDelete' | 'mapNextKey'
>;

/** One entry at a time: the hot path. Nothing is allocated but the BigInts of addresses. */
export function elementCalls(libc: Libc): ElementCalls {
  const attr = new attrs.ElementAttr();
  const at = Number(libc.address(attr.bytes));
  const addresses = new Addresses(libc.address);

  // What the attribute holds: a map class passes the same buffers call after call.
  let lastFd: Fd = -1;
  let lastKey: Uint8Array | null = null;
  let lastValue: Uint8Array | null = null;
  let lastFlags = 0n;
  const prepare = (fd: Fd, key: Uint8Array | null, value: Uint8Array | null, flags: bigint): void => {
    const same = fd === lastFd && key === lastKey && value === lastValue && flags === lastFlags;
    // A detached array has the length 0, and its address is gone.
    if (same && key?.length !== 0 && value?.length !== 0) return;
    attr.set(fd, key === null ? 0n : addresses.of(key), value === null ? 0n : addresses.of(value), flags);
    lastFd = fd;
    lastKey = key;
    lastValue = value;
    lastFlags = flags;
  };

  /** False for ENOENT, which is an answer and not a refusal. */
  const call = (
    command: Command,
    fd: Fd,
    key: Uint8Array | null,
    value: Uint8Array | null,
    flags: bigint,
  ): boolean => {
    prepare(fd, key, value, flags);
    if (libc.bpf(BPF_CMD[command], at, attrs.ElementAttr.size) >= 0) return true;
    const errno = libc.errno();
    if (errno === ERRNO.ENOENT) return false;
    throw syscallError(nameOf(command), errno);
  };

  return {
    mapLookup: (fd, key, value, flags = 0n) => call('MAP_LOOKUP_ELEM', fd, key, value, flags),
    mapUpdate(fd, key, value, flags = 0n) {
      if (!call('MAP_UPDATE_ELEM', fd, key, value, flags)) {
        throw syscallError(nameOf('MAP_UPDATE_ELEM'), ERRNO.ENOENT);
      }
    },
    mapDelete: (fd, key) => call('MAP_DELETE_ELEM', fd, key, null, 0n),
    mapLookupAndDelete: (fd, key, value, flags = 0n) =>
      call('MAP_LOOKUP_AND_DELETE_ELEM', fd, key, value, flags),
    mapNextKey: (fd, key, next) => call('MAP_GET_NEXT_KEY', fd, key, next, 0n),
  };
}

type MapCalls = Pick<
  Kernel,
  'mapCreate' | 'mapFreeze' | 'mapLookupBatch' | 'mapUpdateBatch' | 'mapDeleteBatch' | 'mapInfo' | 'mapById'
>;

export function mapCalls(libc: Libc, version: number): MapCalls {
  const bpf = new Bpf(libc);
  return {
    mapCreate(map) {
      raiseMemlock(libc, version);
      return bpf.open('MAP_CREATE', attrs.mapCreateAttr(named(map, version), bpf.addressOf));
    },

    mapFreeze(fd) {
      bpf.run('MAP_FREEZE', attrs.singleAttr(fd));
    },

    mapLookupBatch(fd, batch) {
      // Hash maps keep a 32-bit bucket number in the cursor, tries a whole key.
      const next = new Uint8Array(Math.max(batch.keySize, 8));
      const fields = attrs.batchAttr(fd, batch, next, bpf.addressOf);
      const command = batch.remove === true ? 'MAP_LOOKUP_AND_DELETE_BATCH' : 'MAP_LOOKUP_BATCH';
      if (bpf.attempt(command, fields) < 0) {
        const errno = libc.errno();
        // The last batch is delivered with ENOENT.
        if (errno !== ERRNO.ENOENT) throw syscallError(nameOf(command), errno);
        return { count: fields.readU32(attrs.ATTR.batch.count), cursor: undefined };
      }
      return { count: fields.readU32(attrs.ATTR.batch.count), cursor: next };
    },

    mapUpdateBatch: (fd, batch) =>
      writeBatch(bpf, 'MAP_UPDATE_BATCH', batch.count, attrs.writeBatchAttr(fd, batch, bpf.addressOf)),
    mapDeleteBatch: (fd, batch) =>
      writeBatch(bpf, 'MAP_DELETE_BATCH', batch.count, attrs.writeBatchAttr(fd, batch, bpf.addressOf)),
    mapInfo: (fd) => infos.readMapInfo(bpf.info(fd, infos.infoFields())),
    mapById: (id) => bpf.open('MAP_GET_FD_BY_ID', attrs.singleAttr(id), `map id ${id}`),
  };
}

function writeBatch(bpf: Bpf, command: Command, wanted: number, fields: Fields): MapWriteResult {
  if (bpf.attempt(command, fields) >= 0) return { count: wanted };
  const refusal = bpf.refusal(command);
  const count = fields.readU32(attrs.ATTR.batch.count);
  // A refusal before the first entry leaves the count as it was asked.
  return { count: count < wanted ? count : 0, refusal };
}

type ProgCalls = Pick<
  Kernel,
  | 'progLoad'
  | 'progTestRun'
  | 'progInfo'
  | 'progBindMap'
  | 'progAssocStructOps'
  | 'progById'
  | 'btfLoad'
  | 'btfById'
  | 'btfBytes'
  | 'btfObjects'
>;

export function progCalls(libc: Libc, version: number): ProgCalls {
  const bpf = new Bpf(libc);
  return {
    progLoad(prog) {
      raiseMemlock(libc, version);
      return loadProg(bpf, named(prog, version));
    },
    progTestRun: (fd, run) => testRun(bpf, fd, run),
    progInfo: (fd) => {
      let ids = new Uint32Array(EXPECTED_MAPS);
      for (;;) {
        const info = infos.infoFields(libc.address);
        info.u32(infos.INFO.prog.nr_map_ids, ids.length);
        info.pointer(infos.INFO.prog.map_ids, new Uint8Array(ids.buffer));
        bpf.info(fd, info);
        info.release();
        const count = info.readU32(infos.INFO.prog.nr_map_ids);
        if (count <= ids.length) return infos.readProgInfo(info, Array.from(ids.subarray(0, count)));
        ids = new Uint32Array(count);
      }
    },
    progBindMap: (prog, map) => bpf.run('PROG_BIND_MAP', attrs.progBindMapAttr(prog, map)),
    progAssocStructOps: (prog, map) =>
      bpf.run('PROG_ASSOC_STRUCT_OPS', attrs.progAssocStructOpsAttr(prog, map)),
    progById: (id) => bpf.open('PROG_GET_FD_BY_ID', attrs.singleAttr(id), `program id ${id}`),
    btfLoad(btf, log) {
      raiseMemlock(libc, version);
      return bpf.open('BTF_LOAD', progAttrs.btfLoadAttr(btf, log, bpf.addressOf));
    },
    btfBytes: (fd) => btfBytes(bpf, fd),
    btfObjects: () => btfIds(bpf).flatMap((id) => btfObject(bpf, id) ?? []),
    btfById: (id) => bpf.open('BTF_GET_FD_BY_ID', attrs.singleAttr(id), `BTF id ${id}`),
  };
}

function btfIds(bpf: Bpf): number[] {
  const ids: number[] = [];
  for (let id = 0; ; ) {
    const attr = attrs.singleAttr(id);
    if (bpf.attempt('BTF_GET_NEXT_ID', attr) < 0) {
      if (bpf.libc.errno() === ERRNO.ENOENT) return ids;
      throw bpf.refusal('BTF_GET_NEXT_ID');
    }
    id = attrs.readNextId(attr);
    ids.push(id);
  }
}

/** The kernel says how much there is, then copies it. */
function btfBytes(bpf: Bpf, fd: Fd): Uint8Array {
  const size = bpf.info(fd, infos.infoFields(bpf.addressOf)).readU32(infos.INFO.btf.btf_size);
  const bytes = new Uint8Array(size);
  const info = infos
    .infoFields(bpf.addressOf)
    .pointer(infos.INFO.btf.btf, bytes)
    .u32(infos.INFO.btf.btf_size, size);
  bpf.info(fd, info).release();
  return bytes;
}

/** Undefined when the object went away since its id was read. */
function btfObject(bpf: Bpf, id: number): BtfObject | undefined {
  const fd = bpf.attempt('BTF_GET_FD_BY_ID', attrs.singleAttr(id));
  if (fd < 0) {
    if (bpf.libc.errno() === ERRNO.ENOENT) return undefined;
    throw bpf.refusal('BTF_GET_FD_BY_ID', `BTF id ${id}`);
  }
  try {
    const name = new Uint8Array(MODULE_NAME_SIZE);
    const info = infos
      .infoFields(bpf.addressOf)
      .pointer(infos.INFO.btf.name, name)
      .u32(infos.INFO.btf.name_len, name.length);
    return infos.readBtfInfo(bpf.info(fd, info), name);
  } finally {
    bpf.libc.close(fd);
  }
}

/**
 * The verifier answers EAGAIN when a signal interrupts it, and is asked again. libbpf only does that
 * (sys_bpf_prog_load); under a profiler every attempt is interrupted, so none may be after the first.
 */
function loadProg(bpf: Bpf, prog: ProgLoad): Fd {
  const { libc } = bpf;
  const attempt = (): { fd: Fd; errno: number } => {
    const attr = progAttrs.progLoadAttr(prog, bpf.addressOf);
    const fd = bpf.attempt('PROG_LOAD', attr);
    const errno = fd < 0 ? libc.errno() : 0;
    if (prog.log !== undefined) prog.log.trueSize = progAttrs.readLogTrueSize(attr);
    return { fd, errno };
  };
  let result = attempt();
  for (let left = LOAD_ATTEMPTS - 1; left > 0 && result.errno === ERRNO.EAGAIN; left--) {
    result = withoutSignals(libc, attempt);
  }
  if (result.fd < 0) throw syscallError(nameOf('PROG_LOAD'), result.errno);
  return goodFd(libc, nameOf('PROG_LOAD'), result.fd);
}

function testRun(bpf: Bpf, fd: Fd, run: TestRun): TestRunResult {
  // Programs of type SYSCALL get their context back in place: what the caller gave stays as it was.
  const context = new Uint8Array(run.context ?? []);
  const dataOut = new Uint8Array(
    run.dataOutSize ?? (run.data === undefined ? 0 : run.data.length + TEST_DATA_GROWTH),
  );
  const contextOut = new Uint8Array(run.contextOutSize ?? 0);
  const fields = progAttrs.testRunAttr(fd, run, { context, dataOut, contextOut }, bpf.addressOf);
  // A signal ends a run between two rounds with EINTR, and what they did stays done: there is no second try.
  withoutSignals(bpf.libc, () => bpf.run('PROG_TEST_RUN', fields));
  const at = attrs.ATTR.test;
  const contextSize = fields.readU32(at.ctx_size_out);
  return {
    returnValue: fields.readU32(at.retval),
    duration: fields.readU32(at.duration),
    data: dataOut.subarray(0, fields.readU32(at.data_size_out)),
    context: contextOut.length === 0 ? context : contextOut.subarray(0, contextSize),
  };
}

type LinkCalls = Pick<
  Kernel,
  | 'linkCreate'
  | 'linkUpdate'
  | 'linkDetach'
  | 'linkInfo'
  | 'linkById'
  | 'iterCreate'
  | 'iterRead'
  | 'rawTracepointOpen'
  | 'pin'
  | 'pinned'
  | 'unpin'
>;

export function linkCalls(libc: Libc): LinkCalls {
  const bpf = new Bpf(libc);
  return {
    linkCreate: (link) => bpf.open('LINK_CREATE', attrs.linkCreateAttr(link, bpf.addressOf)),
    linkUpdate: (link, prog, expected) => bpf.run('LINK_UPDATE', attrs.linkUpdateAttr(link, prog, expected)),
    linkDetach: (link) => bpf.run('LINK_DETACH', attrs.singleAttr(link)),
    linkById: (id) => bpf.open('LINK_GET_FD_BY_ID', attrs.singleAttr(id), `link id ${id}`),
    linkInfo: (fd) => readLink((info) => bpf.sizedInfo(fd, info), bpf.addressOf),
    iterCreate: (link) => bpf.open('ITER_CREATE', attrs.iterCreateAttr(link)),
    iterRead(iter, buffer) {
      for (;;) {
        const count = libc.read(iter, buffer, buffer.length);
        if (count >= 0) return count;
        const errno = libc.errno();
        if (errno !== ERRNO.EINTR) throw syscallError('read', errno);
      }
    },
    rawTracepointOpen: (prog, name, cookie) =>
      bpf.open('RAW_TRACEPOINT_OPEN', attrs.rawTracepointAttr(prog, name, bpf.addressOf, cookie), name),
    pin(fd, path) {
      if (bpf.attempt('OBJ_PIN', attrs.objectAttr(path, fd, bpf.addressOf)) < 0) {
        throw syscallError(nameOf('OBJ_PIN'), libc.errno(), path, { hint: pinHint(path) });
      }
    },
    pinned: (path) => bpf.open('OBJ_GET', attrs.objectAttr(path, undefined, bpf.addressOf), path),
    unpin: (path) => refusing(path, () => unlinkSync(path)),
  };
}

/** The commonest reason a pin is refused: the directory is missing, or of another file system. */
function pinHint(path: string): string | undefined {
  const directory = dirname(path);
  const magic = fileSystemMagic(directory);
  if (magic === undefined) return `create the directory ${directory} first, inside a BPF file system`;
  if (magic === BPF_FS_MAGIC) return undefined;
  return `${directory} is not in a BPF file system: mount -t bpf bpf /sys/fs/bpf`;
}

/** Without the name where the kernel does not know names yet (FEAT_PROG_NAME of libbpf). */
function named<T extends { name?: string }>(what: T, version: number): T {
  if (version >= kernelVersion(4, 15)) return what;
  const { name: _, ...rest } = what;
  return rest as T; // only the optional name is missing
}
