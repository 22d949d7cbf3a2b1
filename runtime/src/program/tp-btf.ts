import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { kind } from './program.js';
import { TracingProgram, withSleepable } from './tracing.js';

/** A program that gets a tracepoint's arguments with their types. `SEC("tp_btf/sched_switch")`, Linux 5.5. */
export class TpBtfProgram extends TracingProgram {}

/** `SEC("tp_btf/name")`. */
export const tpBtf = kind({
  kindName: 'tpBtf',
  sections: withSleepable('tp_btf', {
    type: BPF_PROG_TYPE.TRACING,
    attachType: BPF_ATTACH_TYPE.TRACE_RAW_TP,
    attachBtf: { prefix: 'btf_trace_', kind: 'typedef' },
  }),
  program: TpBtfProgram,
  autoAttach: (program) => program.attach(),
});
