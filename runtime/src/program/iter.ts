import type { Link } from '../link/link.js';
import { attachTracing } from '../link/tracing.js';
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { kind, Program } from './program.js';
import { withSleepable } from './tracing.js';

/** A program that prints a list of kernel objects when somebody reads it. `SEC("iter/task")`, Linux 5.8. */
export class IterProgram extends Program {
  /**
   * Makes the iterator SEC() names. Pin the link (`link.pin('/sys/fs/bpf/tasks')`): each read of that file runs the
   * program over the whole list.
   */
  attach(): Link {
    return this.handle.own(
      attachTracing({
        kernel: this.handle.kernel,
        prog: this.fd,
        program: this.name,
        target: this.section.replace('/', ' '),
        attachType: BPF_ATTACH_TYPE.TRACE_ITER,
      }),
    );
  }
}

/** `SEC("iter/target")`. Iterators over a map's elements need the map, which cannot be given yet. */
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
