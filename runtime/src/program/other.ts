import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { kind, Program, type SectionRule } from './program.js';

/** A program that can be loaded and run on given data, but not yet attached by this package. */
export class OtherProgram extends Program {}

function row(match: string, type: number, attachType = 0, more: Partial<SectionRule> = {}): SectionRule {
  return { match, type, ...(attachType === 0 ? {} : { attachType }), ...more };
}

const T = BPF_PROG_TYPE;
const A = BPF_ATTACH_TYPE;
const sleepable = { sleepable: true } as const;

const traffic: readonly SectionRule[] = [
  row('tc/ingress', T.SCHED_CLS, A.TCX_INGRESS),
  row('tc/egress', T.SCHED_CLS, A.TCX_EGRESS),
  row('tcx/ingress', T.SCHED_CLS, A.TCX_INGRESS),
  row('tcx/egress', T.SCHED_CLS, A.TCX_EGRESS),
  row('tc', T.SCHED_CLS),
  row('classifier', T.SCHED_CLS),
  row('action', T.SCHED_ACT),
  row('netkit/primary', T.SCHED_CLS, A.NETKIT_PRIMARY),
  row('netkit/peer', T.SCHED_CLS, A.NETKIT_PEER),
  row('lwt_in', T.LWT_IN),
  row('lwt_out', T.LWT_OUT),
  row('lwt_xmit', T.LWT_XMIT),
  row('lwt_seg6local', T.LWT_SEG6LOCAL),
  row('netfilter', T.NETFILTER, A.NETFILTER),
];

const rest: readonly SectionRule[] = [
  // Attached through their map.
  row('struct_ops+', T.STRUCT_OPS),
  row('struct_ops.s+', T.STRUCT_OPS, 0, sleepable),
];

/** Every section of libbpf's table (libbpf.c, section_defs) that has no kind of its own here, and unknown ones. */
export const otherProgram = kind({
  kindName: 'otherProgram',
  sections: [...traffic, ...rest],
  program: OtherProgram,
});
