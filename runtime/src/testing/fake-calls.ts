import { Insns, LD_IMM64, PseudoLoad } from '../insn.js';
import type {
  BtfObject,
  Fd,
  Kernel,
  LinkCreate,
  LinkInfo,
  ProgAttach,
  ProgDetach,
  ProgInfo,
  ProgLoad,
  ProgQuery,
  ProgQueryResult,
  TestRun,
  TestRunResult,
  VerifierLog,
} from '../kernel/kernel.js';
import { BPF_ATTACH_TYPE, BPF_MAP_TYPE, BPF_PROG_TYPE, kernelVersion } from '../uapi.js';
import type { FakeProgram } from './descriptors.js';
import { bytesOf, FakeFile } from './fake-files.js';
import { FakeInsnArray } from './fake-insn-array.js';
import type { FakeMap } from './fake-map.js';
import { FakeMapCalls } from './fake-map-calls.js';
import { refusal } from './refusal.js';
import { unique } from './unique.js';

/** The Linux 6.x that attach types came with. */
const firstMinors: ReadonlyMap<number, number> = new Map([
  [BPF_ATTACH_TYPE.NETFILTER, 4],
  [BPF_ATTACH_TYPE.TCX_INGRESS, 6],
  [BPF_ATTACH_TYPE.TCX_EGRESS, 6],
  [BPF_ATTACH_TYPE.NETKIT_PRIMARY, 7],
  [BPF_ATTACH_TYPE.NETKIT_PEER, 7],
]);
const BTF_DIRECTORY = '/sys/kernel/btf';

/** The fake kernel as those see it who make system calls. */
export abstract class FakeCalls extends FakeMapCalls implements Kernel {
  /** The programs that something holds: a descriptor, a pin or an attachment. */
  get programs(): readonly FakeProgram[] {
    const held = this.held().flatMap((object) => (object.kind === 'program' ? [object.program] : []));
    return unique([...held, ...this.attachments.all().map((link) => link.program)]);
  }

  // Kernel: programs, BTF, links.

  progLoad(load: ProgLoad): Fd {
    this.enter('progLoad', load.name);
    this.script.verify(load);
    const { insns, type, license, name = '', expectedAttachType = 0, attachBtfId = 0 } = load;
    if (insns.length === 0 || insns.length % 8 !== 0) throw refusal('bpf(BPF_PROG_LOAD)', 'EINVAL');
    if (load.btfFd !== undefined) this.descriptors.get(load.btfFd, 'btf', 'bpf(BPF_PROG_LOAD)');
    const program: FakeProgram = {
      id: this.nextId(),
      name,
      type,
      license,
      expectedAttachType,
      attachBtfId,
      insns: insns.slice(),
      maps: this.#mapsOf(insns),
    };
    for (const map of program.maps) {
      if (map instanceof FakeInsnArray) map.use(program, insns.length / 8, (one) => this.#holds(one));
    }
    return this.descriptors.open({ kind: 'program', program });
  }

  progTestRun(fd: Fd, run: TestRun): TestRunResult {
    const { program } = this.descriptors.get(fd, 'program', 'bpf(BPF_PROG_TEST_RUN)');
    this.enter('progTestRun', program.name);
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

  progBindMap(prog: Fd, map: Fd): void {
    const { program } = this.descriptors.get(prog, 'program', 'bpf(BPF_PROG_BIND_MAP)');
    this.enter('progBindMap', program.name);
    if (this.version < kernelVersion(5, 10)) throw refusal('bpf(BPF_PROG_BIND_MAP)', 'EINVAL');
    const bound = this.mapOf(map, 'PROG_BIND_MAP');
    if (!program.maps.includes(bound)) program.maps.push(bound);
  }

  progAssocStructOps(prog: Fd, map: Fd): void {
    const syscall = 'bpf(BPF_PROG_ASSOC_STRUCT_OPS)';
    const { program } = this.descriptors.get(prog, 'program', syscall);
    this.enter('progAssocStructOps', program.name);
    const structOps = this.mapOf(map, 'PROG_ASSOC_STRUCT_OPS');
    if (this.version < kernelVersion(7, 0)) throw refusal(syscall, 'EINVAL');
    if (program.type === BPF_PROG_TYPE.STRUCT_OPS || structOps.type !== BPF_MAP_TYPE.STRUCT_OPS) {
      throw refusal(syscall, 'EINVAL');
    }
    if (program.structOps !== undefined && program.structOps !== structOps) throw refusal(syscall, 'EBUSY');
    program.structOps = structOps;
  }

  progById(id: number): Fd {
    const program = this.programs.find((candidate) => candidate.id === id);
    if (program === undefined) throw refusal('bpf(BPF_PROG_GET_FD_BY_ID)', 'ENOENT');
    return this.descriptors.open({ kind: 'program', program });
  }

  btfLoad(btf: Uint8Array, log?: VerifierLog): Fd {
    this.enter('btfLoad');
    log?.buffer.fill(0);
    return this.descriptors.open({ kind: 'btf', id: this.nextId(), bytes: btf.slice() });
  }

  /** One for each file of `/sys/kernel/btf`; ids count from 1 in order of name. */
  btfBytes(btf: Fd): Uint8Array {
    this.enter('btfBytes');
    return this.descriptors.get(btf, 'btf', 'bpf(BPF_OBJ_GET_INFO_BY_FD)').bytes.slice();
  }

  btfObjects(): readonly BtfObject[] {
    this.enter('btfObjects');
    const names = this.files.list(BTF_DIRECTORY) ?? [];
    return names.map((name, index) => ({ id: index + 1, name, kernel: true }));
  }

  btfById(id: number): Fd {
    const name = this.files.list(BTF_DIRECTORY)?.[id - 1];
    const file = name === undefined ? undefined : this.files.find(`${BTF_DIRECTORY}/${name}`);
    if (file === undefined) throw refusal('bpf(BPF_BTF_GET_FD_BY_ID)', 'ENOENT', `BTF id ${id}`);
    return this.descriptors.open({ kind: 'btf', id, bytes: file.bytes });
  }

  linkCreate(link: LinkCreate): Fd {
    this.enter('linkCreate');
    const session = link.attachType === BPF_ATTACH_TYPE.TRACE_UPROBE_SESSION;
    const since = session ? kernelVersion(6, 13) : kernelVersion(6, 6);
    if (link.options?.kind === 'uprobe_multi' && this.version < since) {
      throw refusal('bpf(BPF_LINK_CREATE)', 'EINVAL');
    }
    this.#assertHook('bpf(BPF_LINK_CREATE)', link.attachType);
    return this.attachments.create(link);
  }

  linkUpdate(link: Fd, prog: Fd, expected?: Fd): void {
    this.enter('linkUpdate');
    this.attachments.update(link, prog, expected);
  }

  linkDetach(link: Fd): void {
    this.enter('linkDetach');
    this.attachments.detach(link);
  }

  linkById(id: number): Fd {
    this.enter('linkById');
    const link = this.attachments.all().find((one) => one.id === id);
    if (link === undefined) throw refusal('bpf(BPF_LINK_GET_FD_BY_ID)', 'ENOENT');
    return this.descriptors.open({ kind: 'link', link });
  }

  linkInfo(link: Fd): LinkInfo {
    return this.attachments.info(link);
  }

  progQuery(query: ProgQuery): ProgQueryResult {
    this.enter('progQuery');
    this.#assertHook('bpf(BPF_PROG_QUERY)', query.attachType);
    return this.attachments.query(query);
  }

  /** Refuses hooks of devices that this kernel does not have yet. */
  #assertHook(syscall: string, attachType: number): void {
    const minor = firstMinors.get(attachType);
    if (minor !== undefined && this.version < kernelVersion(6, minor)) throw refusal(syscall, 'EINVAL');
  }

  progAttach(attach: ProgAttach): void {
    this.enter('progAttach');
    this.attachments.attach(attach);
  }

  progDetach(detach: ProgDetach): void {
    this.enter('progDetach');
    this.attachments.detachProgram(detach);
  }

  iterCreate(link: Fd): Fd {
    const { program } = this.descriptors.get(link, 'link', 'bpf(BPF_ITER_CREATE)').link;
    this.enter('iterCreate', program.name);
    const file = new FakeFile(bytesOf(this.script.iterate(program.name))).open();
    return this.descriptors.open({ kind: 'file', path: `iterator ${program.name}`, file });
  }

  iterRead(iter: Fd, buffer: Uint8Array): number {
    this.enter('iterRead');
    return this.descriptors.get(iter, 'file', 'read').file.read(buffer);
  }

  rawTracepointOpen(prog: Fd, name?: string, cookie = 0n): Fd {
    this.enter('rawTracepointOpen', name);
    if (cookie !== 0n && this.version < kernelVersion(6, 10)) {
      throw refusal('bpf(BPF_RAW_TRACEPOINT_OPEN)', 'E2BIG', name);
    }
    return this.attachments.rawTracepoint(prog, name, cookie);
  }

  pin(fd: Fd, path: string): void {
    this.enter('pin', path);
    if (!path.startsWith('/sys/fs/bpf/')) throw refusal('bpf(BPF_OBJ_PIN)', 'EPERM', path);
    if (this.pins.has(path)) throw refusal('bpf(BPF_OBJ_PIN)', 'EEXIST', path);
    const object = this.descriptors.find(fd);
    if (object === undefined) throw refusal('bpf(BPF_OBJ_PIN)', 'EBADF', path);
    this.pins.set(path, object);
  }

  unpin(path: string): void {
    this.enter('unpin', path);
    const object = this.pins.get(path);
    if (object === undefined) throw refusal('unlink', 'ENOENT', path);
    this.pins.delete(path);
    this.letGo(object);
  }

  pinned(path: string): Fd {
    this.enter('pinned', path);
    const object = this.pins.get(path);
    const isOther = this.files.find(path) !== undefined || this.fileSystem(path) !== undefined;
    if (object === undefined) throw refusal('bpf(BPF_OBJ_GET)', isOther ? 'EACCES' : 'ENOENT', path);
    return this.descriptors.open(object);
  }

  #holds(program: object): boolean {
    return this.programs.some((one) => one === program);
  }

  #mapsOf(insns: Uint8Array): FakeMap[] {
    const program = new Insns(insns, this.littleEndian);
    const maps: FakeMap[] = [];
    for (let slot = 0; slot < program.count; slot++) {
      if (program.code(slot) !== LD_IMM64) continue;
      const source = program.src(slot);
      if (source === PseudoLoad.MAP_FD || source === PseudoLoad.MAP_VALUE) {
        maps.push(this.mapOf(program.imm(slot), 'PROG_LOAD'));
      }
      slot++;
    }
    return unique(maps);
  }
}

/** 16 hex digits that differ for different instructions (the kernel's are of a SHA-1). */
function tagOf(bytes: Uint8Array): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash.toString(16).padStart(16, '0');
}
