import type { Codec } from '../codec/codec.js';
import { raw } from '../codec/raw.js';
import { BpfError } from '../errors.js';
import type { Fd, Kernel, TestRun, TestRunResult } from '../kernel/kernel.js';
import { BPF_F_STACK_BUILD_ID } from '../uapi.js';
import type { FakeLink, FakeObject, FakeProgram } from './descriptors.js';
import { FakeSlots } from './fake-array.js';
import { FakeCalls } from './fake-calls.js';
import type { FakeKernelOptions } from './fake-host.js';
import type { FakeMap } from './fake-map.js';
import { FakePerfEvent } from './fake-perf.js';
import { FakeRingMap } from './fake-queue.js';
import type { FakeRing, Reservation } from './fake-ring.js';
import { type FakeFrame, FakeStacks } from './fake-stacks.js';
import { FakeUserRingMap } from './fake-user-ring.js';
import type { ErrnoName } from './refusal.js';
import type { FailingOptions } from './script.js';

/** How emit() sends a record. */
export interface EmitOptions {
  /** The CPU that the program runs on; 0 by default. Matters to perf event arrays. */
  readonly cpu?: number;
  /** False for BPF_RB_NO_WAKEUP: the record is there, but nobody is told. */
  readonly wakeup?: boolean;
}

/** How drain() takes records. */
export interface DrainOptions<T> {
  /** What they are; bytes by default. */
  readonly codec?: Codec<T>;
  /** At most so many records; all by default. */
  readonly most?: number;
  /** False for BPF_RB_NO_WAKEUP: who waits for room is not told. */
  readonly wakeup?: boolean;
}

/**
 * A kernel in memory, for tests of programs that use a skeleton: no root, any operating system.
 *
 * ```ts
 * const kernel = fakeKernel();
 * const skel = hello.open().load({ kernel });
 * skel.attach();
 * kernel.emit('events', Event, { pid: 1, comm: 'init' });
 * ```
 *
 * Maps hold data, memory is shared, ring and perf buffers deliver, refusals carry the errnos that Linux gives. Programs
 * are taken as they are and do not run: a test plays their part with {@link FakeKernel.emit}, `skel.maps` and `skel.bss`.
 */
export function fakeKernel(options: FakeKernelOptions = {}): FakeKernel {
  return new FakeKernel(options);
}

/** What {@link fakeKernel} makes: a Kernel to load into, and its insides to look at. */
export class FakeKernel extends FakeCalls {
  // What a test looks at.

  /** Every attachment that is in place, links and others. */
  get links(): readonly FakeLink[] {
    return this.attachments.all();
  }

  /** Descriptors that are open, with what they are of. Empty when nothing leaked. */
  get openFds(): readonly { readonly fd: Fd; readonly of: string }[] {
    return this.descriptors.all().map(([fd, object]) => ({ fd, of: describe(object) }));
  }

  /** The map called `name`: its C name, a section (`.bss`), or the kernel's name for it. */
  map(name: string): FakeMap {
    const { maps } = this;
    const cut = name.slice(0, 15);
    const found =
      maps.find((map) => map.name === name || map.name === cut) ??
      maps.find((map) => name.startsWith('.') && map.name.endsWith(name));
    if (found !== undefined) return found;
    const names = maps.map((map) => map.name).join(', ');
    throw new BpfError('ENOENT', `the fake kernel has no map "${name}"; it has: ${names || 'none'}`);
  }

  /** The program called `name`. */
  program(name: string): FakeProgram {
    const found = this.programs.find((program) => program.name.slice(0, 15) === name.slice(0, 15));
    if (found !== undefined) return found;
    const names = this.programs.map((program) => program.name).join(', ');
    throw new BpfError('ENOENT', `the fake kernel has no program "${name}"; it has: ${names || 'none'}`);
  }

  // What a test makes happen.

  /**
   * Plays a program that sends a record: into a ring buffer, or a perf event array on `cpu`. False when there was no room
   * (or no perf buffer) for it, as the program would be told.
   */
  emit(map: string, bytes: Uint8Array, options?: EmitOptions): boolean;
  emit<T>(map: string, codec: Codec<T>, value: T, options?: EmitOptions): boolean;
  emit<T>(
    map: string,
    record: Uint8Array | Codec<T>,
    valueOrOptions?: T | EmitOptions,
    options?: EmitOptions,
  ): boolean {
    if (record instanceof Uint8Array) {
      return this.#send(this.map(map), record, (valueOrOptions as EmitOptions | undefined) ?? {}); // first overload
    }
    const value = valueOrOptions as T; // second overload
    const bytes = new Uint8Array(record.sizeOf?.(value) ?? record.size);
    record.write(new DataView(bytes.buffer), 0, value);
    return this.#send(this.map(map), bytes, options ?? {});
  }

  /** Plays bpf_user_ringbuf_drain: takes the records of a user ring buffer. */
  drain<T = Uint8Array>(map: string, { codec, most, wakeup = true }: DrainOptions<T> = {}): T[] {
    const ring = this.map(map);
    if (!(ring instanceof FakeUserRingMap)) {
      throw new BpfError('EINVAL', `map "${ring.name}" of the fake kernel is no user ring buffer`);
    }
    // Without a codec T is what raw gives.
    const { read } = codec ?? (raw as Codec<unknown> as Codec<T>);
    return ring
      .drain(most ?? Number.POSITIVE_INFINITY, wakeup)
      .map((bytes) => read(new DataView(bytes.buffer), 0, bytes.length));
  }

  /** Plays bpf_ringbuf_reserve: undefined when there is no room. */
  reserve(map: string, size: number): Reservation | undefined {
    return ringOf(this.map(map)).reserve(size);
  }

  /**
   * Plays bpf_get_stackid: adds a call stack to a stack trace map, the innermost frame first, and gives its id. In maps
   * with BPF_F_STACK_BUILD_ID a frame may be a place in a file.
   */
  addStack(map: string, frames: readonly FakeFrame[]): number {
    const stacks = this.map(map);
    if (!(stacks instanceof FakeStacks)) {
      throw new BpfError('EINVAL', `map "${stacks.name}" of the fake kernel takes no call stacks`);
    }
    return stacks.add(frames, ((stacks.attributes.flags ?? 0) & BPF_F_STACK_BUILD_ID) !== 0);
  }

  /** Makes the verifier refuse the program called `name` with this log. */
  rejectProgram(name: string, log: string, errno: ErrnoName | number = 'EACCES'): void {
    this.script.reject(name, log, errno);
  }

  /**
   * Makes a kind of call fail. By default every time; `times` limits it, `name` narrows it to the map, program, path or
   * device of that name.
   */
  failing(call: keyof Kernel, errno: ErrnoName | number, options: FailingOptions = {}): void {
    this.script.fail(call, errno, options);
  }

  /** Answers progTestRun of the program called `name`; by default it returns 0 and leaves the data alone. */
  onTestRun(name: string, answer: (run: TestRun) => Partial<TestRunResult>): void {
    this.script.answerTestRun(name, answer);
  }

  /** Writes what the iterator called `name` has for a reader: text, or bytes of structs. By default nothing. */
  onIterate(name: string, write: () => string | Uint8Array): void {
    this.script.answerIteration(name, write);
  }

  /** Makes a file of the host, such as one of procfs; with undefined there is none. */
  setFile(path: string, content: string | Uint8Array | undefined): void {
    this.files.set(path, content);
  }

  /** Adds to the end of a file, for those who follow it: `/sys/kernel/tracing/trace_pipe`. */
  appendFile(path: string, content: string | Uint8Array): void {
    this.files.append(path, content);
  }

  /** Adds a network device and returns its index. `lo` is there from the start, with index 1. */
  addDevice(name: string): number {
    return this.devices.push(name);
  }

  #send(map: FakeMap, bytes: Uint8Array, { cpu = 0, wakeup = true }: EmitOptions): boolean {
    if (map instanceof FakeSlots) {
      const slot: { event?: unknown } | undefined = map.slot(cpu);
      return slot?.event instanceof FakePerfEvent && slot.event.output(bytes);
    }
    const reservation = ringOf(map).reserve(bytes.length);
    reservation?.bytes.set(bytes);
    reservation?.submit({ wakeup });
    return reservation !== undefined;
  }
}

function ringOf(map: FakeMap): FakeRing {
  if (map instanceof FakeRingMap) return map.ring;
  throw new BpfError('EINVAL', `map "${map.name}" of the fake kernel takes no records`);
}

function describe(object: FakeObject): string {
  switch (object.kind) {
    case 'map':
      return `map ${object.map.name}`;
    case 'program':
      return `program ${object.program.name}`;
    case 'link':
      return `link of ${object.link.program.name}`;
    case 'file':
      return object.path;
    default:
      return object.kind;
  }
}
