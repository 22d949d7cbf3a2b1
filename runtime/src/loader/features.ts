// What kernels may or may not have, as values: a name, the first kernel that has it, and a way to find out. The probes
// do what libbpf's features.c does, so that the same objects load the same way.

import { isBpfError } from '../errors.js';
import { CALL, EXIT, encodeInsns, type Insn, InsnClass, LD_IMM64, PseudoCall, PseudoLoad } from '../insn.js';
import type { Fd, Kernel, LinkCreate, MapCreate, ProgLoad } from '../kernel/kernel.js';
import { symbolAddresses } from '../link/kallsyms.js';
import { wrapperOf } from '../link/ksyscall.js';
import { BPF_ATTACH_TYPE, BPF_F_MMAPABLE, BPF_MAP_TYPE, BPF_PROG_TYPE, kernelVersion } from '../uapi.js';
import { btfBlob, intType, Kind, typeInfo } from './tiny-btf.js';

const EBADF = 9;
const EINVAL = 22;

/** Something that a kernel may have. */
export interface Feature {
  /** What messages call it. */
  readonly name: string;
  /** The first mainline kernel that has it, `6.6`; undefined when that is another one on each architecture. */
  readonly since: string | undefined;
  /** Asks the kernel; true when it is there. Leaves nothing behind. */
  readonly probe: (kernel: Kernel) => boolean;
}

export function feature(
  name: string,
  since: string | undefined,
  probe: (kernel: Kernel) => boolean,
): Feature {
  return { name, since, probe };
}

const answers = new WeakMap<Kernel, Map<Feature, boolean>>();

/**
 * Does this kernel have it? Those since the first with it do. Earlier ones are asked, once: distributions bring features
 * to old kernels. One that refuses the question for another reason, such as missing privileges, counts as one without,
 * as with libbpf, which asks every kernel; a first load gets by with five system calls less.
 */
export function supports(wanted: Feature, kernel: Kernel): boolean {
  let known = answers.get(kernel);
  if (known === undefined) {
    known = new Map();
    answers.set(kernel, known);
  }
  let answer = known.get(wanted);
  if (answer === undefined) {
    answer = isSince(wanted.since, kernel) || wanted.probe(kernel);
    known.set(wanted, answer);
  }
  return answer;
}

function isSince(since: string | undefined, kernel: Kernel): boolean {
  const [major = 0, minor = 0] = since?.split('.').map(Number) ?? [];
  return since !== undefined && kernel.version >= kernelVersion(major, minor);
}

/** The descriptor that `make` gives, closed after `use` saw it; undefined when the kernel refused. */
function trying<T>(kernel: Kernel, make: () => Fd, use: (fd: Fd) => T): T | undefined {
  let fd: Fd;
  try {
    fd = make();
  } catch (error) {
    // That it refuses is the answer.
    if (isBpfError(error)) return undefined;
    throw error;
  }
  try {
    return use(fd);
  } finally {
    kernel.close(fd);
  }
}

const made = () => true;

function takesMap(kernel: Kernel, map: MapCreate): boolean {
  return trying(kernel, () => kernel.mapCreate(map), made) ?? false;
}

const returnZero: readonly Insn[] = [{ code: InsnClass.ALU64 | 0xb0 }, { code: EXIT }];

function program(kernel: Kernel, insns: readonly Insn[], more: Partial<ProgLoad> = {}): ProgLoad {
  return {
    type: BPF_PROG_TYPE.SOCKET_FILTER,
    license: 'GPL',
    insns: encodeInsns(insns, kernel.littleEndian),
    ...more,
  };
}

function takesProgram(kernel: Kernel, insns: readonly Insn[], more?: Partial<ProgLoad>): boolean {
  return trying(kernel, () => kernel.progLoad(program(kernel, insns, more)), made) ?? false;
}

function takesBtf(types: readonly number[], strings: string): (kernel: Kernel) => boolean {
  return (kernel) => trying(kernel, () => kernel.btfLoad(probeBtf(kernel, types, strings)), made) ?? false;
}

function probeBtf(kernel: Kernel, types: readonly number[], strings: string): Uint8Array {
  return btfBlob(types, new TextEncoder().encode(strings), kernel.littleEndian);
}

export const progName = feature('names of programs', '4.15', (kernel) =>
  takesProgram(kernel, returnZero, { name: 'bpfskel_probe' }),
);

export const globalData = feature('global variables', '5.2', (kernel) => {
  const map = { type: BPF_MAP_TYPE.ARRAY, keySize: 4, valueSize: 32, maxEntries: 1 };
  const store = (fd: Fd): readonly Insn[] => [
    { code: LD_IMM64, dst: 1, src: PseudoLoad.MAP_VALUE, imm: fd },
    { code: 0, imm: 16 },
    { code: InsnClass.ST | 0x78, dst: 1, imm: 42 },
    ...returnZero,
  ];
  return (
    trying(
      kernel,
      () => kernel.mapCreate(map),
      (fd) => takesProgram(kernel, store(fd)),
    ) ?? false
  );
});

export const arrayMmap = feature('arrays shared by mmap', '5.5', (kernel) =>
  takesMap(kernel, {
    type: BPF_MAP_TYPE.ARRAY,
    keySize: 4,
    valueSize: 4,
    maxEntries: 1,
    flags: BPF_F_MMAPABLE,
  }),
);

export const expectedAttachType = feature('expected attach type of programs', '4.17', (kernel) =>
  takesProgram(kernel, returnZero, {
    type: BPF_PROG_TYPE.CGROUP_SOCK,
    expectedAttachType: BPF_ATTACH_TYPE.CGROUP_INET_SOCK_CREATE,
  }),
);

export const probeReadKernel = feature('bpf_probe_read_kernel', '5.5', (kernel) =>
  takesProgram(
    kernel,
    [
      { code: InsnClass.ALU64 | 0xbf, dst: 1, src: 10 },
      { code: InsnClass.ALU64 | 0x07, dst: 1, imm: -8 },
      { code: InsnClass.ALU64 | 0xb0, dst: 2, imm: 8 },
      { code: InsnClass.ALU64 | 0xb0, dst: 3 },
      { code: CALL, imm: 113 },
      { code: EXIT },
    ],
    { type: BPF_PROG_TYPE.TRACEPOINT },
  ),
);

export const memcgAccounting = feature('memory charged to cgroups', '5.11', (kernel) =>
  // It came with the helper bpf_ktime_get_coarse_ns.
  takesProgram(kernel, [{ code: CALL, imm: 160 }, { code: EXIT }]),
);

export const perfLink = feature('links of perf events', '5.15', (kernel) => {
  const attachType = BPF_ATTACH_TYPE.PERF_EVENT;
  const probe = program(kernel, returnZero, { type: BPF_PROG_TYPE.TRACEPOINT });
  return (
    trying(
      kernel,
      () => kernel.progLoad(probe),
      // A kernel that knows such links finds the event missing (EBADF), another one the request wrong (EINVAL).
      (prog) => linkErrno(kernel, { prog, attachType, target: { fd: -1 } }) === EBADF,
    ) ?? false
  );
});

/** What the kernel refuses a link with; undefined when it makes it, which is then undone. */
function linkErrno(kernel: Kernel, link: LinkCreate): number | undefined {
  try {
    kernel.close(kernel.linkCreate(link));
  } catch (error) {
    if (isBpfError(error)) return error.errno;
    throw error;
  }
  return undefined;
}

/**
 * Since a fix of 6.10, which stable kernels got too, a link of one process means the process and not its thread; libbpf
 * does without such links before (probe_uprobe_multi_link). A kernel with the fix finds a negative process wrong first
 * (EINVAL), and that "/" is no file afterwards (EBADF). Linux 6.6 has them without the fix.
 */
export const uprobeMultiLink = feature('links of many uprobes', '6.10', (kernel) => {
  const attachType = BPF_ATTACH_TYPE.TRACE_UPROBE_MULTI;
  const probe = program(kernel, returnZero, {
    type: BPF_PROG_TYPE.KPROBE,
    expectedAttachType: attachType,
  });
  const refusal = (prog: Fd, pid?: number) =>
    linkErrno(kernel, {
      prog,
      attachType,
      target: { fd: -1 },
      options: { kind: 'uprobe_multi', path: '/', offsets: [0n], pid },
    });
  return (
    trying(
      kernel,
      () => kernel.progLoad(probe),
      (prog) => refusal(prog) === EBADF && refusal(prog, -1) === EINVAL,
    ) ?? false
  );
});

/** System calls take their arguments in one struct pt_regs: `__x64_sys_bpf` instead of `sys_bpf`. */
export const syscallWrapper = feature('wrapped system calls', undefined, (kernel) => {
  const name = wrapperOf(kernel, 'bpf');
  return symbolAddresses(kernel, new Set([name])).has(name);
});

export const bpfCookie = feature('cookies of links', '5.15', (kernel) =>
  takesProgram(kernel, [{ code: CALL, imm: 174 }, { code: EXIT }], { type: BPF_PROG_TYPE.TRACEPOINT }),
);

const SIGNED = 1;
const GLOBAL = 1;
const anInt = intType(0, 4, SIGNED);
const aFunction = (linkage: number) => [
  ...intType(1, 4, SIGNED),
  ...[0, typeInfo(Kind.FUNC_PROTO, 1), 0, 7, 1],
  ...[5, typeInfo(Kind.FUNC, linkage), 2],
];
const aSection = [...anInt, ...[1, typeInfo(Kind.VAR), 1, 0], ...[3, typeInfo(Kind.DATASEC, 1), 4, 2, 0, 4]];

export const btf = feature('BTF', '4.18', takesBtf(intType(1, 4, SIGNED), '\0int\0'));
export const btfFunc = feature('BTF of functions', '5.0', takesBtf(aFunction(0), '\0int\0x\0a\0'));
export const btfFuncGlobal = feature(
  'BTF of global functions',
  '5.6',
  takesBtf(aFunction(GLOBAL), '\0int\0x\0a\0'),
);
export const btfDatasec = feature('BTF of global variables', '5.2', takesBtf(aSection, '\0x\0.data\0'));
export const btfQuestionMark = feature(
  'BTF of sections whose name begins with "?"',
  '6.9',
  takesBtf(aSection, '\0x\0?.data\0'),
);
export const btfFloat = feature(
  'BTF of floating point types',
  '5.13',
  takesBtf([1, typeInfo(Kind.FLOAT), 4], '\0float\0'),
);
export const btfDeclTag = feature(
  'BTF of declaration tags',
  '5.16',
  takesBtf(
    [...anInt, ...[1, typeInfo(Kind.VAR), 1, 0], ...[1, typeInfo(Kind.DECL_TAG), 2, 0xffffffff]],
    '\0tag\0',
  ),
);
export const btfTypeTag = feature(
  'BTF of type tags',
  '5.17',
  takesBtf([...anInt, ...[1, typeInfo(Kind.TYPE_TAG), 1], ...[0, typeInfo(Kind.PTR), 2]], '\0tag\0'),
);
export const btfEnum64 = feature(
  'BTF of 64-bit enums',
  '6.0',
  takesBtf([1, typeInfo(Kind.ENUM64), 8], '\0enum64\0'),
);

export const argContextTag = feature('arguments tagged as context', '6.8', (kernel) => {
  const types = [
    ...intType(1, 4, SIGNED),
    ...[0, typeInfo(Kind.PTR), 0],
    ...[0, typeInfo(Kind.FUNC_PROTO, 1), 1, 1, 2],
    ...[1, typeInfo(Kind.FUNC, GLOBAL), 3],
    ...[0, typeInfo(Kind.FUNC_PROTO, 1), 1, 3, 2],
    ...[3, typeInfo(Kind.FUNC, GLOBAL), 5],
    ...[5, typeInfo(Kind.DECL_TAG), 6, 0],
  ];
  // The subprogram calls bpf_get_func_ip, which takes nothing but the context.
  const insns = [
    { code: CALL, src: PseudoCall.SUBPROGRAM, imm: 1 },
    { code: EXIT },
    { code: CALL, imm: 173 },
    { code: EXIT },
  ];
  const functions = new Uint8Array(16);
  [0, 4, 2, 6].forEach((word, i) => {
    new DataView(functions.buffer).setUint32(i * 4, word, kernel.littleEndian);
  });
  const load = (btfFd: Fd) =>
    takesProgram(kernel, insns, {
      type: BPF_PROG_TYPE.KPROBE,
      name: 'det_arg_ctx',
      btfFd,
      funcInfo: { recordSize: 8, bytes: functions },
    });
  return trying(kernel, () => kernel.btfLoad(probeBtf(kernel, types, '\0a\0b\0arg:ctx\0')), load) ?? false;
});

/** Every feature there is a probe for, oldest first. */
export const features: readonly Feature[] = [
  progName,
  expectedAttachType,
  btf,
  btfFunc,
  globalData,
  btfDatasec,
  arrayMmap,
  probeReadKernel,
  btfFuncGlobal,
  memcgAccounting,
  btfFloat,
  perfLink,
  bpfCookie,
  btfDeclTag,
  btfTypeTag,
  btfEnum64,
  uprobeMultiLink,
  argContextTag,
  btfQuestionMark,
];
