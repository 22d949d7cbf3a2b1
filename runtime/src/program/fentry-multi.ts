import { cannotAttach } from '../link/attach-error.js';
import type { Link } from '../link/link.js';
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { kind, Program } from './program.js';
import { withSleepable } from './tracing.js';

/**
 * A program for many functions with typed arguments. `SEC("fentry.multi/tcp_*")` and its kin are in libbpf's table; no
 * kernel released so far attaches them.
 */
abstract class TracingMultiProgram extends Program {
  /** Throws NotSupportedError. */
  attach(): Link {
    const [what = ''] = this.section.split('/', 1);
    throw cannotAttach(
      { program: this.name, target: `${what} ${this.target}`.trim() },
      'ERR_BPF_NOT_SUPPORTED',
      {
        why: `no released kernel attaches ${what} programs`,
        hint: `Use kprobe.multi, or one ${what.replace('.multi', '')} program for each function`,
        unsupported: { feature: what },
      },
    );
  }
}

/** `SEC("fentry.multi/glob")`. */
export class FentryMultiProgram extends TracingMultiProgram {}

/** `SEC("fexit.multi/glob")`. */
export class FexitMultiProgram extends TracingMultiProgram {}

/** `SEC("fsession.multi/glob")`. */
export class FsessionMultiProgram extends TracingMultiProgram {}

const type = BPF_PROG_TYPE.TRACING;

/** `SEC("fentry.multi/glob")`. */
export const fentryMulti = kind({
  kindName: 'fentryMulti',
  sections: withSleepable('fentry.multi', { type, attachType: BPF_ATTACH_TYPE.TRACE_FENTRY_MULTI }),
  program: FentryMultiProgram,
  autoAttach: (program) => (program.section.includes('/') ? program.attach() : undefined),
});

/** `SEC("fexit.multi/glob")`. */
export const fexitMulti = kind({
  kindName: 'fexitMulti',
  sections: withSleepable('fexit.multi', { type, attachType: BPF_ATTACH_TYPE.TRACE_FEXIT_MULTI }),
  program: FexitMultiProgram,
  autoAttach: (program) => (program.section.includes('/') ? program.attach() : undefined),
});

/** `SEC("fsession.multi/glob")`. */
export const fsessionMulti = kind({
  kindName: 'fsessionMulti',
  sections: withSleepable('fsession.multi', { type, attachType: BPF_ATTACH_TYPE.TRACE_FSESSION_MULTI }),
  program: FsessionMultiProgram,
  autoAttach: (program) => (program.section.includes('/') ? program.attach() : undefined),
});
