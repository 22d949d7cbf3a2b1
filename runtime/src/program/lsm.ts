import { assertBpfLsm } from '../link/bpf-lsm.js';
import type { Link } from '../link/link.js';
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { kind } from './program.js';
import { type TracingOptions, TracingProgram, withSleepable } from './tracing.js';

/** A program that decides at a security hook: a negative errno refuses. `SEC("lsm/file_open")`, Linux 5.7. */
export class LsmProgram extends TracingProgram {
  /**
   * Attaches to the hook SEC() names. Throws NotSupportedError when the kernel was booted without the BPF LSM: it
   * would take the link and never run the program.
   */
  override attach(options: TracingOptions = {}): Link {
    assertBpfLsm(this.handle.kernel, { program: this.name, target: this.section.replace('/', ' ') });
    return super.attach(options);
  }
}

/** `SEC("lsm/hook")`. */
export const lsm = kind({
  kindName: 'lsm',
  sections: withSleepable('lsm', {
    type: BPF_PROG_TYPE.LSM,
    attachType: BPF_ATTACH_TYPE.LSM_MAC,
    attachBtf: { prefix: 'bpf_lsm_', kind: 'func' },
  }),
  program: LsmProgram,
  autoAttach: (program) => program.attach(),
});
