import { NotSupportedError } from '../errors.js';
import { type Koffi, loadKoffi } from './koffi.js';

/** What bpfskel calls in libc and in koffi. Calls return -1 on refusal, with the reason in `errno()` until the next call. */
export interface Libc {
  /** Why the last call of this thread was refused. */
  errno(): number;
  /** Where the bytes are. Stays true until the array's buffer is detached. 0 for an empty array. */
  address(bytes: Uint8Array): bigint;
  /** The memory at `address` as an ArrayBuffer, without copying; nothing keeps it mapped. */
  view(address: number, length: number): ArrayBuffer;
  /** bpf(2). `attr` is an address. */
  bpf(command: number, attr: number, size: number): number;
  perfEventOpen(attr: Uint8Array, pid: number, cpu: number, group: number, flags: number): number;
  pidfdOpen(pid: number, flags: number): number;
  ioctl(fd: number, request: number, argument: number): number;
  fcntl(fd: number, command: number, argument: number): number;
  open(path: string, flags: number, mode: number): number;
  close(fd: number): number;
  read(fd: number, buffer: Uint8Array, length: number): number;
  write(fd: number, buffer: Uint8Array, length: number): number;
  mmap(
    address: number,
    length: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ): number;
  munmap(address: number, length: number): number;
  setrlimit(resource: number, limits: Uint8Array): number;
  /** pthread_sigmask(3): gives an errno instead of setting it. */
  signalMask(how: number, set: Uint8Array, before: Uint8Array | null): number;
  pageSize(): number;
  /** 0 when there is no such device. */
  ifNameToIndex(name: string): number;
  /** False when there is no such device. */
  ifIndexToName(index: number, name: Uint8Array): boolean;
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  send(fd: number, buffer: Uint8Array, length: number, flags: number): number;
  recv(fd: number, buffer: Uint8Array, length: number, flags: number): number;
  setsockopt(fd: number, level: number, option: number, value: Uint8Array, length: number): number;
  epollCreate(flags: number): number;
  epollControl(epoll: number, operation: number, fd: number, event: Uint8Array): number;
  epollWait(epoll: number, events: Uint8Array, count: number, timeout: number): number;
  eventfd(value: number, flags: number): number;
  /** poll(2) on a thread of the pool; `done` gets its result on the event loop. The buffer must stay alive until then. */
  pollLater(fds: Uint8Array, count: number, timeout: number, done: (result: number) => void): void;
  /** libuv's own watch of a descriptor; undefined where this runtime cannot (see {@link PollHandle}). */
  uvPoll: ((fd: number, ready: () => void) => PollHandle) | undefined;
}

/**
 * A libuv poll handle. Must be referenced while it is to work, must be alone on its descriptor, which must be
 * pollable and outlive the handle; the callback must not throw. Breaking any of these ends the process.
 */
export interface PollHandle {
  start(ready: () => void): void;
  stop(): void;
}

/** System call numbers that libc has no function for, by Node's name of the architecture. */
const numbers: Readonly<Record<string, { bpf: number; perfEventOpen: number }>> = {
  x64: { bpf: 321, perfEventOpen: 298 },
  arm64: { bpf: 280, perfEventOpen: 241 },
  riscv64: { bpf: 280, perfEventOpen: 241 },
  loong64: { bpf: 280, perfEventOpen: 241 },
};

/** The same on every architecture. musl and older glibc have no function for it. */
const NR_PIDFD_OPEN = 434;
const SC_PAGESIZE = 30;

let loaded: Libc | undefined;

/**
 * Loads koffi and libc at the first call. Throws NotSupportedError off Linux, on an architecture that was never
 * tried, and where koffi has no binary.
 */
export function loadLibc(): Libc {
  loaded ??= bindLibc();
  return loaded;
}

function bindLibc(): Libc {
  if (process.platform !== 'linux') {
    throw new NotSupportedError('linux', `eBPF needs Linux; this is ${process.platform}`);
  }
  const number = numbers[process.arch];
  if (number === undefined) {
    throw new NotSupportedError(
      'architecture',
      `eBPF from ${process.arch} is not supported; it is from ${Object.keys(numbers).join(', ')}`,
    );
  }
  const koffi = loadKoffi();
  const lib = koffi.load(null);
  // Variadic functions are declared with fixed integer arguments: the same calling convention, and koffi can then
  // prepare the call once.
  const bpf: (number: number, command: number, attr: number, size: number) => number = lib.func(
    'syscall',
    'int',
    ['int', 'int', 'uintptr_t', 'uint'],
  );
  const perfEventOpen: (
    number: number,
    attr: Uint8Array,
    pid: number,
    cpu: number,
    group: number,
    flags: number,
  ) => number = lib.func('syscall', 'int', ['int', 'void *', 'int', 'int', 'int', 'ulong']);
  const pidfdOpen: (number: number, pid: number, flags: number) => number = lib.func('syscall', 'int', [
    'int',
    'int',
    'uint',
  ]);
  const sysconf: (name: number) => number = lib.func('sysconf', 'long', ['int']);
  const ifIndexToName: (index: number, name: Uint8Array) => bigint | null = lib.func(
    'if_indextoname',
    'void *',
    ['uint', 'void *'],
  );
  const poll = lib.func('poll', 'int', ['void *', 'ulong', 'int']);
  return {
    errno: koffi.errno,
    address: koffi.address,
    view: (address, length) => koffi.view(BigInt(address), length),
    bpf: (command, attr, size) => bpf(number.bpf, command, attr, size),
    perfEventOpen: (attr, pid, cpu, group, flags) =>
      perfEventOpen(number.perfEventOpen, attr, pid, cpu, group, flags),
    pidfdOpen: (pid, flags) => pidfdOpen(NR_PIDFD_OPEN, pid, flags),
    ioctl: lib.func('ioctl', 'int', ['int', 'ulong', 'ulong']),
    fcntl: lib.func('fcntl', 'int', ['int', 'int', 'long']),
    open: lib.func('open', 'int', ['str', 'int', 'uint']),
    close: lib.func('close', 'int', ['int']),
    read: lib.func('read', 'intptr_t', ['int', 'void *', 'size_t']),
    write: lib.func('write', 'intptr_t', ['int', 'void *', 'size_t']),
    // Declared as a number: MAP_FAILED as a pointer would read 18446744073709551615, not null.
    mmap: lib.func('mmap', 'intptr_t', ['uintptr_t', 'size_t', 'int', 'int', 'int', 'int64_t']),
    munmap: lib.func('munmap', 'int', ['uintptr_t', 'size_t']),
    setrlimit: lib.func('setrlimit', 'int', ['int', 'void *']),
    signalMask: lib.func('pthread_sigmask', 'int', ['int', 'void *', 'void *']),
    pageSize: () => sysconf(SC_PAGESIZE),
    ifNameToIndex: lib.func('if_nametoindex', 'uint', ['str']),
    ifIndexToName: (index, name) => ifIndexToName(index, name) !== null,
    socket: lib.func('socket', 'int', ['int', 'int', 'int']),
    bind: lib.func('bind', 'int', ['int', 'void *', 'uint']),
    send: lib.func('send', 'intptr_t', ['int', 'void *', 'size_t', 'int']),
    recv: lib.func('recv', 'intptr_t', ['int', 'void *', 'size_t', 'int']),
    setsockopt: lib.func('setsockopt', 'int', ['int', 'int', 'int', 'void *', 'uint']),
    epollCreate: lib.func('epoll_create1', 'int', ['int']),
    epollControl: lib.func('epoll_ctl', 'int', ['int', 'int', 'int', 'void *']),
    epollWait: lib.func('epoll_wait', 'int', ['int', 'void *', 'int', 'int']),
    eventfd: lib.func('eventfd', 'int', ['uint', 'int']),
    pollLater: (fds, count, timeout, done) =>
      poll.async(fds, count, timeout, (error: unknown, result: number) => {
        done(error === null || error === undefined ? result : -1);
      }),
    uvPoll: uvPollOf(koffi),
  };
}

function uvPollOf(koffi: typeof Koffi): Libc['uvPoll'] {
  // Bun ends the process on uv_poll, Deno fires once.
  if ('bun' in process.versions || 'Deno' in globalThis) return undefined;
  if (koffi.node?.poll === undefined) return undefined;
  return (fd, ready) => {
    const handle = koffi.node.poll(fd, { readable: true }, ready);
    return {
      start: (again) => handle.start({ readable: true }, again),
      stop: () => handle.stop(),
    };
  };
}
