import type { Link } from '../link/link.js';
import { attachTracing } from '../link/tracing.js';
import { BPF_ATTACH_TYPE } from '../uapi.js';
import { Program, type SectionRule } from './program.js';

/** How {@link TracingProgram.attach} attaches. */
export interface TracingOptions {
  /** What bpf_get_attach_cookie() gives the program. Linux 5.18. */
  readonly cookie?: bigint;
}

/** A program that is verified against one kernel function or tracepoint and can be attached only there. */
export class TracingProgram extends Program {
  /**
   * Attaches to what SEC() names: the load fixed it. Throws a BpfError that says why this kernel refuses.
   */
  attach(options: TracingOptions = {}): Link {
    return this.handle.own(
      attachTracing({
        kernel: this.handle.kernel,
        prog: this.fd,
        program: this.name,
        target: this.section.replace('/', ' '),
        attachType: this.handle.expectedAttachType,
        cookie: options.cookie,
        replaces: this.handle.replaces,
        functionName: ofFunctions.includes(this.handle.expectedAttachType) ? this.target : undefined,
      }),
    );
  }
}

const ofFunctions: readonly number[] = [
  BPF_ATTACH_TYPE.TRACE_FENTRY,
  BPF_ATTACH_TYPE.TRACE_FEXIT,
  BPF_ATTACH_TYPE.MODIFY_RETURN,
  BPF_ATTACH_TYPE.TRACE_FSESSION,
];

type Rule = Omit<SectionRule, 'match' | 'sleepable'>;

/** The plain form of a section and its `.s` form, whose programs may sleep. */
export function withSleepable(name: string, rule: Rule): SectionRule[] {
  return [
    { match: `${name}+`, ...rule },
    { match: `${name}.s+`, ...rule, sleepable: true },
  ];
}
