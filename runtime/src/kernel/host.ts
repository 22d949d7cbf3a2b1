import {
  accessSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { version as buildVersion, release } from 'node:os';
import { gunzipSync } from 'node:zlib';
import { BpfError, printable } from '../errors.js';
import { kernelVersion } from '../uapi.js';
import { ERRNO, syscallError } from './errno.js';
import type { FileFacts, Kernel } from './kernel.js';

const POSSIBLE_CPUS = '/sys/devices/system/cpu/possible';
/** Bytes; the largest configurations are a few hundred thousand. */
const MAX_CONFIG = 16 << 20;
const ONLINE_CPUS = '/sys/devices/system/cpu/online';

type HostCalls = Pick<
  Kernel,
  | 'pid'
  | 'possibleCpus'
  | 'onlineCpus'
  | 'readFile'
  | 'writeFile'
  | 'buildConfig'
  | 'makeDirectory'
  | 'listDirectory'
  | 'fileSystem'
  | 'fileFacts'
  | 'environment'
  | 'readAt'
>;

/** Files and facts. */
export function hostCalls(): HostCalls {
  let possible: number | undefined;
  return {
    pid: process.pid,
    possibleCpus() {
      possible ??= cpuList(POSSIBLE_CPUS).length;
      return possible;
    },
    onlineCpus: () => cpuList(ONLINE_CPUS),
    readFile,
    writeFile(path, text, append = false) {
      // Neither creates nor truncates: truncating kprobe_events would remove every probe of the machine.
      const flags = constants.O_WRONLY | (append ? constants.O_APPEND : 0);
      const fd = refusing(path, () => openSync(path, flags));
      try {
        refusing(path, () => writeSync(fd, text));
      } finally {
        closeSync(fd);
      }
    },
    buildConfig,
    fileSystem: fileSystemMagic,
    makeDirectory(path) {
      // As libbpf makes directories of pins.
      refusing(path, () => mkdirSync(path, { recursive: true, mode: 0o700 }));
    },
    listDirectory: (path) => unlessMissing(path, () => readdirSync(path)),
    fileFacts: (path) => unlessMissing(path, () => fileFacts(path)),
    environment: (name) => process.env[name],
    readAt(fd, buffer, position) {
      let done = 0;
      while (done < buffer.length) {
        const left = buffer.length - done;
        const count = refusing(undefined, () => readSync(fd, buffer, done, left, position + done));
        if (count === 0) break;
        done += count;
      }
      return done;
    },
  };
}

function fileFacts(path: string): FileFacts {
  const facts = statSync(path, { bigint: true });
  return {
    kind: facts.isFile() ? 'file' : facts.isDirectory() ? 'directory' : 'other',
    size: Number(facts.size),
    inode: facts.ino,
    // The links of /proc/PID name what another file system may hold, or nobody any more; they work all the same.
    realPath: unlessMissing(path, () => realpathSync.native(path)) ?? path,
    readable: may(path, constants.R_OK),
    executable: may(path, constants.X_OK),
  };
}

function may(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch (error) {
    // Whatever it is that forbids it.
    if (isErrnoError(error)) return false;
    throw error;
  }
}

function buildConfig(): string | undefined {
  for (const path of [`/boot/config-${release()}`, '/proc/config.gz']) {
    const bytes = readFile(path);
    if (bytes === undefined) continue;
    const packed = bytes[0] === 0x1f && bytes[1] === 0x8b;
    return new TextDecoder().decode(packed ? gunzipSync(bytes, { maxOutputLength: MAX_CONFIG }) : bytes);
  }
  return undefined;
}

export function readFile(path: string): Uint8Array | undefined {
  return unlessMissing(path, () => readFileSync(path));
}

/** The magic number of the file system `path` lies in; undefined when it cannot be told. */
export function fileSystemMagic(path: string): number | undefined {
  return unlessMissing(path, () => statfsSync(path).type);
}

/** KERNEL_VERSION() of the running kernel, as libbpf's get_kernel_version finds it. */
export function runningVersion(): number {
  return parseVersion(readText('/proc/version_signature'), buildVersion(), release());
}

/**
 * Ubuntu and Debian call their kernels after the ABI (`6.1.0-18`) and keep the version the kernel compares with
 * elsewhere: Ubuntu in /proc/version_signature (`Ubuntu 5.15.0-25.25-generic 5.15.30`), Debian in `uname -v`.
 */
export function parseVersion(signature: string | undefined, build: string, name: string): number {
  const found =
    /^\S+\s+\S+\s+(\d+)\.(\d+)\.(\d+)/.exec(signature ?? '') ??
    /Debian (\d+)\.(\d+)\.(\d+)/.exec(build) ??
    /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(name);
  if (found === null) return 0;
  return kernelVersion(Number(found[1]), Number(found[2]), Number(found[3] ?? 0));
}

/** The CPUs of a list such as `0-3,8,10-11`; undefined when it is not one. */
export function parseCpuList(text: string): number[] | undefined {
  const cpus: number[] = [];
  for (const range of text.trim().split(',')) {
    const found = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(range);
    if (found === null) return undefined;
    const first = Number(found[1]);
    const last = found[2] === undefined ? first : Number(found[2]);
    if (last < first) return undefined;
    for (let cpu = first; cpu <= last; cpu++) cpus.push(cpu);
  }
  return cpus;
}

function cpuList(path: string): number[] {
  const text = readText(path);
  const cpus = text === undefined ? undefined : parseCpuList(text);
  if (cpus === undefined) {
    throw new BpfError(
      'ERR_BPF_HOST',
      text === undefined
        ? `count the CPUs: ${path} does not exist; is sysfs mounted at /sys?`
        : `count the CPUs: "${printable(text)}" in ${path} is not a list of CPUs`,
    );
  }
  return cpus;
}

function readText(path: string): string | undefined {
  const bytes = readFile(path);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

/** What `action` gives; undefined when the path does not exist. */
function unlessMissing<T>(path: string, action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (isErrnoError(error) && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return undefined;
    throw asSyscallError(error, path);
  }
}

/** What `action` gives; Node's own error, about `path` if there is one, becomes a SyscallError. */
export function refusing<T>(path: string | undefined, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw asSyscallError(error, path);
  }
}

/** Node's own error as ours, so that callers meet one family. */
function asSyscallError(error: unknown, path: string | undefined): unknown {
  if (!isErrnoError(error)) return error;
  const errno = Object.entries(ERRNO).find(([name]) => name === error.code)?.[1];
  if (errno === undefined) return error;
  return syscallError(error.syscall ?? 'open', errno, path, { cause: error });
}

function isErrnoError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}
