import { BpfError, printable } from '../errors.js';

/** Where an argument of a USDT probe is, as `struct __bpf_usdt_arg_spec` of bpf/usdt.bpf.h says it. */
export interface UsdtArgument {
  /** `element` (BPF_USDT_ARG_SIB) is read by programs compiled with libbpf 1.7 or newer. */
  readonly kind: 'constant' | 'register' | 'memory' | 'element';
  /** The constant, or what is added to the address. */
  readonly value: bigint;
  /** Places in struct pt_regs, bytes. */
  readonly register: number;
  readonly index: number;
  /** What the index register counts, as a power of two. */
  readonly scaleShift: number;
  /** Bytes: 1, 2, 4 or 8. */
  readonly size: number;
  readonly signed: boolean;
}

/** BPF_USDT_MAX_ARG_CNT. */
export const MOST_USDT_ARGUMENTS = 12;

const x64 = offsets([
  ['r15', 'r15d', 'r15w', 'r15b'],
  ['r14', 'r14d', 'r14w', 'r14b'],
  ['r13', 'r13d', 'r13w', 'r13b'],
  ['r12', 'r12d', 'r12w', 'r12b'],
  ['rbp', 'ebp', 'bp', 'bpl'],
  ['rbx', 'ebx', 'bx', 'bl'],
  ['r11', 'r11d', 'r11w', 'r11b'],
  ['r10', 'r10d', 'r10w', 'r10b'],
  ['r9', 'r9d', 'r9w', 'r9b'],
  ['r8', 'r8d', 'r8w', 'r8b'],
  ['rax', 'eax', 'ax', 'al'],
  ['rcx', 'ecx', 'cx', 'cl'],
  ['rdx', 'edx', 'dx', 'dl'],
  ['rsi', 'esi', 'si', 'sil'],
  ['rdi', 'edi', 'di', 'dil'],
  [], // orig_rax
  ['rip', 'eip'],
  [], // cs
  [], // eflags
  ['rsp', 'esp', 'sp', 'spl'],
]);

/** Compilers write `x0`; some write `w0` for what is 32 bits wide, which is the lower half. */
const arm64 = offsets([...Array.from({ length: 31 }, (_, index) => [`x${index}`, `w${index}`]), ['sp']]);

const riscv64 = offsets(
  'pc ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6'
    .split(' ')
    .map((name) => [name]),
);

/** Names of registers in the order of struct pt_regs, 8 bytes each. */
function offsets(registers: readonly (readonly string[])[]): Map<string, number> {
  return new Map(registers.flatMap((names, index) => names.map((name) => [name, index * 8] as const)));
}

/** One way to write an argument after its `SIZE@`, and what it means. */
interface Form {
  readonly pattern: RegExp;
  readonly kind: UsdtArgument['kind'];
}

interface Dialect {
  readonly registers: ReadonlyMap<string, number>;
  readonly forms: readonly Form[];
}

const dialects: Readonly<Record<string, Dialect>> = {
  x64: {
    registers: x64,
    forms: [
      // -96(%rbp,%rax,8), (%rbp,%rax)
      {
        kind: 'element',
        pattern:
          /(?<value>[+-]?\d{1,20})?\s*\(\s*%(?<register>\w+)\s*,\s*%(?<index>\w+)\s*(?:,\s*(?<scale>\d{1,20})\s*)?\)/y,
      },
      // -20(%rbp), (%rsp)
      { kind: 'memory', pattern: /(?<value>[+-]?\d{1,20})?\s*\(\s*%(?<register>\w+)\s*\)/y },
      { kind: 'register', pattern: /%(?<register>\w+)/y },
      { kind: 'constant', pattern: /\$(?<value>[+-]?\d{1,20})/y },
    ],
  },
  arm64: {
    registers: arm64,
    forms: [
      // [sp, 96], [x0]
      { kind: 'memory', pattern: /\[\s*(?<register>[a-z]\w*)\s*(?:,\s*(?<value>[+-]?\d{1,20})\s*)?\]/y },
      { kind: 'constant', pattern: /(?<value>[+-]?\d{1,20})/y },
      { kind: 'register', pattern: /(?<register>[a-z]\w*)/y },
    ],
  },
  riscv64: {
    registers: riscv64,
    forms: [
      // -88(s0)
      { kind: 'memory', pattern: /(?<value>[+-]?\d{1,20})\s*\(\s*(?<register>[a-z]\w*)\s*\)/y },
      { kind: 'constant', pattern: /(?<value>[+-]?\d{1,20})/y },
      { kind: 'register', pattern: /(?<register>[a-z]\w*)/y },
    ],
  },
};

/**
 * Reads the arguments of a note, `-4@%eax 8@16(%rsp)`, as libbpf's parse_usdt_arg does on x86-64, arm64 and riscv64. A
 * negative size means signed. Throws a BpfError that names the argument it cannot read.
 */
export function parseUsdtArguments(text: string, arch: string): readonly UsdtArgument[] {
  const dialect = dialects[arch];
  if (dialect === undefined) {
    throw new BpfError('ERR_BPF_NOT_SUPPORTED', `arguments of USDT probes cannot be read on ${arch}`);
  }
  const { length } = text.trimEnd();
  const found: UsdtArgument[] = [];
  for (let at = 0; at < length; ) {
    head.lastIndex = at;
    const size = head.exec(text)?.[1];
    const read = size === undefined ? undefined : readForm(dialect, text, head.lastIndex);
    const written = text.slice(at, read?.end ?? at + 60).trim();
    const number = found.length + 1;
    if (size === undefined || read === undefined) throw cannotRead(number, written);
    if (number > MOST_USDT_ARGUMENTS) {
      throw new BpfError('E2BIG', `it has more than ${MOST_USDT_ARGUMENTS} arguments`);
    }
    const bytes = Math.abs(Number(size));
    if (![1, 2, 4, 8].includes(bytes)) throw cannotRead(number, written);
    found.push({
      ...argumentOf(dialect, read, number, written),
      size: bytes,
      signed: size.startsWith('-'),
    });
    at = read.end;
  }
  return found;
}

/** `-4@`: a negative size is that of a signed number. */
const head = /\s*([+-]?\d{1,3})\s*@\s*/y;

interface ReadForm {
  readonly kind: UsdtArgument['kind'];
  readonly groups: Readonly<Record<string, string | undefined>>;
  readonly end: number;
}

/** The first form that fits up to a space or the end. */
function readForm({ forms }: Dialect, text: string, at: number): ReadForm | undefined {
  for (const { pattern, kind } of forms) {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found === null) continue;
    const end = at + found[0].length;
    if (end === text.length || /\s/.test(text.charAt(end))) return { kind, groups: found.groups ?? {}, end };
  }
  return undefined;
}

function argumentOf(
  { registers }: Dialect,
  { kind, groups }: ReadForm,
  number: number,
  text: string,
): Omit<UsdtArgument, 'size' | 'signed'> {
  const place = (name: string | undefined): number => {
    const offset = name === undefined ? 0 : registers.get(name);
    if (offset === undefined) throw cannotRead(number, text);
    return offset;
  };
  const { value = '0', register, index, scale = '1' } = groups;
  const scaleShift = ['1', '2', '4', '8'].indexOf(scale);
  if (scaleShift < 0) throw cannotRead(number, text);
  return {
    kind,
    value: BigInt(value.replace('+', '')),
    register: place(register),
    index: place(index),
    scaleShift,
  };
}

function cannotRead(number: number, text: string): BpfError {
  return new BpfError(
    'EINVAL',
    `its argument ${number}, "${printable(text)}", cannot be read by BPF programs`,
  );
}

/** `struct __bpf_usdt_spec`, bytes. */
export const USDT_SPEC_SIZE = 208;
const ARGUMENT_SIZE = 16;
const COOKIE_AT = MOST_USDT_ARGUMENTS * ARGUMENT_SIZE;
const kinds = { constant: 0, register: 1, memory: 2, element: 3 } as const;

/** The bytes of `struct __bpf_usdt_spec`, which bpf/usdt.bpf.h reads at every run; all versions of it agree on them. */
export function encodeUsdtSpec(
  args: readonly UsdtArgument[],
  cookie: bigint,
  littleEndian: boolean,
): Uint8Array {
  const bytes = new Uint8Array(USDT_SPEC_SIZE);
  const view = new DataView(bytes.buffer);
  for (const [number, argument] of args.entries()) {
    const at = number * ARGUMENT_SIZE;
    const { kind, value, register, index, scaleShift, size, signed } = argument;
    view.setBigUint64(at, BigInt.asUintN(64, value), littleEndian);
    // Bit fields: 8 bits of kind, 12 of index register, 4 of scale, 8 unused; from the other end in big-endian.
    const word = littleEndian
      ? kinds[kind] | (index << 8) | (scaleShift << 20)
      : kinds[kind] | (scaleShift << 8) | (index << 12);
    view.setUint32(at + 8, word, littleEndian);
    view.setInt16(at + 12, register, littleEndian);
    view.setUint8(at + 14, signed ? 1 : 0);
    view.setUint8(at + 15, 64 - size * 8);
  }
  view.setBigUint64(COOKIE_AT, BigInt.asUintN(64, cookie), littleEndian);
  view.setUint16(COOKIE_AT + 8, args.length, littleEndian);
  return bytes;
}
