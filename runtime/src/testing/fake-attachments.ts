import type {
  Fd,
  KprobeMulti,
  LinkCreate,
  LinkInfo,
  ProgAttach,
  ProgDetach,
  ProgQuery,
  ProgQueryResult,
  UprobeMulti,
  XdpQuery,
} from '../kernel/kernel.js';
import {
  BPF_ATTACH_TYPE,
  BPF_F_ALLOW_MULTI,
  BPF_F_ALLOW_OVERRIDE,
  BPF_F_REPLACE,
  BPF_LINK_TYPE,
  BPF_PROG_TYPE,
  PERF_TYPE_TRACEPOINT,
  XDP_FLAGS_SKB_MODE,
  XDP_FLAGS_UPDATE_IF_NOEXIST,
} from '../uapi.js';
import type { Descriptors, FakeLink, FakeProgram } from './descriptors.js';
import { linkInfo, linkType, type Making } from './fake-link-info.js';
import type { FakeMap } from './fake-map.js';
import { placeIn } from './fake-order.js';
import { refusal } from './refusal.js';

/** Programs in their places: links, and what stands in for them on older kernels. */
export class FakeAttachments {
  readonly #descriptors: Descriptors;
  readonly #nextId: () => number;
  readonly #deviceName: (ifindex: number) => string | undefined;
  /** Attachments by what holds them: a link's or event's or socket's descriptor object, or a device. */
  readonly #links = new Map<unknown, FakeLink>();

  readonly #makings = new WeakMap<FakeLink, Making>();

  /** Goes up with every attachment that comes or goes. */
  #revision = 1n;

  constructor(
    descriptors: Descriptors,
    nextId: () => number,
    deviceName: (ifindex: number) => string | undefined,
  ) {
    this.#descriptors = descriptors;
    this.#nextId = nextId;
    this.#deviceName = deviceName;
  }

  all(): FakeLink[] {
    return [...this.#links.values()];
  }

  create(request: LinkCreate): Fd {
    const fd = this.#create(request);
    const { link } = this.#descriptors.get(fd, 'link', 'bpf(BPF_LINK_CREATE)');
    this.#makings.set(link, this.#making(request));
    return fd;
  }

  #making({ target, options }: LinkCreate): Making {
    const subject = options?.kind === 'iter' ? options.of : undefined;
    const map = subject !== undefined && 'map' in subject ? subject.map : undefined;
    const fd = map ?? (target !== undefined && 'fd' in target ? target.fd : undefined);
    const object = fd === undefined ? undefined : this.#descriptors.find(fd);
    return {
      options,
      ifindex: target !== undefined && 'ifindex' in target ? target.ifindex : undefined,
      mapId: object?.kind === 'map' ? object.map.id : undefined,
      event: object?.kind === 'perf_event' ? object.event.event : undefined,
    };
  }

  #create({ prog, attachType, target, flags = 0, options }: LinkCreate): Fd {
    const syscall = 'bpf(BPF_LINK_CREATE)';
    if (attachType === BPF_ATTACH_TYPE.STRUCT_OPS) return this.#createStructOps(prog, flags);
    const { program } = this.#descriptors.get(prog, 'program', syscall);
    const cookie = options !== undefined && 'cookie' in options ? options.cookie : 0n;
    if (options?.kind === 'uprobe_multi') return this.#createUprobes(program, attachType, options);
    let text = '';
    if (target !== undefined && 'ifindex' in target) {
      text = this.#deviceName(target.ifindex) ?? '';
      if (text === '') throw refusal(syscall, 'ENODEV');
      if (attachType === BPF_ATTACH_TYPE.XDP && this.#xdp(text) !== undefined)
        throw refusal(syscall, 'EBUSY');
    } else if (target !== undefined) {
      text = this.#describe(target.fd, syscall);
      this.#admit(target.fd, attachType, BPF_F_ALLOW_MULTI, syscall);
    }
    if (options?.kind === 'kprobe_multi') {
      text = describeFunctions(options);
      if (text === '') throw refusal(syscall, 'EINVAL');
    }
    const parts = { via: 'link', program, attachType, target: text, flags, cookie } as const;
    return options?.kind === 'ordered' ? this.#insert(parts, options) : this.#open(parts);
  }

  /** A link that has its place in the order of a hook. */
  #insert(parts: Omit<FakeLink, 'id'>, order: Extract<LinkCreate['options'], { kind: 'ordered' }>): Fd {
    const isThere = (link: FakeLink) => link.attachType === parts.attachType && link.target === parts.target;
    const there = this.all().filter(isThere);
    const revision = there.length === 0 ? 1n : this.#revision;
    if ((order.expectedRevision ?? revision) !== revision) throw refusal('bpf(BPF_LINK_CREATE)', 'ESTALE');
    const place = placeIn(there, parts, order, this.#descriptors);
    const fd = this.#open(parts);
    this.#runBefore(there.slice(place));
    return fd;
  }

  /** Puts what came last before these: a Map keeps the order of insertion, so they go out and come in again. */
  #runBefore(later: readonly FakeLink[]): void {
    for (const [holder, link] of [...this.#links]) {
      if (!later.includes(link)) continue;
      this.#links.delete(holder);
      this.#links.set(holder, link);
    }
  }

  /** Every path is a file of its own but "/", which is a directory as everywhere. */
  #createUprobes(
    program: FakeProgram,
    attachType: number,
    { path, offsets, cookies, flags = 0, pid = 0 }: UprobeMulti,
  ): Fd {
    const syscall = 'bpf(BPF_LINK_CREATE)';
    if (program.expectedAttachType !== attachType) throw refusal(syscall, 'EINVAL');
    if (path === '' || offsets.length === 0 || pid < 0) throw refusal(syscall, 'EINVAL');
    if (cookies !== undefined && cookies.length !== offsets.length) throw refusal(syscall, 'EFAULT');
    if (path === '/') throw refusal(syscall, 'EBADF');
    return this.#open({ via: 'link', program, attachType, target: path, flags, cookie: cookies?.[0] ?? 0n });
  }

  /** Such a link holds a map instead of a program; `program` stands for it. */
  #createStructOps(fd: Fd, flags: number): Fd {
    const { map } = this.#descriptors.get(fd, 'map', 'bpf(BPF_LINK_CREATE)');
    const program = structOpsProgram(map);
    const attachType = BPF_ATTACH_TYPE.STRUCT_OPS;
    return this.#open({ via: 'link', program, attachType, target: map.name, flags, cookie: 0n });
  }

  rawTracepoint(prog: Fd, name = '', cookie = 0n): Fd {
    const { program } = this.#descriptors.get(prog, 'program', 'bpf(BPF_RAW_TRACEPOINT_OPEN)');
    const attachType = program.expectedAttachType;
    return this.#open({ via: 'raw_tracepoint', program, attachType, target: name, flags: 0, cookie });
  }

  update(fd: Fd, prog: Fd, expected?: Fd): void {
    const syscall = 'bpf(BPF_LINK_UPDATE)';
    const { link } = this.#descriptors.get(fd, 'link', syscall);
    if (!updatable.includes(linkType(link))) throw refusal(syscall, 'EINVAL');
    if (linkType(link) === BPF_LINK_TYPE.STRUCT_OPS) {
      link.program = structOpsProgram(this.#descriptors.get(prog, 'map', syscall).map);
      return;
    }
    const { program } = this.#descriptors.get(prog, 'program', syscall);
    const old =
      expected === undefined ? link.program : this.#descriptors.get(expected, 'program', syscall).program;
    if (old !== link.program) throw refusal(syscall, 'EPERM');
    if (program.type !== link.program.type) throw refusal(syscall, 'EINVAL');
    if (!this.all().includes(link)) throw refusal(syscall, 'ENOLINK');
    link.program = program;
  }

  /** The link stays, and holds nothing. */
  detach(fd: Fd): void {
    const syscall = 'bpf(BPF_LINK_DETACH)';
    const { link } = this.#descriptors.get(fd, 'link', syscall);
    if (!detachable.includes(linkType(link))) throw refusal(syscall, 'EOPNOTSUPP');
    this.drop(link);
  }

  info(fd: Fd): LinkInfo {
    const { link } = this.#descriptors.get(fd, 'link', 'bpf(BPF_OBJ_GET_INFO_BY_FD)');
    return linkInfo(link, this.#makings.get(link) ?? {});
  }

  /** The programs on a hook in the order they were attached; a device without any of tcx is ENOENT, as in Linux. */
  query({ target, attachType }: ProgQuery): ProgQueryResult {
    const syscall = 'bpf(BPF_PROG_QUERY)';
    const where = 'fd' in target ? this.#describe(target.fd, syscall) : this.#deviceName(target.ifindex);
    if (where === undefined) throw refusal(syscall, 'ENODEV');
    const there = this.all().filter((link) => link.attachType === attachType && link.target === where);
    if ('ifindex' in target && there.length === 0) throw refusal(syscall, 'ENOENT');
    return {
      flags: there[0] === undefined || 'ifindex' in target ? 0 : shareOf(there[0]),
      revision: this.#revision,
      programs: there.map(({ id, via, program, flags }) => ({
        id: program.id,
        linkId: via === 'link' ? id : 0,
        flags,
      })),
    };
  }

  /** BPF_PROG_ATTACH, with the rules of cgroups (kernel/bpf/cgroup.c); elsewhere one program of a type replaces another. */
  attach({ target, prog, attachType, flags = 0, replace, relative }: ProgAttach): void {
    const syscall = 'bpf(BPF_PROG_ATTACH)';
    const { program } = this.#descriptors.get(prog, 'program', syscall);
    const where = this.#describe(target, syscall);
    const there = this.all().filter((link) => link.attachType === attachType && link.target === where);
    const share = flags & (BPF_F_ALLOW_MULTI | BPF_F_ALLOW_OVERRIDE);
    this.#admit(target, attachType, share, syscall);
    const multi = share === BPF_F_ALLOW_MULTI;
    if (multi && there.some((link) => link.via === 'attach' && link.program === program)) {
      throw refusal(syscall, 'EINVAL');
    }
    const order = { program, attachType, flags: flags & ~(share | BPF_F_REPLACE) };
    let place = placeIn(there, order, relative === undefined ? {} : { relative }, this.#descriptors);
    if ((flags & BPF_F_REPLACE) !== 0 && replace !== undefined) {
      const old = this.#descriptors.get(replace, 'program', syscall).program;
      place = there.findIndex((link) => link.via === 'attach' && link.program === old);
      if (place < 0) throw refusal(syscall, 'ENOENT');
      this.#links.delete(holderOf(old, attachType, where));
    }
    if (!multi) for (const link of there) this.#links.delete(holderOf(link.program, attachType, where));
    const holder = holderOf(program, attachType, where);
    this.hold(holder, { via: 'attach', program, attachType, target: where, flags: share, cookie: 0n });
    this.#runBefore(there.slice(place));
  }

  /** Programs that share a cgroup in another way let nobody in. */
  #admit(fd: Fd, attachType: number, share: number, syscall: string): void {
    const object = this.#descriptors.find(fd);
    if (object?.kind !== 'place' || object.place !== 'cgroup') return;
    const there = this.all().filter((link) => link.attachType === attachType && link.target === object.path);
    if (there.some((link) => shareOf(link) !== share)) throw refusal(syscall, 'EPERM');
  }

  detachProgram({ target, prog, attachType }: ProgDetach): void {
    const syscall = 'bpf(BPF_PROG_DETACH)';
    const { program } = this.#descriptors.get(prog, 'program', syscall);
    const holder = holderOf(program, attachType, this.#describe(target, syscall));
    if (!this.#links.delete(holder)) throw refusal(syscall, 'ENOENT');
  }

  setBpf(event: Fd, prog: Fd): void {
    const { program } = this.#descriptors.get(prog, 'program', 'ioctl(PERF_EVENT_IOC_SET_BPF)');
    const held = this.#descriptors.get(event, 'perf_event', 'ioctl(PERF_EVENT_IOC_SET_BPF)');
    held.event.programId = program.id;
    const target = this.#describe(event, 'ioctl');
    this.hold(held.event, { via: 'perf_event', program, attachType: 0, target, flags: 0, cookie: 0n });
  }

  attachSocket(socket: Fd, prog: Fd): void {
    const { program } = this.#descriptors.get(prog, 'program', 'setsockopt(SO_ATTACH_BPF)');
    const held = this.#descriptors.get(socket, 'socket', 'setsockopt(SO_ATTACH_BPF)');
    const target = this.#deviceName(held.ifindex) ?? '';
    this.hold(held, { via: 'socket', program, attachType: 0, target, flags: 0, cookie: 0n });
  }

  detachSocket(socket: Fd): void {
    const held = this.#descriptors.get(socket, 'socket', 'setsockopt(SO_DETACH_BPF)');
    if (!this.#links.delete(held)) throw refusal('setsockopt(SO_DETACH_BPF)', 'ENOENT');
  }

  attachReuseport(socket: Fd, prog: Fd): void {
    const syscall = 'setsockopt(SO_ATTACH_REUSEPORT_EBPF)';
    const { program } = this.#descriptors.get(prog, 'program', syscall);
    const { group } = this.#descriptors.get(socket, 'socket', syscall);
    const parts = { program, attachType: 0, target: 'socket', flags: 0, cookie: 0n } as const;
    this.hold(group, { via: 'reuseport', ...parts });
  }

  detachReuseport(socket: Fd): void {
    const syscall = 'setsockopt(SO_DETACH_REUSEPORT_BPF)';
    const { group } = this.#descriptors.get(socket, 'socket', syscall);
    if (!this.#links.delete(group)) throw refusal(syscall, 'ENOENT');
  }

  xdpSet(ifindex: number, prog: Fd | -1, flags: number, expected?: Fd): void {
    const device = this.#deviceName(ifindex);
    if (device === undefined) throw refusal('netlink', 'ENODEV');
    const present = this.#xdp(device);
    if (present?.via === 'link') throw refusal('netlink', 'EBUSY');
    if (present !== undefined && (flags & XDP_FLAGS_UPDATE_IF_NOEXIST) !== 0) {
      throw refusal('netlink', 'EBUSY');
    }
    if (expected !== undefined) {
      const { program } = this.#descriptors.get(expected, 'program', 'netlink');
      if (present?.program !== program) throw refusal('netlink', 'EEXIST');
    }
    this.#links.delete(`xdp ${device}`);
    if (prog === -1) return;
    const { program } = this.#descriptors.get(prog, 'program', 'netlink');
    const attachType = BPF_ATTACH_TYPE.XDP;
    this.hold(`xdp ${device}`, { via: 'netlink', program, attachType, target: device, flags, cookie: 0n });
  }

  xdpQuery(ifindex: number): XdpQuery {
    const device = this.#deviceName(ifindex);
    if (device === undefined) throw refusal('netlink', 'ENODEV');
    const present = this.#xdp(device);
    const id = present?.program.id ?? 0;
    const generic = present !== undefined && (present.flags & XDP_FLAGS_SKB_MODE) !== 0;
    const mode = present === undefined ? 'none' : generic ? 'generic' : 'native';
    return { mode, native: mode === 'native' ? id : 0, generic: mode === 'generic' ? id : 0, offload: 0 };
  }

  /** Ends what `holder` (a link, event or socket whose last descriptor was closed) kept in place. */
  drop(holder: unknown): void {
    if (this.#links.delete(holder)) this.#revision += 1n;
  }

  #xdp(device: string): FakeLink | undefined {
    return this.all().find(
      ({ attachType, target }) => attachType === BPF_ATTACH_TYPE.XDP && target === device,
    );
  }

  #open(parts: Omit<FakeLink, 'id'>): Fd {
    const link: FakeLink = { id: this.#nextId(), ...parts };
    this.#links.set(link, link);
    this.#revision += 1n;
    return this.#descriptors.open({ kind: 'link', link });
  }

  /** Puts a program in place until `drop(holder)`. */
  hold(holder: unknown, parts: Omit<FakeLink, 'id'>): void {
    this.#links.set(holder, { id: this.#nextId(), ...parts });
    this.#revision += 1n;
  }

  /** What a descriptor to attach to is, for people. */
  #describe(fd: Fd, syscall: string): string {
    const object = this.#descriptors.find(fd);
    if (object === undefined) throw refusal(syscall, 'EBADF');
    if (object.kind === 'map') return object.map.name;
    if (object.kind === 'place') return object.path;
    if (object.kind !== 'perf_event') return object.kind;
    const { type, config, target } = object.event.event;
    return target ?? (type === PERF_TYPE_TRACEPOINT ? `tracepoint ${config}` : `perf event ${config}`);
  }
}

/** Sorts of links whose program can be exchanged, and that can be ended while they are held (bpf_link_ops of Linux). */
const updatable: readonly number[] = [
  BPF_LINK_TYPE.CGROUP,
  BPF_LINK_TYPE.ITER,
  BPF_LINK_TYPE.NETNS,
  BPF_LINK_TYPE.XDP,
  BPF_LINK_TYPE.STRUCT_OPS,
  BPF_LINK_TYPE.TCX,
  BPF_LINK_TYPE.NETKIT,
  BPF_LINK_TYPE.SOCKMAP,
];
const detachable: readonly number[] = [
  ...updatable.filter((type) => type !== BPF_LINK_TYPE.ITER),
  BPF_LINK_TYPE.NETFILTER,
];

/** Stands for the map of a struct_ops link. */
function structOpsProgram(map: FakeMap): FakeProgram {
  return {
    id: 0,
    name: map.name,
    type: BPF_PROG_TYPE.STRUCT_OPS,
    license: '',
    expectedAttachType: 0,
    attachBtfId: 0,
    insns: new Uint8Array(0),
    maps: [map],
  };
}

/** What holds a program that BPF_PROG_ATTACH attached. */
function holderOf(program: FakeProgram, attachType: number, target: string): string {
  return `${attachType} ${program.id} ${target}`;
}

/** How a program shares its cgroup with others: every bpf_link with any number of them. */
function shareOf({ via, flags }: FakeLink): number {
  return via === 'link' ? BPF_F_ALLOW_MULTI : flags;
}
/** Names, or addresses as the kernel prints them. */
function describeFunctions({ functions }: KprobeMulti): string {
  return 'symbols' in functions
    ? functions.symbols.join(' ')
    : Array.from(functions.addresses, (address) => address.toString(16)).join(' ');
}
