import { cannotAttach } from '../link/attach-error.js';
import type { Link } from '../link/link.js';
import { readText } from '../link/text.js';
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
    const active = readText(this.handle.kernel, '/sys/kernel/security/lsm')?.trim();
    if (active !== undefined && active !== '' && !active.split(',').includes('bpf')) {
      throw cannotAttach({ program: this.name, target: this.section.replace('/', ' ') }, 'ENOENT', {
        why: `this kernel runs the security modules ${active}, and bpf is not among them, so the program would never run`,
        hint: `Boot with lsm=${active.replace(/^capability,/, '')},bpf`,
        unsupported: { feature: 'BPF LSM' },
      });
    }
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
