import { isBpfError, VerifierError } from '@bpfskel/runtime';
import { describe, expect, it } from 'vitest';
import { CALL, Insns, PseudoLoad } from '../../runtime/src/insn.js';
import { ERRNO, syscallError } from '../../runtime/src/kernel/errno.js';
import type { ProgLoad } from '../../runtime/src/kernel/kernel.js';
import type { LiveObject } from '../../runtime/src/loader/live-object.js';
import { type LoadOptions, load } from '../../runtime/src/loader/load.js';
import { OpenObject } from '../../runtime/src/loader/open-object.js';
import { parseObject } from '../../runtime/src/object/parse.js';
import type { ObjectSpec } from '../../runtime/src/object/spec.js';
import type { FakeKernelOptions } from '../../runtime/src/testing/index.js';
import {
  BPF_ATTACH_TYPE,
  BPF_F_SLEEPABLE,
  BPF_F_XDP_HAS_FRAGS,
  BPF_PROG_TYPE,
  kernelVersion,
} from '../../runtime/src/uapi.js';
import { BtfBuilder } from './btf-builder.js';
import { testObject } from './object-editor.js';
import { type RecordedKernel, recordedKernel } from './recorded-kernel.js';

/** Opens an object of which one program loads, its section perhaps changed, and no struct_ops map. */
function only(file: string, program: string, section?: string): OpenObject {
  const parsed = parseObject(testObject(file));
  const programs = parsed.programs.map((each) =>
    each.name === program ? { ...each, sec: section ?? each.sec } : each,
  );
  const spec: ObjectSpec = { ...parsed, programs };
  const object = new OpenObject('object', spec);
  for (const each of object.progs.values()) each.autoload = each.name === program;
  for (const map of object.maps.values()) {
    if (map.spec.origin === 'struct_ops' || map.spec.slots.length > 0) map.autocreate = false;
  }
  return object;
}

/** A kernel with the types functions.o wants. */
function typedKernel(
  refuse?: Parameters<typeof recordedKernel>[1],
  options: FakeKernelOptions = {},
): RecordedKernel {
  const b = new BtfBuilder();
  const int = b.int('int', 4);
  b.struct('task_struct', 16, [
    { name: 'pid', type: int, at: 0 },
    { name: 'group_leader', type: b.ptr(0), at: 8 },
  ]);
  b.variable('bpf_prog_active', int);
  b.func('bpf_rcu_read_lock', b.prototype(0, []));
  return recordedKernel({ btf: b.bytes(), ...options }, refuse);
}

const kconfig = 'CONFIG_BPF=y\nCONFIG_HZ=250\nCONFIG_IPV6=m\nCONFIG_CC_VERSION_TEXT="cc"\n';
const asked = (recorded: RecordedKernel, object: OpenObject, options: LoadOptions = {}) => {
  const [program] = [...object.progs.values()].filter(({ autoload }) => autoload);
  load(object, recorded.kernel, { kconfig, ...options }).destroy();
  expect(recorded.fake.openFds).toEqual([]);
  return recorded.program(program?.name ?? '');
};
const loadAs = (section: string, recorded = recordedKernel()) =>
  asked(recorded, only('beside.o', 'caller', section));
const thrown = (action: () => unknown): Error => {
  try {
    action();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('nothing was thrown');
};

function helpersIn(insns: Uint8Array): number[] {
  const program = new Insns(insns, true);
  return Array.from({ length: program.count }, (_, slot) => slot)
    .filter((slot) => program.code(slot) === CALL && program.src(slot) === 0)
    .map((slot) => program.imm(slot));
}

/** Makes the feature probes that `lacks` recognises fail. */
const lacking = (lacks: (probe: ProgLoad) => boolean) => (call: string, argument: unknown) => {
  const probe = call === 'progLoad' ? (argument as ProgLoad) : undefined;
  if (probe !== undefined && probe.name === undefined && lacks(probe)) {
    throw syscallError('bpf(BPF_PROG_LOAD)', ERRNO.EINVAL);
  }
};

describe('a program is loaded', () => {
  it.each([
    ['xdp', { type: BPF_PROG_TYPE.XDP, expectedAttachType: BPF_ATTACH_TYPE.XDP, flags: 0 }],
    ['xdp.frags', { type: BPF_PROG_TYPE.XDP, flags: BPF_F_XDP_HAS_FRAGS }],
    ['syscall', { type: BPF_PROG_TYPE.SYSCALL, flags: BPF_F_SLEEPABLE }],
    ['cgroup/dev', { expectedAttachType: BPF_ATTACH_TYPE.CGROUP_DEVICE }],
    ['cgroup/bind4', { expectedAttachType: BPF_ATTACH_TYPE.CGROUP_INET4_BIND }],
  ] as const)('of SEC("%s") with what that means', (section, expected) => {
    expect(loadAs(section)).toMatchObject(expected);
  });

  it.each([
    ['cgroup/dev', undefined],
    ['cgroup/bind4', BPF_ATTACH_TYPE.CGROUP_INET4_BIND],
  ])('of SEC("%s") with expected attach type %s on a kernel before 4.17', (section, type) => {
    const old = recordedKernel(
      { version: '4.16' },
      lacking((probe) => probe.type === BPF_PROG_TYPE.CGROUP_SOCK),
    );
    expect(loadAs(section, old).expectedAttachType).toBe(type);
  });

  it.each([
    ['usdt', '6.12', BPF_ATTACH_TYPE.TRACE_UPROBE_MULTI],
    ['usdt.s/libc:setjmp', '6.12', BPF_ATTACH_TYPE.TRACE_UPROBE_MULTI],
    ['usdt', '6.5', undefined],
    ['uprobe', '6.12', undefined],
  ] as const)('of SEC("%s") on Linux %s with expected attach type %s', (section, version, type) => {
    const recorded = recordedKernel({ version });
    using live = load(only('beside.o', 'caller', section), recorded.kernel, { kconfig });
    expect(recorded.program('caller').expectedAttachType).toBe(type);
    expect(live.progs.get('caller')).toBeDefined();
  });

  it('with the version of the kernel, unless the object states one', () => {
    expect(loadAs('kprobe').kernelVersion).toBe(kernelVersion(6, 12, 0));
    const old = recordedKernel({ version: '6.1' });
    expect(asked(old, only('maps.o', 'entry')).kernelVersion).toBe(kernelVersion(6, 12, 0));
  });

  it('with one func_info a function, and lines in order', () => {
    const { funcInfo, lineInfo, insns } = loadAs('tc');
    const starts = (info: ProgLoad['funcInfo']) => {
      const { recordSize, bytes } = info ?? { recordSize: 1, bytes: new Uint8Array() };
      const view = new DataView(bytes.buffer);
      const count = bytes.length / recordSize;
      return Array.from({ length: count }, (_, i) => view.getUint32(i * recordSize, true));
    };
    // caller, called, beside, apart
    expect(starts(funcInfo)).toHaveLength(4);
    for (const at of [starts(funcInfo), starts(lineInfo)]) {
      expect(at[0]).toBe(0);
      expect(at).toEqual([...at].sort((a, b) => a - b));
      expect(at.at(-1)).toBeLessThan(insns.length / 8);
    }
  });

  it('without BTF where the kernel knows none of functions', () => {
    const old = recordedKernel({ version: '4.20' }, (call, argument) => {
      if (call !== 'btfLoad') return;
      const blob = argument as Uint8Array;
      const view = new DataView(blob.buffer, blob.byteOffset);
      // The probe: an int, FUNC_PROTO (13) of one parameter, FUNC (12).
      const isProbe = blob.length < 150 && view.getUint32(24 + 20, true) === ((13 << 24) | 1);
      if (isProbe) throw syscallError('bpf(BPF_BTF_LOAD)', ERRNO.EINVAL);
    });
    const request = loadAs('tc', old);
    expect([request.btfFd, request.funcInfo, request.lineInfo]).toEqual([undefined, undefined, undefined]);
  });

  it('without BTF when the kernel refuses the object’s, of which it warns', () => {
    const warnings: string[] = [];
    const recorded = recordedKernel();
    recorded.fake.failing('btfLoad', 'EINVAL');
    const request = asked(recorded, only('maps.o', 'entry'), {
      onWarning: (sentence) => warnings.push(sentence),
    });
    expect(request).not.toHaveProperty('btfFd');
    expect(recorded.map('typed')).not.toHaveProperty('btfFd');
    expect(warnings).toEqual([
      'the object goes without its BTF, so maps have no types and programs no line numbers: bpf(BPF_BTF_LOAD): invalid argument (EINVAL)',
    ]);
  });

  it('and keeps .rodata, where the kernel can bind it', () => {
    const recorded = recordedKernel();
    asked(recorded, only('maps.o', 'entry'));
    const bound = ['progBindMap(entry, object.rodata)', 'progBindMap(entry, .rodata.text)'];
    expect(recorded.order.filter((call) => call.startsWith('progBindMap'))).toEqual(
      expect.arrayContaining(bound.slice(0, 1)),
    );
    const old = recordedKernel();
    old.fake.failing('progBindMap', 'EINVAL');
    expect(asked(old, only('maps.o', 'entry')).name).toBe('entry');
  });
});

describe('helpers', () => {
  it.each([
    [
      'become older ones where the kernel lacks them',
      (probe: ProgLoad) => helpersIn(probe.insns).includes(113),
      4,
    ],
    ['stay what they are elsewhere', () => false, 113],
  ])('%s', (_name, lacks, helper) => {
    const called = helpersIn(
      asked(typedKernel(lacking(lacks), { version: '5.4' }), only('functions.o', 'first')).insns,
    );
    expect(called.filter((id) => id === 4 || id === 113)).toEqual([helper, helper]);
  });

  it('that nobody calls are not asked for', () => {
    const probes: number[] = [];
    const recorded = recordedKernel({}, (call, argument) => {
      if (call === 'progLoad') probes.push(...helpersIn((argument as ProgLoad).insns));
    });
    loadAs('tc', recorded);
    expect(probes).not.toContain(113);
  });
});

describe('what a program refers to', () => {
  it('becomes descriptors, and offsets of variables', () => {
    const { insns } = asked(recordedKernel(), only('maps.o', 'tail'));
    const program = new Insns(insns, true);
    const loads = Array.from({ length: program.count }, (_, slot) => slot).filter(
      (slot) => program.isLoadImm64(slot) && program.src(slot) === PseudoLoad.MAP_VALUE,
    );
    expect(loads.length).toBeGreaterThan(0);
    expect(loads.map((slot) => program.imm(slot) > 2)).not.toContain(false);
  });

  it('and was left out becomes calls that no kernel has, both halves', () => {
    const recorded = recordedKernel();
    const object = only('maps.o', 'entry');
    const typed = object.maps.get('typed');
    if (typed !== undefined) typed.autocreate = false;
    const index = object.spec.maps.findIndex(({ name }) => name === 'typed');
    const called = helpersIn(asked(recorded, object).insns);
    expect(called.filter((id) => id === 2_001_000_000 + index)).toHaveLength(2);
  });

  it('and is an absent kfunc becomes such a call', () => {
    const recorded = typedKernel();
    const object = only('functions.o', 'second');
    const index = object.spec.externs.findIndex(({ name }) => name === 'bpf_rcu_read_unlock');
    expect(helpersIn(asked(recorded, object).insns)).toContain(2_002_000_000 + index);
  });
});

describe('a program is not even submitted', () => {
  it.each([
    [
      'of an unknown section',
      'sockett',
      /SEC\("sockett"\) names no kind of program; did you mean SEC\("socket"\)/,
    ],
    [
      'that does not say what to attach to',
      'fentry',
      /SEC\("fentry"\) does not say what to attach to; write SEC\("fentry\/NAME"\)/,
    ],
    ['that replaces a function of another', 'freplace/f', /replaces a function of another program/],
    ['that no struct_ops map uses', 'struct_ops/f', /no struct_ops map that is created uses it/],
  ])('%s', (_name, section, sentence) => {
    const recorded = recordedKernel();
    expect(() => loadAs(section, recorded)).toThrow(sentence);
    expect(() => loadAs(section, recorded)).toThrow(/^load program "caller": /);
    expect([recorded.programs, recorded.fake.openFds]).toEqual([[], []]);
  });
});

describe('a refused program', () => {
  /** A verifier with `log` to tell: keeps the beginning or end of what does not fit, and says ENOSPC then. */
  const verifier = (log: string, errno: keyof typeof ERRNO, largest = Number.POSITIVE_INFINITY) => {
    const attempts: { level: number; size: number }[] = [];
    const recorded = recordedKernel({}, (call, argument) => {
      const request = argument as ProgLoad;
      if (call !== 'progLoad' || request.name !== 'caller') return;
      const buffer = request.log?.buffer;
      attempts.push({ level: request.log?.level ?? 0, size: buffer?.length ?? 0 });
      if (buffer === undefined) throw syscallError('bpf(BPF_PROG_LOAD)', ERRNO[errno]);
      if (buffer.length > largest) throw syscallError('bpf(BPF_PROG_LOAD)', ERRNO.EINVAL);
      const text = new TextEncoder().encode(log);
      buffer.set(text.subarray(0, buffer.length - 1));
      const full = text.length >= buffer.length;
      throw syscallError('bpf(BPF_PROG_LOAD)', full ? ERRNO.ENOSPC : ERRNO[errno]);
    });
    return {
      recorded,
      attempts,
      refusal: (options: LoadOptions = {}) =>
        thrown(() => load(only('beside.o', 'caller'), recorded.kernel, options)),
    };
  };

  it('is submitted again for its log, and reported with the first errno', () => {
    const { attempts, refusal } = verifier('R1 is bad\n', 'EACCES');
    const error = refusal();
    expect(error).toBeInstanceOf(VerifierError);
    expect(error).toMatchObject({ code: 'EACCES', errno: 13, log: 'R1 is bad\n', truncated: false });
    expect(attempts).toEqual([
      { level: 0, size: 0 },
      { level: 1, size: 65536 },
    ]);
    expect(error.message).not.toMatch(/permission/);
  });

  it('gets larger buffers until its log fits', () => {
    const log = `${'1: (b7) r0 = 0\n'.repeat(100_000)}R1 is bad\n`;
    const { attempts, refusal } = verifier(log, 'EINVAL');
    expect(refusal()).toMatchObject({ code: 'EINVAL', log, truncated: false });
    expect(attempts.map(({ size }) => size)).toEqual([0, 65536, 1 << 20, (16 << 20) - 1]);
  });

  it('keeps a log that the largest buffer does not hold', () => {
    const log = 'x'.repeat(17 << 20);
    const { refusal } = verifier(log, 'EACCES', (16 << 20) - 1);
    const error = refusal();
    expect(error).toMatchObject({ code: 'EACCES', truncated: true });
    expect(error).toHaveProperty('log.length', (16 << 20) - 2);
  });

  it('is submitted once more when statistics alone were asked for', () => {
    const { attempts, refusal } = verifier('R1 is bad\n', 'EACCES');
    refusal({ verifierLogLevel: 4 });
    expect(attempts.map(({ level }) => level)).toEqual([4, 5]);
  });

  it.each([1, 2, 6])('gets its log at once at level %d', (level) => {
    const { attempts, refusal } = verifier('R1 is bad\n', 'EACCES');
    expect(refusal({ verifierLogLevel: level })).toMatchObject({ code: 'EACCES' });
    expect(attempts).toEqual([{ level, size: 65536 }]);
  });

  it('without a log is explained by what this host shows', () => {
    const { recorded, refusal } = verifier('', 'EPERM');
    recorded.fake.setFile('/proc/self/status', 'CapEff:\t0000000000000000\nSeccomp:\t0\n');
    const error = refusal();
    expect(error).not.toBeInstanceOf(VerifierError);
    expect(error.message).toBe(
      'load program "caller": this process lacks CAP_BPF and CAP_NET_ADMIN (EPERM). Run as root, or give a private copy of node the capabilities: setcap cap_bpf,cap_net_admin+ep NODE',
    );
  });

  it('without a log or a reason says what the kernel said', () => {
    expect(verifier('', 'ENOMEM').refusal().message).toMatch(
      /^load program "caller": bpf\(BPF_PROG_LOAD\): .* \(ENOMEM\)$/,
    );
  });

  it('shows faults of ours as they are', () => {
    const fault = new TypeError('ours');
    const recorded = recordedKernel({}, (call, argument) => {
      if (call === 'progLoad' && (argument as ProgLoad).name === 'caller') throw fault;
    });
    expect(thrown(() => load(only('beside.o', 'caller'), recorded.kernel))).toBe(fault);
  });

  it('names the C field that this kernel lacks, and how to guard the access', () => {
    const b = new BtfBuilder();
    const int = b.int('int', 4);
    b.struct('task_struct', 4, [{ name: 'pid', type: int }]);
    b.variable('bpf_prog_active', int);
    b.func('bpf_rcu_read_lock', b.prototype(0, []));
    const recorded = recordedKernel({ btf: b.bytes() });
    const log = 'call unknown#195896080\ninvalid func unknown#195896080\n';
    recorded.fake.rejectProgram('first', log, 'EINVAL');
    const error = thrown(() => load(only('functions.o', 'first'), recorded.kernel, { kconfig }));
    expect(error.message.split('\n')[0]).toBe(
      'load program "first": verifier: CO-RE: struct task_struct.group_leader does not exist on this kernel (the kernel\'s struct task_struct has no member group_leader of a compatible type). Guard the access with bpf_core_field_exists()',
    );
  });

  it.each([
    [
      'a map that was left out',
      'maps.o',
      'entry',
      'typed',
      'it uses map typed, which was left out (autocreate is false)',
    ],
    [
      'an absent kfunc',
      'functions.o',
      'second',
      '',
      'it calls kfunc bpf_rcu_read_unlock, which this kernel does not have',
    ],
  ])('names %s', (_name, file, program, map, why) => {
    const recorded = typedKernel();
    const object = only(file, program);
    const left = object.maps.get(map);
    if (left !== undefined) left.autocreate = false;
    const number =
      left === undefined
        ? 2_002_000_000 + object.spec.externs.findIndex(({ name }) => name === 'bpf_rcu_read_unlock')
        : 2_001_000_000 + object.spec.maps.findIndex(({ name }) => name === map);
    recorded.fake.rejectProgram(program, `invalid func unknown#${number}\n`, 'EINVAL');
    const error = thrown(() => load(object, recorded.kernel, { kconfig }));
    expect(error.message).toContain(`verifier: ${why}`);
    expect(isBpfError(error) && error.hint).toBeTruthy();
  });
});

describe('the log of an accepted program', () => {
  const talking = (): { live: LiveObject } => {
    const { kernel } = recordedKernel({}, (call, argument) => {
      const request = argument as ProgLoad;
      if (call === 'progLoad') request.log?.buffer.set(new TextEncoder().encode('processed 4 insns\n'));
    });
    return { live: load(only('beside.o', 'caller'), kernel, { verifierLogLevel: 4 }) };
  };

  it('is kept when it was asked for', () => {
    using live = talking().live;
    expect(live.verifierLogs.get('caller')).toBe('processed 4 insns\n');
  });

  it('is not asked for otherwise', () => {
    expect(loadAs('tc').log).toBeUndefined();
  });
});
