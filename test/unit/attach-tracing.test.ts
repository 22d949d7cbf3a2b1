import { describe, expect, it } from 'vitest';
import { NotSupportedError } from '../../runtime/src/errors.js';
import { FreplaceProgram } from '../../runtime/src/program/freplace.js';
import {
  FentryMultiProgram,
  FentryProgram,
  FexitMultiProgram,
  FsessionMultiProgram,
  IterProgram,
  LsmProgram,
  TpBtfProgram,
} from '../../runtime/src/program/index.js';
import { kindOf } from '../../runtime/src/program/kinds.js';
import { BPF_ATTACH_TYPE } from '../../runtime/src/uapi.js';
import { fakeHost, handleFor } from './fake-host.js';

const fentry = (host: ReturnType<typeof fakeHost>, section = 'fentry/do_unlinkat') =>
  new FentryProgram(
    handleFor(host, { name: 'trace', section, expectedAttachType: BPF_ATTACH_TYPE.TRACE_FENTRY }),
  );

describe('attaching a tracing program', () => {
  it('makes a link of its expected attach type', () => {
    const host = fakeHost();
    const link = fentry(host).attach({ cookie: 3n });
    expect(host.calls).toEqual([
      'linkCreate({"prog":9,"attachType":24,"options":{"kind":"tracing","targetBtfId":0,"cookie":"3n"}})',
    ]);
    expect(link.target).toBe('fentry do_unlinkat');
    expect(link.info().id).toBe(3);
  });

  it('falls back to BPF_RAW_TRACEPOINT_OPEN without a name on EINVAL', () => {
    const host = fakeHost();
    host.refuse('linkCreate', 'EINVAL');
    const link = fentry(host).attach();
    expect(host.calls[1]).toBe('rawTracepointOpen(9)');
    link.detach();
    expect(host.open.size).toBe(0);
  });

  it('names again what a program was loaded to replace, which its first link took with it', () => {
    const host = fakeHost();
    host.refuse('linkCreate', 'EINVAL');
    const replaces = { program: 7, btfId: 12 };
    const patch = new FreplaceProgram({ ...handleFor(host, { section: 'freplace/verdict' }), replaces });
    expect(() => patch.attach()).toThrow(/^attach "prog" to freplace verdict: /);
    expect(host.calls).toHaveLength(2);
    expect(host.calls[1]).toContain('"target":{"fd":7},"options":{"kind":"tracing","targetBtfId":12,');
  });

  it('does not fall back for iterators, which that call does not take', () => {
    const host = fakeHost();
    host.refuse('linkCreate', 'EINVAL');
    const iter = new IterProgram(handleFor(host, { section: 'iter/task' }));
    expect(() => iter.attach()).toThrow('attach "prog" to iter task: linkCreate: invalid argument (EINVAL)');
    expect(host.calls).toHaveLength(1);
  });

  it('does not drop a cookie on the way', () => {
    const host = fakeHost();
    host.refuse('linkCreate', 'EINVAL');
    expect(() => fentry(host).attach({ cookie: 1n })).toThrow(/since Linux 5\.18/);
  });

  const refusals = [
    ['EPERM', 'though no capability is missing (EPERM)'],
    ['ENOTSUPP', 'built without ftrace direct calls'],
    ['EBUSY', 'is attached there already, or the function is taken'],
    ['EEXIST', 'is attached there already, and this kernel runs a program once'],
    ['E2BIG', 'already carries as many programs'],
    ['ENOMEM', 'cannot allocate memory'],
  ] as const;
  it.each(refusals)('explains %s', (errno, text) => {
    const host = fakeHost();
    host.file('/proc/self/status', 'CapEff:\t000001ffffffffff\n');
    host.refuse('linkCreate', errno);
    expect(() => fentry(host).attach()).toThrow(text);
  });

  it.each(['fentry/do_hidden', 'fentry/xfs:do_hidden'])('says that %s cannot be traced', (section) => {
    const host = fakeHost();
    host.file('/sys/kernel/tracing/events/enable', '0');
    host.file('/sys/kernel/tracing/available_filter_functions', 'do_unlinkat\ndo_hidden_too [xfs]\n');
    host.refuse('linkCreate', 'EBUSY');
    expect(() => fentry(host, section).attach()).toThrow(
      /do_hidden is in the kernel, but not traceable: it is marked notrace, or .* \(EBUSY\)\. Probe a function/,
    );
    expect(() => fentry(host).attach()).toThrow('is attached there already, or the function is taken');
  });

  const capabilities: [string, string][] = [
    ['0000000000000000', 'lacks CAP_BPF and CAP_PERFMON'],
    ['0000008000000000', 'lacks CAP_PERFMON'],
    ['0000000000200000', 'no capability is missing'], // CAP_SYS_ADMIN stands for both
  ];
  it.each(capabilities)('with capabilities %s says %s', (mask, text) => {
    const host = fakeHost();
    host.file('/proc/self/status', `CapEff:\t${mask}\n`);
    host.refuse('linkCreate', 'EPERM');
    expect(() => fentry(host).attach()).toThrow(text);
  });

  it('asks for CAP_SYS_ADMIN before 5.8, which has no CAP_BPF', () => {
    const host = fakeHost({ version: 0x050400 });
    host.file('/proc/self/status', 'CapEff:\t0000000000000000\n');
    host.refuse('linkCreate', 'EPERM');
    expect(() => fentry(host).attach()).toThrow('lacks CAP_SYS_ADMIN (EPERM)');
  });

  it.each([
    ['seccomp', '/proc/self/status', 'CapEff:\t000001ffffffffff\nSeccomp:\t2\n', 'a seccomp filter is on'],
    [
      'lockdown',
      '/sys/kernel/security/lockdown',
      'none integrity [confidentiality]',
      'kernel lockdown is "confidentiality"',
    ],
  ])('sees %s', (_name, path, content, text) => {
    const host = fakeHost();
    host.file(path, content);
    host.refuse('linkCreate', 'EPERM');
    expect(() => fentry(host).attach()).toThrow(text);
  });

  it('attaches tp_btf the same way', () => {
    const host = fakeHost();
    const program = new TpBtfProgram(
      handleFor(host, { section: 'tp_btf/sched_switch', expectedAttachType: BPF_ATTACH_TYPE.TRACE_RAW_TP }),
    );
    expect(program.attach().target).toBe('tp_btf sched_switch');
    expect(host.calls[0]).toContain('"attachType":23');
  });
});

describe('attaching a tracing program to many functions', () => {
  it.each([
    ['fentry.multi/tcp_*', FentryMultiProgram],
    ['fexit.multi.s/tcp_*', FexitMultiProgram],
    ['fsession.multi/tcp_*', FsessionMultiProgram],
  ] as const)('is said to be in no kernel yet: %s', (section, Kind) => {
    const host = fakeHost();
    const program = new Kind(handleFor(host, { name: 'trace', section }));
    const [what] = section.split('/');
    expect(() => program.attach()).toThrow(NotSupportedError);
    expect(() => program.attach()).toThrow(
      `attach "trace" to ${what} tcp_*: no released kernel attaches ${what} programs. Use kprobe.multi, or one `,
    );
    expect(kindOf(section)?.kind.program).toBe(Kind);
    expect(host.calls).toEqual([]);
  });
});

describe('attaching an LSM program', () => {
  const lsm = (active?: string) => {
    const host = fakeHost();
    if (active !== undefined) host.file('/sys/kernel/security/lsm', active);
    return new LsmProgram(
      handleFor(host, {
        name: 'guard',
        section: 'lsm/file_open',
        expectedAttachType: BPF_ATTACH_TYPE.LSM_MAC,
      }),
    );
  };

  it.each([undefined, 'lockdown,capability,bpf\n'])('works where the active modules are %s', (active) => {
    expect(lsm(active).attach().target).toBe('lsm file_open');
  });

  it('refuses where it would attach and never run', () => {
    const attach = () => lsm('capability,apparmor').attach();
    expect(attach).toThrow(NotSupportedError);
    expect(attach).toThrow(
      'bpf is not among them, so the program would never run. Boot with lsm=apparmor,bpf',
    );
  });
});
