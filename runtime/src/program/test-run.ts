import { printable } from '../errors.js';
import type { Kernel, TestRun, TestRunResult } from '../kernel/kernel.js';
import { errnoOf, type Reason, refusal } from '../link/attach-error.js';
import { whyRefused } from '../link/privilege.js';
import { BPF_PROG_TYPE, kernelVersion } from '../uapi.js';

/** What every run of a program in the kernel, without attaching it, says of it. */
export interface RunResult {
  /** What the program returned, as C's `int`. */
  readonly returnValue: number;
  /** Nanoseconds that one run took, the average of a repeated one. */
  readonly duration: number;
}

/** A program that is to be run. */
export interface Runnable {
  readonly kernel: Kernel;
  readonly name: string;
  readonly section: string;
  readonly fd: number;
}

/** Kinds the kernel runs on given data (`test_run` of struct bpf_prog_ops), with the first that did. */
const since: readonly (readonly [name: keyof typeof BPF_PROG_TYPE, major: number, minor: number])[] = [
  ['XDP', 4, 12],
  ['SCHED_CLS', 4, 12],
  ['SCHED_ACT', 4, 12],
  ['SOCKET_FILTER', 4, 12],
  ['CGROUP_SKB', 4, 12],
  ['LWT_IN', 4, 12],
  ['LWT_OUT', 4, 12],
  ['LWT_XMIT', 4, 12],
  ['LWT_SEG6LOCAL', 4, 18],
  ['FLOW_DISSECTOR', 5, 0],
  ['RAW_TRACEPOINT', 5, 10],
  ['SK_LOOKUP', 5, 13],
  ['SYSCALL', 5, 14],
  ['NETFILTER', 6, 4],
];

/**
 * BPF_PROG_TEST_RUN, with what the kernel's errno means where it was checked. `explain` knows what the kind adds.
 * @throws NotSupportedError when the kernel does not run programs of this kind, BpfError
 */
export function testRun(
  program: Runnable,
  run: TestRun,
  explain?: (errno: string) => Reason | undefined,
): TestRunResult {
  try {
    return program.kernel.progTestRun(program.fd, run);
  } catch (error) {
    const errno = errnoOf(error);
    const reason = errno === undefined ? undefined : (explain?.(errno) ?? whyNot(program, run, errno));
    throw refusal(`run "${printable(program.name)}"`, error, reason);
  }
}

function whyNot({ kernel, section, fd }: Runnable, run: TestRun, errno: string): Reason | undefined {
  switch (errno) {
    case 'ENOTSUPP':
    case 'EOPNOTSUPP':
      return notOfThisKind(kernel, section, kernel.progInfo(fd).type);
    case 'EPERM':
      return whyRefused(kernel, ['CAP_BPF', 'CAP_NET_ADMIN']);
    case 'ENOSPC':
      return {
        why: `the program left more data than the ${run.dataOutSize ?? 'bytes'} there is room for`,
        hint: 'Give more in dataOutSize',
      };
    default:
      return undefined;
  }
}

function notOfThisKind(kernel: Kernel, section: string, type: number): Reason {
  const runs = (name: keyof typeof BPF_PROG_TYPE) => BPF_PROG_TYPE[name] === type;
  const later = since.find(([name]) => runs(name));
  const feature = `test run of SEC("${printable(section)}")`;
  if (later !== undefined && kernel.version < kernelVersion(later[1], later[2])) {
    const version = `${later[1]}.${later[2]}`;
    return {
      why: `the kernel runs programs of SEC("${printable(section)}") on given data since Linux ${version}, this is ${printable(kernel.release)}`,
      unsupported: { feature, since: version },
    };
  }
  const names = since
    .filter(([, major, minor]) => kernel.version >= kernelVersion(major, minor))
    .map(([name]) => name);
  return {
    why: `the kernel runs no programs of SEC("${printable(section)}") on given data`,
    hint: `It does those of the types ${names.join(', ')}, and fentry, fexit and fmod_ret of its own test functions`,
    unsupported: { feature },
  };
}
