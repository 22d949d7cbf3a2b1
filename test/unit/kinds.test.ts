import { describe, expect, it } from 'vitest';
import { isBpfError } from '../../runtime/src/errors.js';
import * as all from '../../runtime/src/program/index.js';
import { kindOf, knownSections, unknownSection } from '../../runtime/src/program/kinds.js';
import { kindIn, type SectionRule } from '../../runtime/src/program/program.js';
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../../runtime/src/uapi.js';
import { fakeHost, handleFor } from './fake-host.js';

// What libbpf 1.8 makes of each SEC(): program type, expected attach type, and letters for S sleepable, B needs a BTF
// id, F XDP fragments, O attach type optional, U usdt, A attached by the section alone.
type Row = readonly [
  match: string,
  type: keyof typeof BPF_PROG_TYPE,
  attachType: keyof typeof BPF_ATTACH_TYPE | '0',
  flags: string,
];
const libbpf: readonly Row[] = [
  ['socket', 'SOCKET_FILTER', '0', ''],
  ['sk_reuseport/migrate', 'SK_REUSEPORT', 'SK_REUSEPORT_SELECT_OR_MIGRATE', ''],
  ['sk_reuseport', 'SK_REUSEPORT', 'SK_REUSEPORT_SELECT', ''],
  ['kprobe+', 'KPROBE', '0', 'A'],
  ['uprobe+', 'KPROBE', '0', 'A'],
  ['uprobe.s+', 'KPROBE', '0', 'SA'],
  ['kretprobe+', 'KPROBE', '0', 'A'],
  ['uretprobe+', 'KPROBE', '0', 'A'],
  ['uretprobe.s+', 'KPROBE', '0', 'SA'],
  ['kprobe.multi+', 'KPROBE', 'TRACE_KPROBE_MULTI', 'A'],
  ['kretprobe.multi+', 'KPROBE', 'TRACE_KPROBE_MULTI', 'A'],
  ['kprobe.session+', 'KPROBE', 'TRACE_KPROBE_SESSION', 'A'],
  ['uprobe.multi+', 'KPROBE', 'TRACE_UPROBE_MULTI', 'A'],
  ['uretprobe.multi+', 'KPROBE', 'TRACE_UPROBE_MULTI', 'A'],
  ['uprobe.session+', 'KPROBE', 'TRACE_UPROBE_SESSION', 'A'],
  ['uprobe.multi.s+', 'KPROBE', 'TRACE_UPROBE_MULTI', 'SA'],
  ['uretprobe.multi.s+', 'KPROBE', 'TRACE_UPROBE_MULTI', 'SA'],
  ['uprobe.session.s+', 'KPROBE', 'TRACE_UPROBE_SESSION', 'SA'],
  ['ksyscall+', 'KPROBE', '0', 'A'],
  ['kretsyscall+', 'KPROBE', '0', 'A'],
  ['usdt+', 'KPROBE', '0', 'UA'],
  ['usdt.s+', 'KPROBE', '0', 'SUA'],
  ['tc/ingress', 'SCHED_CLS', 'TCX_INGRESS', ''],
  ['tc/egress', 'SCHED_CLS', 'TCX_EGRESS', ''],
  ['tcx/ingress', 'SCHED_CLS', 'TCX_INGRESS', ''],
  ['tcx/egress', 'SCHED_CLS', 'TCX_EGRESS', ''],
  ['tc', 'SCHED_CLS', '0', ''],
  ['classifier', 'SCHED_CLS', '0', ''],
  ['action', 'SCHED_ACT', '0', ''],
  ['netkit/primary', 'SCHED_CLS', 'NETKIT_PRIMARY', ''],
  ['netkit/peer', 'SCHED_CLS', 'NETKIT_PEER', ''],
  ['tracepoint+', 'TRACEPOINT', '0', 'A'],
  ['tp+', 'TRACEPOINT', '0', 'A'],
  ['tracepoint.s+', 'TRACEPOINT', '0', 'SA'],
  ['tp.s+', 'TRACEPOINT', '0', 'SA'],
  ['raw_tracepoint+', 'RAW_TRACEPOINT', '0', 'A'],
  ['raw_tp+', 'RAW_TRACEPOINT', '0', 'A'],
  ['raw_tracepoint.s+', 'RAW_TRACEPOINT', '0', 'SA'],
  ['raw_tp.s+', 'RAW_TRACEPOINT', '0', 'SA'],
  ['raw_tracepoint.w+', 'RAW_TRACEPOINT_WRITABLE', '0', 'A'],
  ['raw_tp.w+', 'RAW_TRACEPOINT_WRITABLE', '0', 'A'],
  ['tp_btf+', 'TRACING', 'TRACE_RAW_TP', 'BA'],
  ['tp_btf.s+', 'TRACING', 'TRACE_RAW_TP', 'SBA'],
  ['fentry+', 'TRACING', 'TRACE_FENTRY', 'BA'],
  ['fmod_ret+', 'TRACING', 'MODIFY_RETURN', 'BA'],
  ['fexit+', 'TRACING', 'TRACE_FEXIT', 'BA'],
  ['fentry.s+', 'TRACING', 'TRACE_FENTRY', 'SBA'],
  ['fmod_ret.s+', 'TRACING', 'MODIFY_RETURN', 'SBA'],
  ['fexit.s+', 'TRACING', 'TRACE_FEXIT', 'SBA'],
  ['fsession+', 'TRACING', 'TRACE_FSESSION', 'BA'],
  ['fsession.s+', 'TRACING', 'TRACE_FSESSION', 'SBA'],
  ['fsession.multi+', 'TRACING', 'TRACE_FSESSION_MULTI', 'A'],
  ['fsession.multi.s+', 'TRACING', 'TRACE_FSESSION_MULTI', 'SA'],
  ['fentry.multi+', 'TRACING', 'TRACE_FENTRY_MULTI', 'A'],
  ['fexit.multi+', 'TRACING', 'TRACE_FEXIT_MULTI', 'A'],
  ['fentry.multi.s+', 'TRACING', 'TRACE_FENTRY_MULTI', 'SA'],
  ['fexit.multi.s+', 'TRACING', 'TRACE_FEXIT_MULTI', 'SA'],
  ['freplace+', 'EXT', '0', 'BA'],
  ['lsm+', 'LSM', 'LSM_MAC', 'BA'],
  ['lsm.s+', 'LSM', 'LSM_MAC', 'SBA'],
  ['lsm_cgroup+', 'LSM', 'LSM_CGROUP', 'B'],
  ['iter+', 'TRACING', 'TRACE_ITER', 'BA'],
  ['iter.s+', 'TRACING', 'TRACE_ITER', 'SBA'],
  ['syscall', 'SYSCALL', '0', 'S'],
  ['xdp.frags/devmap', 'XDP', 'XDP_DEVMAP', 'F'],
  ['xdp/devmap', 'XDP', 'XDP_DEVMAP', ''],
  ['xdp.frags/cpumap', 'XDP', 'XDP_CPUMAP', 'F'],
  ['xdp/cpumap', 'XDP', 'XDP_CPUMAP', ''],
  ['xdp.frags', 'XDP', 'XDP', 'F'],
  ['xdp', 'XDP', 'XDP', 'O'],
  ['perf_event', 'PERF_EVENT', '0', ''],
  ['lwt_in', 'LWT_IN', '0', ''],
  ['lwt_out', 'LWT_OUT', '0', ''],
  ['lwt_xmit', 'LWT_XMIT', '0', ''],
  ['lwt_seg6local', 'LWT_SEG6LOCAL', '0', ''],
  ['sockops', 'SOCK_OPS', 'CGROUP_SOCK_OPS', 'O'],
  ['sk_skb/stream_parser', 'SK_SKB', 'SK_SKB_STREAM_PARSER', 'O'],
  ['sk_skb/stream_verdict', 'SK_SKB', 'SK_SKB_STREAM_VERDICT', 'O'],
  ['sk_skb/verdict', 'SK_SKB', 'SK_SKB_VERDICT', 'O'],
  ['sk_skb', 'SK_SKB', '0', ''],
  ['sk_msg', 'SK_MSG', 'SK_MSG_VERDICT', 'O'],
  ['lirc_mode2', 'LIRC_MODE2', 'LIRC_MODE2', 'O'],
  ['flow_dissector', 'FLOW_DISSECTOR', 'FLOW_DISSECTOR', 'O'],
  ['cgroup_skb/ingress', 'CGROUP_SKB', 'CGROUP_INET_INGRESS', 'O'],
  ['cgroup_skb/egress', 'CGROUP_SKB', 'CGROUP_INET_EGRESS', 'O'],
  ['cgroup/skb', 'CGROUP_SKB', '0', ''],
  ['cgroup/sock_create', 'CGROUP_SOCK', 'CGROUP_INET_SOCK_CREATE', ''],
  ['cgroup/sock_release', 'CGROUP_SOCK', 'CGROUP_INET_SOCK_RELEASE', ''],
  ['cgroup/sock', 'CGROUP_SOCK', 'CGROUP_INET_SOCK_CREATE', 'O'],
  ['cgroup/post_bind4', 'CGROUP_SOCK', 'CGROUP_INET4_POST_BIND', ''],
  ['cgroup/post_bind6', 'CGROUP_SOCK', 'CGROUP_INET6_POST_BIND', ''],
  ['cgroup/bind4', 'CGROUP_SOCK_ADDR', 'CGROUP_INET4_BIND', ''],
  ['cgroup/bind6', 'CGROUP_SOCK_ADDR', 'CGROUP_INET6_BIND', ''],
  ['cgroup/connect4', 'CGROUP_SOCK_ADDR', 'CGROUP_INET4_CONNECT', ''],
  ['cgroup/connect6', 'CGROUP_SOCK_ADDR', 'CGROUP_INET6_CONNECT', ''],
  ['cgroup/connect_unix', 'CGROUP_SOCK_ADDR', 'CGROUP_UNIX_CONNECT', ''],
  ['cgroup/sendmsg4', 'CGROUP_SOCK_ADDR', 'CGROUP_UDP4_SENDMSG', ''],
  ['cgroup/sendmsg6', 'CGROUP_SOCK_ADDR', 'CGROUP_UDP6_SENDMSG', ''],
  ['cgroup/sendmsg_unix', 'CGROUP_SOCK_ADDR', 'CGROUP_UNIX_SENDMSG', ''],
  ['cgroup/recvmsg4', 'CGROUP_SOCK_ADDR', 'CGROUP_UDP4_RECVMSG', ''],
  ['cgroup/recvmsg6', 'CGROUP_SOCK_ADDR', 'CGROUP_UDP6_RECVMSG', ''],
  ['cgroup/recvmsg_unix', 'CGROUP_SOCK_ADDR', 'CGROUP_UNIX_RECVMSG', ''],
  ['cgroup/getpeername4', 'CGROUP_SOCK_ADDR', 'CGROUP_INET4_GETPEERNAME', ''],
  ['cgroup/getpeername6', 'CGROUP_SOCK_ADDR', 'CGROUP_INET6_GETPEERNAME', ''],
  ['cgroup/getpeername_unix', 'CGROUP_SOCK_ADDR', 'CGROUP_UNIX_GETPEERNAME', ''],
  ['cgroup/getsockname4', 'CGROUP_SOCK_ADDR', 'CGROUP_INET4_GETSOCKNAME', ''],
  ['cgroup/getsockname6', 'CGROUP_SOCK_ADDR', 'CGROUP_INET6_GETSOCKNAME', ''],
  ['cgroup/getsockname_unix', 'CGROUP_SOCK_ADDR', 'CGROUP_UNIX_GETSOCKNAME', ''],
  ['cgroup/sysctl', 'CGROUP_SYSCTL', 'CGROUP_SYSCTL', ''],
  ['cgroup/getsockopt', 'CGROUP_SOCKOPT', 'CGROUP_GETSOCKOPT', ''],
  ['cgroup/setsockopt', 'CGROUP_SOCKOPT', 'CGROUP_SETSOCKOPT', ''],
  ['cgroup/dev', 'CGROUP_DEVICE', 'CGROUP_DEVICE', 'O'],
  ['struct_ops+', 'STRUCT_OPS', '0', ''],
  ['struct_ops.s+', 'STRUCT_OPS', '0', 'S'],
  ['sk_lookup', 'SK_LOOKUP', 'SK_LOOKUP', ''],
  ['netfilter', 'NETFILTER', 'NETFILTER', ''],
];

function lettersOf(rule: SectionRule): string {
  return [
    rule.sleepable ? 'S' : '',
    rule.attachBtf ? 'B' : '',
    rule.frags ? 'F' : '',
    rule.attachTypeOptional ? 'O' : '',
    rule.usdt ? 'U' : '',
  ].join('');
}

describe('the table of sections', () => {
  it('has the 116 rows of libbpf and no other', () => {
    expect([...knownSections()].sort()).toEqual(libbpf.map(([match]) => match).sort());
  });

  it.each(libbpf)('reads SEC("%s") as libbpf does', (match, type, attachType, flags) => {
    const open = match.endsWith('+');
    const meaning = kindOf(match.replace('+', '/some/target'));
    const bare = kindOf(match.replace('+', ''));
    expect(bare?.rule.match).toBe(match);
    expect(bare?.target).toBe('');
    if (open) expect(meaning?.target).toBe('some/target');
    expect(meaning?.rule.type).toBe(BPF_PROG_TYPE[type]);
    expect(meaning?.rule.attachType ?? 0).toBe(attachType === '0' ? 0 : BPF_ATTACH_TYPE[attachType]);
    expect(lettersOf(meaning?.rule ?? { match: '', type: 0 })).toBe(flags.replace('A', ''));
  });

  it.each(libbpf.filter(([match]) => !match.endsWith('+')))('takes nothing after SEC("%s")', (match) => {
    const longer = kindOf(`${match}/extra`);
    // Only another row may claim it, as xdp/devmap beside xdp.
    expect(longer?.rule.match).not.toBe(match);
  });

  it.each(['', 'socket1', 'kprobe.x/foo', 'kprobes', 'XDP', 'xdp/foo', '.text', 'kprobe_multi/x'])(
    'does not know SEC("%s")',
    (section) => expect(kindOf(section)).toBeUndefined(),
  );

  const prefixes = {
    tp_btf: 'btf_trace_',
    lsm: 'bpf_lsm_',
    lsm_cgroup: 'bpf_lsm_',
    iter: 'bpf_iter_',
  } as const;
  it.each(Object.entries(prefixes))('looks %s targets up behind %s', (section, prefix) => {
    const rule = kindOf(`${section}/x`)?.rule.attachBtf;
    expect(rule).toEqual({ prefix, kind: section === 'tp_btf' ? 'typedef' : 'func' });
  });
});

describe('kinds', () => {
  it('are exported under the name generated files call', () => {
    const named = Object.entries(all).flatMap(([name, exported]) => {
      const kind = kindIn(exported);
      return kind === undefined ? [] : [[name, kind.kindName]];
    });
    expect(named.length).toBeGreaterThanOrEqual(14);
    for (const [name, kindName] of named) expect(kindName).toBe(name);
  });

  it('make a shape of a section', () => {
    expect(all.kprobe('kprobe/do_unlinkat')).toEqual({
      kind: kindIn(all.kprobe),
      section: 'kprobe/do_unlinkat',
    });
  });

  it.each(libbpf)(
    'attach SEC("%s/...") by itself exactly when libbpf does',
    (match, _type, _attach, flags) => {
      const meaning = kindOf(match.replace('+', '/syscalls/sys_enter_openat'));
      if (meaning === undefined) throw new Error('no meaning');
      const host = fakeHost();
      host.file('/sys/bus/event_source/devices/kprobe/type', '8');
      host.file('/sys/kernel/tracing/events/syscalls/sys_enter_openat/id', '600');
      const handle = handleFor(host, { section: match.replace('+', '/syscalls/sys_enter_openat') });
      const program = new meaning.kind.program(handle);
      let attached: unknown;
      try {
        attached = meaning.kind.autoAttach?.(program);
      } catch (error) {
        // A kprobe's target has no slash; the refusal still shows that it tried. Kinds without attach say so.
        if (!isBpfError(error)) throw error;
        attached = error;
      }
      expect(attached !== undefined).toBe(flags.includes('A'));
    },
  );

  it.each([
    'kprobe',
    'kretprobe',
    'tracepoint',
    'tp',
    'raw_tp',
    'raw_tracepoint',
    'uprobe',
    'usdt',
    'fentry.multi',
  ])('leave a bare SEC("%s") to the user', (section) => {
    const meaning = kindOf(section);
    const program = new (meaning?.kind.program ?? all.OtherProgram)(handleFor(fakeHost(), { section }));
    expect(meaning?.kind.autoAttach?.(program)).toBeUndefined();
  });
});

describe('an unknown section', () => {
  const cases: [string, string][] = [
    ['socket1', 'did you mean SEC("socket")? libbpf before 1.0 took any name that began with it'],
    ['xdp_prog', 'did you mean SEC("xdp")? libbpf before 1.0 took any name that began with it'],
    ['kpobe/do_unlinkat', 'did you mean SEC("kprobe")'],
    ['tracpoint/a/b', 'did you mean SEC("tracepoint")'],
    ['zzz\u001b[31m', 'SEC("zzz\\u{1b}[31m") names no kind of program'],
  ];
  it.each(cases)('%s is answered with what comes near', (section, text) => {
    expect(unknownSection(section)).toContain(text);
  });
});
