import type { Codec } from '../codec/codec.js';
import { raw } from '../codec/raw.js';
import { BpfError, printable } from '../errors.js';
import { BPF_PROG_TYPE } from '../uapi.js';
import {
  kindWithContext,
  Program,
  type ProgramHandle,
  type ProgramKind,
  type ProgramShape,
} from './program.js';
import { testRun } from './test-run.js';

/** What a `syscall` program left behind. */
export interface SyscallResult<T> {
  /** What it returned, as C's `int`: by custom 0 or a negative errno. */
  readonly returnValue: number;
  /** Its context as it left it. */
  readonly context: T;
}

/**
 * A program that runs when it is called, in this process, and may make system calls. `SEC("syscall")`, Linux 5.14. `T` is
 * what its C parameter points to.
 *
 * @example const { returnValue, context } = skel.progs.add.run({ a: 1, b: 2, sum: 0 });
 */
export class SyscallProgram<T = Uint8Array> extends Program {
  readonly #codec: Codec<T>;

  constructor(handle: ProgramHandle) {
    super(handle);
    // Skeletons that state a type state its codec; without one T is the bytes that `raw` gives.
    this.#codec = (handle.context ?? raw) as Codec<T>;
  }

  /**
   * Runs the program once with `context`, or zeros, and returns that as the program left it.
   * @throws BpfError when the kernel cannot run it, or the context is larger than 64 KiB
   */
  run(context?: T): SyscallResult<T> {
    const bytes = this.#encode(context);
    const result = testRun(this.runnable(), { context: bytes }, (errno) =>
      errno === 'EINVAL' && bytes.length > MOST
        ? { why: `a context has ${MOST} bytes at most, this one ${bytes.length}` }
        : undefined,
    );
    const left = result.context;
    return {
      returnValue: result.returnValue | 0,
      context: this.#codec.read(new DataView(left.buffer, left.byteOffset, left.length), 0, left.length),
    };
  }

  #encode(context: T | undefined): Uint8Array {
    if (this.handle.context === undefined) {
      if (context === undefined) return new Uint8Array(0);
      if (context instanceof Uint8Array) return context;
      throw new BpfError(
        'ERR_BPF_ARGUMENT',
        `run "${printable(this.name)}": its context has no type here; give its bytes`,
      );
    }
    const bytes = new Uint8Array(this.#codec.size);
    if (context !== undefined) this.#codec.write(new DataView(bytes.buffer), 0, context);
    return bytes;
  }
}

/** U16_MAX, bpf_prog_test_run_syscall(). */
const MOST = 0xffff;

/** What a skeleton calls: with the codec of what the C parameter points to, where that is a struct. */
interface SyscallShapes {
  (section: string): ProgramShape<SyscallProgram>;
  <T>(section: string, context: Codec<T>): ProgramShape<SyscallProgram<T>>;
}

/** `SEC("syscall")`. */
export const syscall = kindWithContext(
  {
    kindName: 'syscall',
    sections: [{ match: 'syscall', type: BPF_PROG_TYPE.SYSCALL, sleepable: true }],
    program: SyscallProgram<unknown>,
    typedContext: true,
  },
  (kind): SyscallShapes =>
    <T>(section: string, context?: Codec<T>): ProgramShape<SyscallProgram<T>> => ({
      // Its programs are given this very codec.
      kind: kind as ProgramKind<SyscallProgram<T>>,
      section,
      ...(context && { context }),
    }),
);
