import type {
  Fd,
  FileFacts,
  Kernel,
  Mapping,
  PerfEvent,
  Readiness,
  Watch,
  XdpQuery,
} from '../kernel/kernel.js';
import { BPF_FS_MAGIC, kernelVersion } from '../uapi.js';
import { Descriptors, type FakeObject } from './descriptors.js';
import { FakeAttachments } from './fake-attachments.js';
import { FakeFiles } from './fake-files.js';
import { linkType } from './fake-link-info.js';
import { FakePerfEvent } from './fake-perf.js';
import { FakeRingMap } from './fake-queue.js';
import { FakeUserRingMap } from './fake-user-ring.js';
import { hostFile, hostFiles } from './host-files.js';
import { fileSystemOf, placeOf } from './places.js';
import { refusal } from './refusal.js';
import { Script } from './script.js';

/** The host that a fake kernel plays. */
export interface FakeKernelOptions {
  /** Possible CPUs: how many values a per-CPU map has. 4 by default. */
  readonly cpus?: number;
  /** Ids of the CPUs that run: all of `cpus` by default. */
  readonly online?: readonly number[];
  /** Bytes; 4096 by default. */
  readonly pageSize?: number;
  /** Node's name of an architecture; `x64` by default. */
  readonly arch?: string;
  /** `6.12` (the default) or `5.4.0`: what is newer than that is refused as that kernel would. */
  readonly version?: string;
  /**
   * What `/sys/kernel/btf/vmlinux` holds. There is none by default: to load an object that has CO-RE relocations, give
   * the BTF of a kernel here, or the object's own as `load({ kernel, kernelBtf: hello.elfBytes() })`.
   */
  readonly btf?: Uint8Array;
}

/** What a fake kernel holds, and its calls that are not bpf(2): facts, perf events, network, descriptors, memory. */
export abstract class FakeHost {
  readonly version: number;
  readonly release: string;
  readonly arch: string;
  readonly pid = 4242;
  readonly pageSize: number;
  readonly littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
  /** The kernel calls made so far, by name, lookups left out: for tests of the order of work. */
  readonly calls: string[] = [];
  readonly #online: readonly number[];
  readonly #cpus: number;
  protected readonly descriptors = new Descriptors();
  protected readonly files: FakeFiles;
  protected readonly pins = new Map<string, FakeObject>();
  protected readonly devices: string[] = ['lo'];
  protected readonly attachments: FakeAttachments;
  protected readonly script = new Script();
  #nextId = 1;
  /** Where the next mapping without an address of its own goes. */
  #nextAddress = 0x7f00_0000_0000n;

  constructor(options: FakeKernelOptions = {}) {
    const { cpus = 4, pageSize = 4096, version = '6.12' } = options;
    const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
    this.version = kernelVersion(major, minor, patch);
    this.release = `${major}.${minor}.${patch}-fake`;
    this.arch = options.arch ?? 'x64';
    this.pageSize = pageSize;
    this.#cpus = cpus;
    this.#online = options.online ?? Array.from({ length: cpus }, (_, cpu) => cpu);
    this.files = new FakeFiles((path) => hostFile(path, this));
    for (const path of hostFiles) this.files.find(path);
    if (options.btf !== undefined) this.files.set('/sys/kernel/btf/vmlinux', options.btf);
    this.attachments = new FakeAttachments(
      this.descriptors,
      () => this.nextId(),
      (index) => this.ifname(index),
    );
  }

  // Kernel: facts about the host.

  possibleCpus(): number {
    return this.#cpus;
  }

  onlineCpus(): readonly number[] {
    return this.#online;
  }

  readFile(path: string): Uint8Array | undefined {
    this.enter('readFile', path);
    const descriptor = /^\/proc\/self\/fdinfo\/(\d+)$/.exec(path)?.[1];
    const object = descriptor === undefined ? undefined : this.descriptors.find(Number(descriptor));
    const file = this.files.find(path);
    if (file === undefined && object !== undefined) return new TextEncoder().encode(fdinfo(object));
    return file?.bytes.slice();
  }

  writeFile(path: string, text: string, append = false): void {
    this.enter('writeFile', path);
    this.files.write(path, text, append);
  }

  buildConfig(): string | undefined {
    this.enter('buildConfig');
    const config = this.files.find(`/boot/config-${this.release}`);
    return config && new TextDecoder().decode(config.bytes);
  }

  listDirectory(path: string): readonly string[] | undefined {
    this.enter('listDirectory', path);
    return this.files.list(path);
  }

  /** Directories are wherever something is. */
  makeDirectory(path: string): void {
    this.enter('makeDirectory', path);
  }

  fileSystem(path: string): number | undefined {
    this.enter('fileSystem', path);
    const descriptor = /^\/proc\/self\/fd\/(\d+)$/.exec(path)?.[1];
    if (descriptor !== undefined) {
      const object = this.descriptors.find(Number(descriptor));
      return object && fileSystemOf(object.kind === 'place' ? object.place : undefined);
    }
    if (path === '/sys/fs/bpf' || this.pins.has(path)) return BPF_FS_MAGIC;
    const there = placeOf(path) !== undefined || this.files.find(path) || this.files.list(path);
    return there ? fileSystemOf(placeOf(path)) : undefined;
  }

  fileFacts(path: string): FileFacts | undefined {
    this.enter('fileFacts', path);
    return this.files.facts(path);
  }

  /** Empty, so that tests do not depend on where they run. */
  environment(): undefined {
    return undefined;
  }

  // Kernel: perf events.

  perfEventOpen(event: PerfEvent): Fd {
    this.enter('perfEventOpen', event.target);
    const fake = new FakePerfEvent(event, this.pageSize, this.littleEndian);
    return this.descriptors.open({ kind: 'perf_event', event: fake });
  }

  perfEventSetBpf(event: Fd, prog: Fd): void {
    this.enter('perfEventSetBpf');
    this.attachments.setBpf(event, prog);
  }

  perfEventEnable(fd: Fd): void {
    this.enter('perfEventEnable');
    this.descriptors.get(fd, 'perf_event', 'ioctl(PERF_EVENT_IOC_ENABLE)').event.enabled = true;
  }

  perfEventDisable(fd: Fd): void {
    this.enter('perfEventDisable');
    this.descriptors.get(fd, 'perf_event', 'ioctl(PERF_EVENT_IOC_DISABLE)').event.enabled = false;
  }

  perfEventPauseOutput(fd: Fd, paused: boolean): void {
    this.enter('perfEventPauseOutput');
    this.descriptors.get(fd, 'perf_event', 'ioctl(PERF_EVENT_IOC_PAUSE_OUTPUT)').event.paused = paused;
  }

  // Kernel: network.

  ifindex(name: string): number {
    this.enter('ifindex', name);
    const index = this.devices.indexOf(name);
    if (index < 0) throw refusal('if_nametoindex', 'ENODEV', name);
    return index + 1;
  }

  ifname(index: number): string | undefined {
    return this.devices[index - 1];
  }

  xdpSet(ifindex: number, prog: Fd | -1, flags: number, expected?: Fd): void {
    this.enter('xdpSet', this.ifname(ifindex));
    this.attachments.xdpSet(ifindex, prog, flags, expected);
  }

  xdpQuery(ifindex: number): XdpQuery {
    this.enter('xdpQuery', this.ifname(ifindex));
    return this.attachments.xdpQuery(ifindex);
  }

  packetSocket(ifindex: number): Fd {
    this.enter('packetSocket', this.ifname(ifindex));
    if (this.ifname(ifindex) === undefined) throw refusal('bind', 'ENODEV');
    return this.descriptors.open({ kind: 'socket', ifindex, group: {} });
  }

  socketAttach(socket: Fd, prog: Fd): void {
    this.enter('socketAttach');
    this.attachments.attachSocket(socket, prog);
  }

  socketDetach(socket: Fd): void {
    this.enter('socketDetach');
    this.attachments.detachSocket(socket);
  }

  reuseportAttach(socket: Fd, prog: Fd): void {
    this.enter('reuseportAttach');
    this.attachments.attachReuseport(socket, prog);
  }

  reuseportDetach(socket: Fd): void {
    this.enter('reuseportDetach');
    this.attachments.detachReuseport(socket);
  }

  // Kernel: descriptors and memory.

  close(fd: Fd): void {
    this.calls.push('close');
    const object = this.descriptors.close(fd);
    if (object.kind === 'file') object.file.close();
    this.letGo(object);
  }

  /** A descriptor or pin of an object is gone: what nothing else holds ends. */
  protected letGo(object: FakeObject): void {
    if (this.held().some((other) => samePayload(object, other))) return;
    // A perf event whose link still stands is held by it.
    if (object.kind === 'link') this.attachments.drop(object.link);
    if (object.kind === 'perf_event') this.attachments.drop(object.event);
    if (object.kind === 'socket') {
      this.attachments.drop(object);
      this.attachments.drop(object.group);
    }
  }

  duplicate(fd: Fd): Fd {
    this.enter('duplicate');
    const object = this.descriptors.find(fd);
    if (object === undefined) throw refusal('fcntl(F_DUPFD_CLOEXEC)', 'EBADF');
    return this.descriptors.open(object);
  }

  openFile(path: string): Fd {
    this.enter('openFile', path);
    const place = placeOf(path);
    if (place !== undefined) return this.descriptors.open({ kind: 'place', path, place });
    const file = this.files.find(path);
    if (file === undefined) throw refusal('open', 'ENOENT', path);
    return this.descriptors.open({ kind: 'file', path, file: file.open() });
  }

  pidfdOpen(pid: number): Fd {
    this.enter('pidfdOpen');
    if (this.version < kernelVersion(5, 3)) throw refusal('pidfd_open', 'ENOSYS');
    return this.descriptors.open({ kind: 'process', pid });
  }

  read(fd: Fd, buffer: Uint8Array): number {
    return this.descriptors.get(fd, 'file', 'read').file.read(buffer);
  }

  readAt(fd: Fd, buffer: Uint8Array, position: number): number {
    return this.descriptors.get(fd, 'file', 'pread').file.readAt(buffer, position);
  }

  mmap(fd: Fd, offset: number, length: number, writable: boolean, address?: bigint): Mapping {
    const object = this.descriptors.find(fd);
    if (object === undefined) throw refusal('mmap', 'EBADF');
    this.enter('mmap', object.kind === 'map' ? object.map.name : undefined);
    const buffer =
      object.kind === 'map'
        ? object.map.memory(offset, length, writable)
        : object.kind === 'perf_event'
          ? object.event.map(length, writable)
          : undefined;
    if (buffer === undefined) throw refusal('mmap', 'EINVAL');
    const free = this.#nextAddress;
    if (address === undefined) this.#nextAddress += BigInt(length);
    return { buffer, address: address ?? free, close: () => this.calls.push('munmap') };
  }

  watch(fd: Fd, ready: () => void, when: Readiness = 'readable'): Watch {
    this.enter('watch');
    const object = this.descriptors.find(fd);
    if (object === undefined) throw refusal('epoll_ctl', 'EBADF');
    if (when === 'writable' && object.kind === 'map' && object.map instanceof FakeUserRingMap) {
      return object.map.room.watch(ready);
    }
    if (when === 'writable') throw refusal('epoll_ctl', 'EPERM');
    if (object.kind === 'file') return object.file.watch(ready);
    if (object.kind === 'perf_event') return object.event.watch(ready);
    if (object.kind === 'map' && object.map instanceof FakeRingMap) return object.map.ring.watch(ready);
    throw refusal('epoll_ctl', 'EPERM');
  }

  protected enter(call: keyof Kernel, name?: string): void {
    this.calls.push(call);
    this.script.check(call, name);
  }

  protected nextId(): number {
    return this.#nextId++;
  }

  /** The objects that descriptors and pins hold. */
  protected held(): FakeObject[] {
    return [...this.descriptors.all().map(([, object]) => object), ...this.pins.values()];
  }
}

/** What /proc tells of a descriptor, as far as it is about BPF. */
function fdinfo(object: FakeObject): string {
  switch (object.kind) {
    case 'map':
      return `map_type:\t${object.map.attributes.type}\n`;
    case 'program':
      return `prog_type:\t${object.program.type}\n`;
    case 'link':
      return `link_type:\t${linkType(object.link)}\n`;
    default:
      return 'pos:\t0\n';
  }
}

/** True when two descriptors are of one object, as duplicates and pins are. */
function samePayload(a: FakeObject, b: FakeObject): boolean {
  if (a.kind === 'link') return b.kind === 'link' && a.link === b.link;
  if (a.kind === 'perf_event') return b.kind === 'perf_event' && a.event === b.event;
  return a === b;
}
