import { Insns, LD_IMM64, PseudoLoad } from '../insn.js';
import type {
  BtfObject,
  Fd,
  Kernel,
  LinkCreate,
  LinkInfo,
  MapBatch,
  MapBatchResult,
  MapCreate,
  MapInfo,
  Mapping,
  PerfEvent,
  ProgInfo,
  ProgLoad,
  TestRun,
  TestRunResult,
  VerifierLog,
  Watch,
  XdpQuery,
} from '../kernel/kernel.js';
import { BPF_ANY, kernelVersion } from '../uapi.js';
import { Descriptors, type FakeObject, type FakeProgram } from './descriptors.js';
import { FakeAttachments } from './fake-attachments.js';
import { FakeFiles } from './fake-files.js';
import type { FakeMap } from './fake-map.js';
import { FakePerfEvent } from './fake-perf.js';
import { FakeRingMap } from './fake-queue.js';
import { hostFile, hostFiles } from './host-files.js';
import { makeMap } from './make-map.js';
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
  /** `6.12` (the default) or `5.4.0`: what is newer than that is refused as that kernel would. */
  readonly version?: string;
  /**
   * What `/sys/kernel/btf/vmlinux` holds. There is none by default: to load an object that has CO-RE relocations, give
   * the BTF of a kernel here, or the object's own as `load({ kernel, kernelBtf: hello.elfBytes() })`.
   */
  readonly btf?: Uint8Array;
}

/** The fake kernel as those see it who make system calls. */
export abstract class FakeCalls implements Kernel {
  readonly version: number;
  readonly release: string;
  readonly arch = 'x64';
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

  constructor(options: FakeKernelOptions = {}) {
    const { cpus = 4, pageSize = 4096, version = '6.12' } = options;
    const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
    this.version = kernelVersion(major, minor, patch);
    this.release = `${major}.${minor}.${patch}-fake`;
    this.pageSize = pageSize;
    this.#cpus = cpus;
    this.#online = options.online ?? Array.from({ length: cpus }, (_, cpu) => cpu);
    this.files = new FakeFiles((path) => hostFile(path, this));
    for (const path of hostFiles) this.files.find(path);
    if (options.btf !== undefined) this.files.set('/sys/kernel/btf/vmlinux', options.btf);
    this.attachments = new FakeAttachments(
      this.descriptors,
      () => this.#nextId++,
      (index) => this.ifname(index),
    );
  }

  /** The programs that something holds: a descriptor, a pin or an attachment. */
  get programs(): readonly FakeProgram[] {
    const held = this.held().flatMap((object) => (object.kind === 'program' ? [object.program] : []));
    return unique([...held, ...this.attachments.all().map((link) => link.program)]);
  }

  // Kernel: facts about the host.

  possibleCpus(): number {
    return this.#cpus;
  }

  onlineCpus(): readonly number[] {
    return this.#online;
  }

  readFile(path: string): Uint8Array | undefined {
    this.#enter('readFile', path);
    return this.files.find(path)?.bytes.slice();
  }

  writeFile(path: string, text: string, append = false): void {
    this.#enter('writeFile', path);
    this.files.write(path, text, append);
  }

  buildConfig(): string | undefined {
    this.#enter('buildConfig');
    const config = this.files.find(`/boot/config-${this.release}`);
    return config && new TextDecoder().decode(config.bytes);
  }

  listDirectory(path: string): readonly string[] | undefined {
    this.#enter('listDirectory', path);
    return this.files.list(path);
  }

  // Kernel: maps.

  mapCreate(attributes: MapCreate): Fd {
    this.#enter('mapCreate', attributes.name);
    const map = makeMap(attributes, this.#nextId++, {
      version: this.version,
      pageSize: this.pageSize,
      littleEndian: this.littleEndian,
      possibleCpus: () => this.#cpus,
      programBehind: (fd) => this.descriptors.get(fd, 'program', 'bpf(BPF_MAP_UPDATE_ELEM)').program,
      mapBehind: (fd) => this.#map(fd, 'MAP_UPDATE_ELEM'),
      perfEventBehind: (fd) => this.descriptors.get(fd, 'perf_event', 'bpf(BPF_MAP_UPDATE_ELEM)').event,
    });
    return this.descriptors.open({ kind: 'map', map });
  }

  mapLookup(fd: Fd, key: Uint8Array | null, value: Uint8Array): boolean {
    this.script.check('mapLookup');
    return this.#map(fd, 'MAP_LOOKUP_ELEM').lookup(key, value);
  }

  mapUpdate(fd: Fd, key: Uint8Array | null, value: Uint8Array, flags = BPF_ANY): void {
    const map = this.#map(fd, 'MAP_UPDATE_ELEM');
    this.#enter('mapUpdate', map.name);
    if (map.frozen) throw refusal('bpf(BPF_MAP_UPDATE_ELEM)', 'EPERM');
    map.update(key, value, flags);
  }

  mapDelete(fd: Fd, key: Uint8Array): boolean {
    const map = this.#map(fd, 'MAP_DELETE_ELEM');
    this.#enter('mapDelete', map.name);
    if (map.frozen) throw refusal('bpf(BPF_MAP_DELETE_ELEM)', 'EPERM');
    return map.delete(key);
  }

  mapLookupAndDelete(fd: Fd, key: Uint8Array | null, value: Uint8Array): boolean {
    const map = this.#map(fd, 'MAP_LOOKUP_AND_DELETE_ELEM');
    this.#enter('mapLookupAndDelete', map.name);
    // Queues had it from the start, hashes got it later.
    if (key !== null && this.version < kernelVersion(5, 14)) {
      throw refusal('bpf(BPF_MAP_LOOKUP_AND_DELETE_ELEM)', 'ENOTSUPP');
    }
    return map.take(key, value);
  }

  mapNextKey(fd: Fd, key: Uint8Array | null, next: Uint8Array): boolean {
    this.script.check('mapNextKey');
    return this.#map(fd, 'MAP_GET_NEXT_KEY').nextKey(key, next);
  }

  mapFreeze(fd: Fd): void {
    const map = this.#map(fd, 'MAP_FREEZE');
    this.#enter('mapFreeze', map.name);
    if (map.frozen) throw refusal('bpf(BPF_MAP_FREEZE)', 'EBUSY');
    map.frozen = true;
  }

  mapLookupBatch(fd: Fd, batch: MapBatch): MapBatchResult {
    this.script.check('mapLookupBatch');
    if (this.version < kernelVersion(5, 6)) throw refusal('bpf(BPF_MAP_LOOKUP_BATCH)', 'EINVAL');
    return this.#map(fd, 'MAP_LOOKUP_BATCH').batch(batch);
  }

  mapInfo(fd: Fd): MapInfo {
    this.script.check('mapInfo');
    return this.#map(fd, 'OBJ_GET_INFO_BY_FD').info();
  }

  // Kernel: programs, BTF, links.

  progLoad(load: ProgLoad): Fd {
    this.#enter('progLoad', load.name);
    this.script.verify(load);
    const { insns, type, license, name = '', expectedAttachType = 0, attachBtfId = 0 } = load;
    if (insns.length === 0 || insns.length % 8 !== 0) throw refusal('bpf(BPF_PROG_LOAD)', 'EINVAL');
    if (load.btfFd !== undefined) this.descriptors.get(load.btfFd, 'btf', 'bpf(BPF_PROG_LOAD)');
    const program: FakeProgram = {
      id: this.#nextId++,
      name,
      type,
      license,
      expectedAttachType,
      attachBtfId,
      insns: insns.slice(),
      maps: this.#mapsOf(insns),
    };
    return this.descriptors.open({ kind: 'program', program });
  }

  progTestRun(fd: Fd, run: TestRun): TestRunResult {
    const { program } = this.descriptors.get(fd, 'program', 'bpf(BPF_PROG_TEST_RUN)');
    this.#enter('progTestRun', program.name);
    return this.script.testRun(program.name, run);
  }

  progInfo(fd: Fd): ProgInfo {
    const { program } = this.descriptors.get(fd, 'program', 'bpf(BPF_OBJ_GET_INFO_BY_FD)');
    const { id, type, name, insns, maps } = program;
    return {
      type,
      id,
      name: name.slice(0, 15),
      tag: tagOf(insns),
      xlatedSize: insns.length,
      jitedSize: 0,
      verifiedInsns: insns.length / 8,
      mapIds: maps.map((map) => map.id),
      btfId: 0,
    };
  }

  progById(id: number): Fd {
    const program = this.programs.find((candidate) => candidate.id === id);
    if (program === undefined) throw refusal('bpf(BPF_PROG_GET_FD_BY_ID)', 'ENOENT');
    return this.descriptors.open({ kind: 'program', program });
  }

  btfLoad(btf: Uint8Array, log?: VerifierLog): Fd {
    this.#enter('btfLoad');
    log?.buffer.fill(0);
    return this.descriptors.open({ kind: 'btf', id: this.#nextId++, bytes: btf.slice() });
  }

  btfObjects(): readonly BtfObject[] {
    this.#enter('btfObjects');
    return [];
  }

  btfById(id: number): Fd {
    throw refusal('bpf(BPF_BTF_GET_FD_BY_ID)', 'ENOENT', `BTF id ${id}`);
  }

  linkCreate(link: LinkCreate): Fd {
    this.#enter('linkCreate');
    return this.attachments.create(link);
  }

  linkUpdate(link: Fd, prog: Fd): void {
    this.#enter('linkUpdate');
    this.attachments.update(link, prog);
  }

  linkDetach(link: Fd): void {
    this.#enter('linkDetach');
    this.attachments.detach(link);
  }

  linkInfo(link: Fd): LinkInfo {
    return this.attachments.info(link);
  }

  rawTracepointOpen(prog: Fd, name?: string): Fd {
    this.#enter('rawTracepointOpen', name);
    return this.attachments.rawTracepoint(prog, name);
  }

  pin(fd: Fd, path: string): void {
    this.#enter('pin', path);
    if (!path.startsWith('/sys/fs/bpf/')) throw refusal('bpf(BPF_OBJ_PIN)', 'EPERM', path);
    if (this.pins.has(path)) throw refusal('bpf(BPF_OBJ_PIN)', 'EEXIST', path);
    const object = this.descriptors.find(fd);
    if (object === undefined) throw refusal('bpf(BPF_OBJ_PIN)', 'EBADF', path);
    this.pins.set(path, object);
  }

  pinned(path: string): Fd {
    this.#enter('pinned', path);
    const object = this.pins.get(path);
    if (object === undefined) throw refusal('bpf(BPF_OBJ_GET)', 'ENOENT', path);
    return this.descriptors.open(object);
  }

  // Kernel: perf events.

  perfEventOpen(event: PerfEvent): Fd {
    this.#enter('perfEventOpen', event.target);
    const fake = new FakePerfEvent(event, this.pageSize, this.littleEndian);
    return this.descriptors.open({ kind: 'perf_event', event: fake });
  }

  perfEventSetBpf(event: Fd, prog: Fd): void {
    this.#enter('perfEventSetBpf');
    this.attachments.setBpf(event, prog);
  }

  perfEventEnable(fd: Fd): void {
    this.#enter('perfEventEnable');
    this.descriptors.get(fd, 'perf_event', 'ioctl(PERF_EVENT_IOC_ENABLE)').event.enabled = true;
  }

  perfEventDisable(fd: Fd): void {
    this.#enter('perfEventDisable');
    this.descriptors.get(fd, 'perf_event', 'ioctl(PERF_EVENT_IOC_DISABLE)').event.enabled = false;
  }

  // Kernel: network.

  ifindex(name: string): number {
    this.#enter('ifindex', name);
    const index = this.devices.indexOf(name);
    if (index < 0) throw refusal('if_nametoindex', 'ENODEV', name);
    return index + 1;
  }

  ifname(index: number): string | undefined {
    return this.devices[index - 1];
  }

  xdpSet(ifindex: number, prog: Fd | -1, flags: number, expected?: Fd): void {
    this.#enter('xdpSet', this.ifname(ifindex));
    this.attachments.xdpSet(ifindex, prog, flags, expected);
  }

  xdpQuery(ifindex: number): XdpQuery {
    this.#enter('xdpQuery', this.ifname(ifindex));
    return this.attachments.xdpQuery(ifindex);
  }

  packetSocket(ifindex: number): Fd {
    this.#enter('packetSocket', this.ifname(ifindex));
    if (this.ifname(ifindex) === undefined) throw refusal('bind', 'ENODEV');
    return this.descriptors.open({ kind: 'socket', ifindex });
  }

  socketAttach(socket: Fd, prog: Fd): void {
    this.#enter('socketAttach');
    this.attachments.attachSocket(socket, prog);
  }

  socketDetach(socket: Fd): void {
    this.#enter('socketDetach');
    this.attachments.detachSocket(socket);
  }

  // Kernel: descriptors and memory.

  close(fd: Fd): void {
    this.calls.push('close');
    const object = this.descriptors.close(fd);
    if (object.kind === 'file') object.file.close();
    if (this.held().some((other) => samePayload(object, other))) return;
    // A perf event whose link still stands is held by it.
    if (object.kind === 'link') this.attachments.drop(object.link);
    if (object.kind === 'perf_event') this.attachments.drop(object.event);
    if (object.kind === 'socket') this.attachments.drop(object);
  }

  openFile(path: string): Fd {
    this.#enter('openFile', path);
    const file = this.files.find(path);
    if (file === undefined) throw refusal('open', 'ENOENT', path);
    return this.descriptors.open({ kind: 'file', path, file: file.open() });
  }

  read(fd: Fd, buffer: Uint8Array): number {
    return this.descriptors.get(fd, 'file', 'read').file.read(buffer);
  }

  mmap(fd: Fd, offset: number, length: number, writable: boolean): Mapping {
    const object = this.descriptors.find(fd);
    if (object === undefined) throw refusal('mmap', 'EBADF');
    this.#enter('mmap', object.kind === 'map' ? object.map.name : undefined);
    const buffer =
      object.kind === 'map'
        ? object.map.memory(offset, length, writable)
        : object.kind === 'perf_event'
          ? object.event.map(length)
          : undefined;
    if (buffer === undefined) throw refusal('mmap', 'EINVAL');
    return { buffer, close: () => this.calls.push('munmap') };
  }

  watch(fd: Fd, ready: () => void): Watch {
    this.#enter('watch');
    const object = this.descriptors.find(fd);
    if (object === undefined) throw refusal('epoll_ctl', 'EBADF');
    if (object.kind === 'file') return object.file.watch(ready);
    if (object.kind === 'perf_event') return object.event.watch(ready);
    if (object.kind === 'map' && object.map instanceof FakeRingMap) return object.map.ring.watch(ready);
    throw refusal('epoll_ctl', 'EPERM');
  }

  #enter(call: keyof Kernel, name?: string): void {
    this.calls.push(call);
    this.script.check(call, name);
  }

  #map(fd: Fd, command: string): FakeMap {
    return this.descriptors.get(fd, 'map', `bpf(BPF_${command})`).map;
  }

  /** The objects that descriptors and pins hold. */
  protected held(): FakeObject[] {
    return [...this.descriptors.all().map(([, object]) => object), ...this.pins.values()];
  }

  #mapsOf(insns: Uint8Array): FakeMap[] {
    const program = new Insns(insns, this.littleEndian);
    const maps: FakeMap[] = [];
    for (let slot = 0; slot < program.count; slot++) {
      if (program.code(slot) !== LD_IMM64) continue;
      const source = program.src(slot);
      if (source === PseudoLoad.MAP_FD || source === PseudoLoad.MAP_VALUE) {
        maps.push(this.#map(program.imm(slot), 'PROG_LOAD'));
      }
      slot++;
    }
    return unique(maps);
  }
}

export function unique<T>(items: readonly T[]): T[] {
  return [...new Set(items)];
}

/** True when two descriptors are of one object, as duplicates and pins are. */
function samePayload(a: FakeObject, b: FakeObject): boolean {
  if (a.kind === 'link') return b.kind === 'link' && a.link === b.link;
  if (a.kind === 'perf_event') return b.kind === 'perf_event' && a.event === b.event;
  return a === b;
}

/** 16 hex digits that differ for different instructions (the kernel's are of a SHA-1). */
function tagOf(bytes: Uint8Array): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash.toString(16).padStart(16, '0');
}
