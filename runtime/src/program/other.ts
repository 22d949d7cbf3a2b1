import { NotSupportedError, printable } from '../errors.js';
import type { Link } from '../link/link.js';
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { kind, Program, type SectionRule } from './program.js';

/** A program that can be loaded and run on given data, but not yet attached by this package. */
export class OtherProgram extends Program {}

/** Sections libbpf attaches by themselves, and this package does not yet. */
const autoAttached = new Set<string>();

/** Marks rows whose programs libbpf attaches by themselves. */
function auto(rows: readonly SectionRule[]): readonly SectionRule[] {
  for (const row of rows) autoAttached.add(row.match.replace(/\+$/, ''));
  return rows;
}

function row(match: string, type: number, attachType = 0, more: Partial<SectionRule> = {}): SectionRule {
  return { match, type, ...(attachType === 0 ? {} : { attachType }), ...more };
}

const T = BPF_PROG_TYPE;
const A = BPF_ATTACH_TYPE;
const sleepable = { sleepable: true } as const;

const probes: readonly SectionRule[] = auto([row('ksyscall+', T.KPROBE), row('kretsyscall+', T.KPROBE)]);

const tracing: readonly SectionRule[] = auto([
  row('fentry.multi+', T.TRACING, A.TRACE_FENTRY_MULTI),
  row('fentry.multi.s+', T.TRACING, A.TRACE_FENTRY_MULTI, sleepable),
  row('fexit.multi+', T.TRACING, A.TRACE_FEXIT_MULTI),
  row('fexit.multi.s+', T.TRACING, A.TRACE_FEXIT_MULTI, sleepable),
  row('fsession.multi+', T.TRACING, A.TRACE_FSESSION_MULTI),
  row('fsession.multi.s+', T.TRACING, A.TRACE_FSESSION_MULTI, sleepable),
]);

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
  row('syscall', T.SYSCALL, 0, sleepable),
  row('perf_event', T.PERF_EVENT),
  // Attached through their map.
  row('struct_ops+', T.STRUCT_OPS),
  row('struct_ops.s+', T.STRUCT_OPS, 0, sleepable),
];

/** Every section of libbpf's table (libbpf.c, section_defs) that has no kind of its own here, and unknown ones. */
export const otherProgram = kind({
  kindName: 'otherProgram',
  sections: [...probes, ...tracing, ...traffic, ...rest],
  program: OtherProgram,
  autoAttach: refuseAutoAttach,
});

/** As libbpf, leaves alone what SEC() does not place; says so of what SEC() places and this package cannot. */
function refuseAutoAttach(program: OtherProgram): Link | undefined {
  const slash = program.section.indexOf('/');
  const prefix = slash < 0 ? undefined : program.section.slice(0, slash);
  if (prefix === undefined || !autoAttached.has(prefix)) return undefined;
  throw new NotSupportedError(
    prefix,
    `attach "${printable(program.name)}": SEC("${printable(program.section)}") programs load, but this version cannot attach them. Switch it off before load (autoattach = false), or write it as kprobe, fentry or a tracepoint`,
  );
}
