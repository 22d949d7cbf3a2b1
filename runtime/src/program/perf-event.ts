import type { Link } from '../link/link.js';
import type { PerfEventChoice } from '../link/perf-choice.js';
import { attachToEvents, type PerfEventScope, type Sampling } from '../link/perf-event.js';
import { BPF_PROG_TYPE } from '../uapi.js';
import { kind, Program } from './program.js';

/** What {@link PerfEventProgram.attach} attaches to: an event, how often, and where. A breakpoint runs each time by itself. */
export type PerfEventTarget = PerfEventScope & {
  /** What bpf_get_attach_cookie() gives the program. Linux 5.15. */
  readonly cookie?: bigint;
} & ((PerfEventChoice & Sampling) | Extract<PerfEventChoice, { type: 'breakpoint' }>);

/**
 * A program that runs when a perf event overflows: at so many samples a second, or once in so many events.
 * `SEC("perf_event")`, Linux 4.9. Tracepoints do not run such programs: those are `SEC("tracepoint/...")`.
 */
export class PerfEventProgram extends Program {
  /**
   * Attaches to an event on every CPU, or on one, or to a process. One link covers them all; CPUs that start to run
   * later are not among them.
   *
   * Throws a BpfError that says why this kernel refuses: no such event, no hardware counters, a missing capability
   * (with `kernel.perf_event_paranoid`), a frequency above the limit.
   *
   * @example skel.progs.sample.attach({ type: 'software', config: 'cpu-clock', frequency: 99 })
   * @example skel.progs.sample.attach({ type: 'hardware', config: 'cache-misses', period: 10_000, pid: 1234 })
   */
  attach(target: PerfEventTarget): Link {
    const { cpu, pid, inherit, cookie } = target;
    return this.handle.own(
      attachToEvents({
        kernel: this.handle.kernel,
        prog: this.fd,
        program: this.name,
        choice: target,
        frequency: 'frequency' in target ? target.frequency : undefined,
        period: 'period' in target ? target.period : undefined,
        cpu,
        pid,
        inherit,
        cookie,
      }),
    );
  }
}

/** `SEC("perf_event")`. */
export const perfEvent = kind({
  kindName: 'perfEvent',
  sections: [{ match: 'perf_event', type: BPF_PROG_TYPE.PERF_EVENT }],
  program: PerfEventProgram,
});
