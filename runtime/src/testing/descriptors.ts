import type { Fd } from '../kernel/kernel.js';
import type { FakeOpenFile } from './fake-files.js';
import type { FakeMap } from './fake-map.js';
import type { FakePerfEvent } from './fake-perf.js';
import type { Place } from './places.js';
import { refusal } from './refusal.js';

/** A program that the fake kernel took. */
export interface FakeProgram {
  readonly id: number;
  readonly name: string;
  /** `enum bpf_prog_type` and `enum bpf_attach_type`. */
  readonly type: number;
  readonly expectedAttachType: number;
  readonly license: string;
  readonly insns: Uint8Array;
  /** Maps whose descriptors its instructions hold, and those bound to it. */
  readonly maps: FakeMap[];
  readonly attachBtfId: number;
  /** The struct_ops map that kfuncs find when it calls them. */
  structOps?: FakeMap;
}

/** One attachment, of whichever sort. It is in `kernel.links` while it lasts. */
export interface FakeLink {
  readonly id: number;
  /** `link` for a bpf_link, else how it was made without one. */
  readonly via: 'link' | 'attach' | 'raw_tracepoint' | 'perf_event' | 'netlink' | 'socket' | 'reuseport';
  program: FakeProgram;
  /** `enum bpf_attach_type`; 0 where there is none. */
  readonly attachType: number;
  /** A device's name, a path (of a cgroup), a map's name, a raw tracepoint's, what the perf event is of; or empty. */
  readonly target: string;
  /** XDP flags, BPF_F_ALLOW_MULTI and its like. */
  readonly flags: number;
  readonly cookie: bigint;
}

/** What a descriptor of the fake kernel can be of. */
export type FakeObject =
  | { readonly kind: 'map'; readonly map: FakeMap }
  | { readonly kind: 'program'; readonly program: FakeProgram }
  | { readonly kind: 'link'; readonly link: FakeLink }
  | { readonly kind: 'btf'; readonly id: number; readonly bytes: Uint8Array }
  | { readonly kind: 'perf_event'; readonly event: FakePerfEvent }
  | { readonly kind: 'socket'; readonly ifindex: number /** Of SO_REUSEPORT. */; readonly group: object }
  | { readonly kind: 'place'; readonly path: string; readonly place: Place }
  | { readonly kind: 'process'; readonly pid: number }
  | { readonly kind: 'file'; readonly path: string; readonly file: FakeOpenFile };

type ObjectOf<Kind extends FakeObject['kind']> = Extract<FakeObject, { kind: Kind }>;

/** The table of open descriptors. */
export class Descriptors {
  readonly #open = new Map<Fd, FakeObject>();
  // As a real process that has standard streams and an event loop.
  #next: Fd = 20;

  open(object: FakeObject): Fd {
    const fd = this.#next++;
    this.#open.set(fd, object);
    return fd;
  }

  /** What `fd` is, when it is a `kind`. @throws SyscallError EBADF for a closed one, EINVAL for one of something else. */
  get<Kind extends FakeObject['kind']>(fd: Fd, kind: Kind, syscall: string): ObjectOf<Kind> {
    const object = this.#open.get(fd);
    if (object === undefined) throw refusal(syscall, 'EBADF');
    if (object.kind !== kind) throw refusal(syscall, 'EINVAL');
    return object as ObjectOf<Kind>; // its kind was compared
  }

  find(fd: Fd): FakeObject | undefined {
    return this.#open.get(fd);
  }

  close(fd: Fd): FakeObject {
    const object = this.#open.get(fd);
    if (object === undefined) throw refusal('close', 'EBADF');
    this.#open.delete(fd);
    return object;
  }

  /** Everything that is open. */
  all(): [Fd, FakeObject][] {
    return [...this.#open];
  }
}
