import type { Fd } from '../kernel/kernel.js';
import { type Attachment, attachError, cannotAttach, errnoOf } from '../link/attach-error.js';
import type { Link } from '../link/link.js';
import { attachPerfEvent, whyNoPerf } from '../link/perf.js';
import { findEvent, tracefsRoot, whyNoTracefs, whyNoTracepoint } from '../link/tracefs.js';
import { BPF_PROG_TYPE, PERF_TYPE_TRACEPOINT } from '../uapi.js';
import { kind, Program } from './program.js';

/** How {@link TracepointProgram.attach} attaches. */
export interface TracepointOptions {
  /** What bpf_get_attach_cookie() gives the program. Linux 5.15. */
  readonly cookie?: bigint;
}

/** A program that runs at a tracepoint. `SEC("tracepoint/sched/sched_process_exec")`, Linux 4.7. */
export class TracepointProgram extends Program {
  /**
   * Attaches to the tracepoint `name` of `category`, or without them to the one its SEC() names. Each call makes one
   * more link, but not to the same tracepoint. Throws a BpfError that names what this kernel lacks: the tracepoint, tracefs, a capability.
   *
   * @example skel.progs.on_exec.attach('sched', 'sched_process_exec')
   * @example skel.progs.on_exec.attach({ cookie: 7n })
   */
  attach(options?: TracepointOptions): Link;
  attach(category: string, name: string, options?: TracepointOptions): Link;
  attach(first?: string | TracepointOptions, name?: string, options: TracepointOptions = {}): Link {
    const category = typeof first === 'object' ? undefined : first;
    const { cookie } = typeof first === 'object' ? first : options;
    const { kernel } = this.handle;
    const prog = this.fd;
    const [group, event] = this.#names(category, name);
    const attachment = { program: this.name, target: `tracepoint ${group}/${event}` };
    return this.handle.own(
      attachPerfEvent({
        ...attachment,
        kernel,
        prog,
        event: this.#open(attachment, group, event),
        cookie,
      }),
    );
  }

  #names(category: string | undefined, name: string | undefined): [string, string] {
    if (category !== undefined && name !== undefined) return [category, name];
    const [, group, event] = /^([^/]+)\/(.+)$/.exec(this.target) ?? [];
    if (category === undefined && group !== undefined && event !== undefined) return [group, event];
    const attachment = { program: this.name, target: `tracepoint ${category ?? this.target}`.trim() };
    throw cannotAttach(attachment, 'ERR_BPF_ARGUMENT', {
      why: category === undefined ? 'SEC() names no category/name' : 'a category needs a name',
      hint: `Name both in the call: attach('sched', 'sched_process_exec')`,
    });
  }

  #open(attachment: Attachment, group: string, name: string): Fd {
    const { kernel } = this.handle;
    const id = findEvent(kernel, group, name);
    if (id === undefined) {
      const root = tracefsRoot(kernel);
      const reason = root === undefined ? whyNoTracefs(kernel) : whyNoTracepoint(kernel, root, group, name);
      throw cannotAttach(attachment, 'ENOENT', reason);
    }
    try {
      return kernel.perfEventOpen({ type: PERF_TYPE_TRACEPOINT, config: id, pid: -1, cpu: 0 });
    } catch (error) {
      const refused = ['EPERM', 'EACCES'].includes(errnoOf(error) ?? '');
      throw attachError(attachment, error, refused ? whyNoPerf(kernel) : undefined);
    }
  }
}

/** `SEC("tracepoint/category/name")`, `SEC("tp/category/name")`. */
export const tracepoint = kind({
  kindName: 'tracepoint',
  sections: [
    { match: 'tracepoint+', type: BPF_PROG_TYPE.TRACEPOINT },
    { match: 'tp+', type: BPF_PROG_TYPE.TRACEPOINT },
    { match: 'tracepoint.s+', type: BPF_PROG_TYPE.TRACEPOINT, sleepable: true },
    { match: 'tp.s+', type: BPF_PROG_TYPE.TRACEPOINT, sleepable: true },
  ],
  program: TracepointProgram,
  autoAttach: (program) => (program.section.includes('/') ? program.attach() : undefined),
});
