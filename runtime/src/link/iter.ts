import type { Codec } from '../codec/codec.js';
import { BpfError, isBpfError, printable } from '../errors.js';
import type { Fd, IterSubject, Kernel } from '../kernel/kernel.js';
import { BPF_ATTACH_TYPE } from '../uapi.js';
import { type Attachment, attachError, errnoOf, type Reason, refusal } from './attach-error.js';
import type { LinkParts } from './link.js';
import { whyRefused } from './privilege.js';
import { type Hold, holdLink, UpdatableLink } from './updatable-link.js';

/** What bpf_seq_read() holds for one read: 8 pages. */
const CHUNK = 32 << 10;
/** How often a read may answer "again" before whoever waits without letting go of the thread gives up. */
const PATIENCE = 1000;

/** An iterator to be made. */
export interface IterAttachment extends Attachment {
  readonly kernel: Kernel;
  readonly prog: Fd;
  readonly of: IterSubject | undefined;
  /** What follows `iter/` in SEC(). */
  readonly list: string;
}

/**
 * An iterator: each reading runs the program over the whole list again. Pin it (`link.pin('/sys/fs/bpf/tasks')`) and
 * `cat` does the same, for as long as the pin is there.
 */
export class IterLink extends UpdatableLink {
  readonly #kernel: Kernel;

  constructor(parts: Omit<LinkParts, 'fd' | 'release'>, hold: Hold) {
    super(parts, hold);
    this.#kernel = parts.kernel;
  }

  /** Runs the program over the whole list and returns the text it wrote. Nothing else happens meanwhile. */
  read(): string {
    const iter = this.#open();
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(CHUNK);
    let text = '';
    try {
      for (let again = 0; ; ) {
        const count = this.#next(iter, buffer);
        if (count === 0) return text + decoder.decode();
        if (count === undefined && ++again > PATIENCE) throw this.#stuck();
        text += decoder.decode(buffer.subarray(0, count ?? 0), { stream: true });
      }
    } finally {
      this.#kernel.close(iter);
    }
  }

  /**
   * The lines that the program writes, without their ends, as it writes them: `for await (const line of link.lines())`.
   * The list is read in parts of 32 KiB, and the event loop runs between them. Names in the text are as the kernel has
   * them, control characters included.
   */
  async *lines(): AsyncGenerator<string, void, undefined> {
    const decoder = new TextDecoder();
    let rest = '';
    for await (const bytes of this.#chunks()) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
    rest += decoder.decode();
    if (rest !== '') yield rest;
  }

  /**
   * The structs that the program writes with bpf_seq_write(), all of the type `codec` reads.
   * @throws BpfError when what was written is no whole number of them
   */
  async *records<T>(codec: Codec<T>): AsyncGenerator<T, void, undefined> {
    const { size } = codec;
    if (size === 0) {
      throw new BpfError('ERR_BPF_ARGUMENT', `${this.#head()}: records of 0 bytes never end`);
    }
    let rest = new Uint8Array(0);
    let count = 0;
    for await (const bytes of this.#chunks()) {
      const all = new Uint8Array(rest.length + bytes.length);
      all.set(rest);
      all.set(bytes, rest.length);
      const view = new DataView(all.buffer);
      let at = 0;
      for (; at + size <= all.length; at += size) {
        count++;
        yield codec.read(view, at, at + size);
      }
      rest = all.subarray(at);
    }
    if (rest.length > 0) {
      throw new BpfError(
        'ERR_BPF_MALFORMED',
        `${this.#head()}: ${rest.length} bytes are left behind ${count} records of ${size}; the program writes another type, or text`,
      );
    }
  }

  /** What the program writes, in parts that are used up before the next one is asked for. */
  async *#chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    const iter = this.#open();
    const buffer = new Uint8Array(CHUNK);
    try {
      for (let count = this.#next(iter, buffer); count !== 0; count = this.#next(iter, buffer)) {
        if (count !== undefined) yield buffer.subarray(0, count);
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      this.#kernel.close(iter);
    }
  }

  #open(): Fd {
    const link = this.bpfLink('read');
    try {
      return this.#kernel.iterCreate(link);
    } catch (error) {
      throw refusal(this.#head(), error);
    }
  }

  /** Undefined when there is more to come and nothing of it now: many objects went by, or the program wants one again. */
  #next(iter: Fd, buffer: Uint8Array): number | undefined {
    try {
      return this.#kernel.iterRead(iter, buffer);
    } catch (error) {
      if (isBpfError(error) && error.code === 'EAGAIN') return undefined;
      throw refusal(this.#head(), error, whyNotRead(error));
    }
  }

  #stuck(): BpfError {
    return new BpfError('EAGAIN', `${this.#head()}: the program asks for the same object over and over`);
  }

  #head(): string {
    return `read ${printable(this.target)} with "${printable(this.program)}"`;
  }
}

function whyNotRead(error: unknown): Reason | undefined {
  if (errnoOf(error) !== 'E2BIG') return undefined;
  return {
    why: `the program writes more about one object than fits into the kernel's buffer of ${CHUNK >> 10} KiB`,
  };
}

/** As libbpf's bpf_program__attach_iter. */
export function attachIter({ kernel, prog, of, list, ...attachment }: IterAttachment): IterLink {
  try {
    const fd = kernel.linkCreate({
      prog,
      attachType: BPF_ATTACH_TYPE.TRACE_ITER,
      options: { kind: 'iter', of },
    });
    return new IterLink({ kernel, ...attachment }, holdLink(kernel, fd));
  } catch (error) {
    throw attachError(attachment, error, whyNot(kernel, error, list, of));
  }
}

function whyNot(
  kernel: Kernel,
  error: unknown,
  list: string,
  of: IterSubject | undefined,
): Reason | undefined {
  const errno = errnoOf(error);
  if (errno === 'EPERM') return whyRefused(kernel, ['CAP_BPF', 'CAP_PERFMON']);
  if (errno === 'EBADF' && of === undefined && list !== 'task') {
    return {
      why: 'this iterator goes over the elements of a map, and none was given',
      hint: 'Give it one: attach({ map: skel.maps.NAME }), with autoattach = false before load()',
    };
  }
  if (of === undefined) return undefined;
  if ('map' in of) {
    if (errno === 'EINVAL') return { why: 'the kernel has no such iterator for maps of this type' };
    if (errno === 'EACCES') {
      return { why: 'the program reads or writes more of a key or value than this map has' };
    }
  }
  if ('order' in of) {
    if (errno === 'ENOENT') return { why: `there is no cgroup with the id ${of.cgroupId}` };
    if (errno === 'EBADF') return { why: 'what was given is no cgroup' };
    if (errno === 'EINVAL') return { why: 'this kernel does not go through cgroups in this order' };
  }
  return undefined;
}
