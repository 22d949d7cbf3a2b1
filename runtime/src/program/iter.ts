import type { Codec } from '../codec/codec.js';
import { BpfError, printable } from '../errors.js';
import type { Fd, IterSubject } from '../kernel/kernel.js';
import { attachError } from '../link/attach-error.js';
import { attachIter, type IterLink } from '../link/iter.js';
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE, CGROUP_ITER_ORDER } from '../uapi.js';
import { kind, Program } from './program.js';
import { withSleepable } from './tracing.js';

/** How cgroups are gone through: the kernel's BPF_CGROUP_ITER_* in lower case; older kernels lack `children`. */
export type CgroupOrder = keyof typeof CGROUP_ITER_ORDER;

/** What an iterator goes over, for those whose SEC() does not say it all (union bpf_iter_link_info). */
export interface IterTarget {
  /** `iter/bpf_map_elem`, `iter/bpf_sk_storage_map`, `iter/sockmap`: whose elements. Linux 5.8. */
  readonly map?: Fd | { readonly fd: Fd };
  /** `iter/cgroup`: where to start, as a path, an open directory or an id; the root when absent. Linux 6.1. */
  readonly cgroup?: string | Fd | { readonly fd: Fd } | bigint;
  /** `iter/cgroup`: every descendant, parents first, when absent. */
  readonly order?: CgroupOrder;
  /** `iter/task`, `iter/task_file`, `iter/task_vma`: the threads of this process only. Linux 6.1. */
  readonly pid?: number;
  /** The same for a pidfd. */
  readonly pidfd?: Fd;
  /** One thread only. */
  readonly tid?: number;
}

/**
 * A program that describes a list of kernel objects, one run each, to whoever reads it. `SEC("iter/task")`, Linux 5.8.
 *
 * @example
 * for await (const line of skel.progs.dump_tasks.lines()) console.log(line);
 * for await (const { pid, comm } of skel.progs.tasks.records(Task)) ...
 */
export class IterProgram extends Program {
  /**
   * Makes the iterator that SEC() names, which can be read as often as wanted, or pinned for others to read.
   * @throws BpfError that says what `target` lacks
   */
  attach(target: IterTarget = {}): IterLink {
    const { kernel } = this.handle;
    const attachment = { program: this.name, target: this.section.replace('/', ' '), list: this.target };
    const opened: Fd[] = [];
    const open = (path: string): Fd => {
      try {
        const fd = kernel.openFile(path);
        opened.push(fd);
        return fd;
      } catch (error) {
        throw attachError(attachment, error);
      }
    };
    try {
      const of = this.#subject(target, open);
      const link = attachIter({ kernel, prog: this.fd, of, ...attachment });
      this.handle.own(link);
      return link;
    } finally {
      // The link holds what it goes over.
      for (const fd of opened) kernel.close(fd);
    }
  }

  /** Runs the program over the list once and returns the text it wrote. Nothing else happens meanwhile. */
  read(target?: IterTarget): string {
    using link = this.attach(target);
    return link.read();
  }

  /** Runs the program over the list once: the lines it writes. As {@link IterLink.lines}. */
  async *lines(target?: IterTarget): AsyncGenerator<string, void, undefined> {
    using link = this.attach(target);
    yield* link.lines();
  }

  /** Runs the program over the list once: the structs it writes. As {@link IterLink.records}. */
  async *records<T>(codec: Codec<T>, target?: IterTarget): AsyncGenerator<T, void, undefined> {
    using link = this.attach(target);
    yield* link.records(codec);
  }

  #subject(target: IterTarget, open: (path: string) => Fd): IterSubject | undefined {
    const { map, cgroup, order, pid, pidfd, tid } = target;
    const given = [map, cgroup ?? order, pid, pidfd, tid].filter((one) => one !== undefined);
    if (given.length > 1) {
      throw new BpfError(
        'ERR_BPF_ARGUMENT',
        `attach "${printable(this.name)}": an iterator goes over one thing; give one of map, cgroup, pid, pidfd and tid`,
      );
    }
    if (map !== undefined) return { map: typeof map === 'number' ? map : map.fd };
    if (pid !== undefined || pidfd !== undefined || tid !== undefined) return { pid, pidfd, tid };
    const cgroups = this.target === 'cgroup';
    if (cgroup === undefined && order === undefined && !cgroups) return undefined;
    const number = CGROUP_ITER_ORDER[order ?? 'descendants_pre'];
    if (typeof cgroup === 'bigint') return { order: number, cgroupId: cgroup };
    if (cgroup === undefined) return { order: number };
    if (typeof cgroup === 'string') return { order: number, cgroup: open(cgroup) };
    return { order: number, cgroup: typeof cgroup === 'number' ? cgroup : cgroup.fd };
  }
}

/** `SEC("iter/target")`. */
export const iter = kind({
  kindName: 'iter',
  sections: withSleepable('iter', {
    type: BPF_PROG_TYPE.TRACING,
    attachType: BPF_ATTACH_TYPE.TRACE_ITER,
    attachBtf: { prefix: 'bpf_iter_', kind: 'func' },
  }),
  program: IterProgram,
  autoAttach: (program) => program.attach(),
});
