import { printable } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import { attachError, attachedAlready, cannotAttach, errnoOf, type Reason } from '../link/attach-error.js';
import { Link } from '../link/link.js';
import { nearest } from '../link/nearest.js';
import { whyRefused } from '../link/privilege.js';
import { availableEvents, tracefsRoot, whyNoTracefs } from '../link/tracefs.js';
import { BPF_F_TEST_RUN_ON_CPU, BPF_PROG_TYPE, kernelVersion } from '../uapi.js';
import { kind, Program } from './program.js';
import { type RunResult, testRun } from './test-run.js';

/** How {@link RawTracepointProgram.attach} attaches. */
export interface RawTracepointOptions {
  /** What bpf_get_attach_cookie() gives the program. Linux 6.10. */
  readonly cookie?: bigint;
}

/** How {@link RawTracepointProgram.run} runs. */
export interface RawTracepointRun {
  /** The CPU to run on; this one when absent. */
  readonly cpu?: number;
}

/** A program that gets a tracepoint's raw arguments. `SEC("raw_tp/sched_switch")`, Linux 4.17. */
export class RawTracepointProgram extends Program {
  /**
   * Attaches to the tracepoint `name` (no category), or without it to the one its SEC() names. Each call makes one
   * more link; before Linux 6.10 not twice to the same tracepoint. Throws a BpfError that names what this kernel lacks: the tracepoint, a capability.
   */
  attach(name: string = this.target, { cookie = 0n }: RawTracepointOptions = {}): Link {
    const { kernel } = this.handle;
    const attachment = { program: this.name, target: `raw tracepoint ${name}`.trim() };
    if (name === '') {
      throw cannotAttach(attachment, 'ERR_BPF_ARGUMENT', {
        why: 'SEC() names no tracepoint',
        hint: `Name it in the call: attach('sched_switch')`,
      });
    }
    const prog = this.fd;
    try {
      const fd =
        cookie === 0n ? kernel.rawTracepointOpen(prog, name) : kernel.rawTracepointOpen(prog, name, cookie);
      return this.handle.own(new Link({ kernel, ...attachment, fd, release: () => kernel.close(fd) }));
    } catch (error) {
      throw attachError(attachment, error, why(kernel, error, name, cookie));
    }
  }

  /**
   * Runs the program once with these arguments, without attaching it. Pointers among them are not the program's to
   * follow. Linux 5.10.
   */
  run(args: readonly (number | bigint)[], { cpu }: RawTracepointRun = {}): RunResult {
    const context = new Uint8Array(
      BigInt64Array.from(args, (value) => BigInt.asIntN(64, BigInt(value))).buffer,
    );
    const { returnValue, duration } = testRun(
      this.runnable(),
      { context, ...(cpu !== undefined && { cpu, flags: BPF_F_TEST_RUN_ON_CPU }) },
      (errno) => whyNotRun(args, cpu, errno),
    );
    return { returnValue: returnValue | 0, duration };
  }
}

function why(kernel: Kernel, error: unknown, name: string, cookie: bigint): Reason | undefined {
  const errno = errnoOf(error);
  // A kernel takes no request with more in it than it knows: E2BIG, or EINVAL where other requests are as long.
  const older = kernel.version < kernelVersion(6, 10);
  if (cookie !== 0n && (errno === 'E2BIG' || (errno === 'EINVAL' && older))) {
    return {
      why: `raw tracepoints take a cookie since Linux 6.10 and this is ${kernel.release}`,
      unsupported: { feature: 'cookies of raw tracepoints', since: '6.10' },
    };
  }
  if (errno === 'EPERM' || errno === 'EACCES') return whyRefused(kernel, ['CAP_BPF', 'CAP_PERFMON']);
  if (errno === 'EEXIST') return attachedAlready;
  if (errno !== 'ENOENT') return undefined;
  const why = `this kernel has no tracepoint ${printable(name)}`;
  const root = tracefsRoot(kernel);
  if (root === undefined) {
    const unseen = whyNoTracefs(kernel);
    return { why: `${why}; what it has cannot be listed, because ${unseen.why}`, hint: unseen.hint };
  }
  const near = nearest(name, availableEvents(kernel, root).map(withoutCategory)).map((each) =>
    printable(each),
  );
  return { why, ...(near.length > 0 ? { hint: `Similar names: ${near.join(', ')}` } : {}) };
}

function whyNotRun(args: readonly unknown[], cpu: number | undefined, errno: string): Reason | undefined {
  if (errno === 'ENXIO') return { why: `CPU ${cpu} does not run` };
  if (errno !== 'EINVAL') return undefined;
  return { why: `the program reads more arguments than the ${args.length} given` };
}

function withoutCategory(event: string): string {
  return event.slice(event.indexOf('/') + 1);
}

/** `SEC("raw_tp/name")`, `SEC("raw_tracepoint/name")`; `.w` for programs that write to the arguments (Linux 5.2). */
export const rawTracepoint = kind({
  kindName: 'rawTracepoint',
  sections: [
    { match: 'raw_tracepoint+', type: BPF_PROG_TYPE.RAW_TRACEPOINT },
    { match: 'raw_tp+', type: BPF_PROG_TYPE.RAW_TRACEPOINT },
    { match: 'raw_tracepoint.s+', type: BPF_PROG_TYPE.RAW_TRACEPOINT, sleepable: true },
    { match: 'raw_tp.s+', type: BPF_PROG_TYPE.RAW_TRACEPOINT, sleepable: true },
    { match: 'raw_tracepoint.w+', type: BPF_PROG_TYPE.RAW_TRACEPOINT_WRITABLE },
    { match: 'raw_tp.w+', type: BPF_PROG_TYPE.RAW_TRACEPOINT_WRITABLE },
  ],
  program: RawTracepointProgram,
  autoAttach: (program) => (program.section.includes('/') ? program.attach() : undefined),
});
