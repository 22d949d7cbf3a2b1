import { printable } from '../errors.js';
import type { Fd, Kernel, KprobeMulti } from '../kernel/kernel.js';
import { BPF_ATTACH_TYPE, BPF_F_KPROBE_MULTI_RETURN, kernelVersion } from '../uapi.js';
import { type Attachment, attachError, cannotAttach, errnoOf, type Reason } from './attach-error.js';
import { isTraceable, traceableFunctions } from './ftrace.js';
import { isGlob } from './glob.js';
import { Link } from './link.js';
import { whyRefused } from './privilege.js';
import { tracefsRoot, whyNoTracefs } from './tracefs.js';
import { whyNotProbed } from './why-not-probed.js';

/** Which functions: all that match a glob, those of a list of names, those at a list of addresses. */
export type FunctionChoice = string | readonly string[] | readonly bigint[];

/** One program on many functions at once. */
export interface MultiProbe {
  /** `kprobe.multi`, `kretprobe.multi`, `kprobe.session`: for messages. */
  readonly what: string;
  /** `enum bpf_attach_type`. */
  readonly attachType: number;
  readonly functions: FunctionChoice;
  /** Runs when the functions return. */
  readonly isReturn: boolean;
  /** One for each name or address of a list. */
  readonly cookies?: readonly bigint[] | undefined;
  /** Refuses a name or pattern that several functions match. */
  readonly uniqueMatch?: boolean | undefined;
}

/**
 * Attaches a program to many functions by one link (Linux 5.18; sessions 6.10), as libbpf's
 * bpf_program__attach_kprobe_multi_opts: a glob is resolved to addresses here, names and addresses go to the kernel as
 * they are.
 */
export function attachKprobeMulti(kernel: Kernel, prog: Fd, program: string, probe: MultiProbe): Link {
  const { what, functions, isReturn, attachType, cookies } = probe;
  const attachment = { program, target: `${what} ${describe(functions)}`.trim() };
  check(attachment, probe);
  if (typeof functions === 'string' && isGlob(functions)) askForNone(kernel, prog, attachment, probe);
  const chosen = resolve(kernel, attachment, probe);
  const options: KprobeMulti = {
    kind: 'kprobe_multi',
    functions: chosen,
    ...(cookies === undefined ? {} : { cookies: BigUint64Array.from(cookies) }),
    flags: isReturn ? BPF_F_KPROBE_MULTI_RETURN : 0,
  };
  try {
    const fd = kernel.linkCreate({ prog, attachType, options });
    const target = `${attachment.target}${found(functions, chosen)}`;
    return new Link({ kernel, program, target, fd, release: () => kernel.close(fd) });
  } catch (error) {
    throw attachError(attachment, error, whyNotLinked(kernel, error, probe, chosen));
  }
}

function check(attachment: Attachment, { functions, cookies, uniqueMatch = false }: MultiProbe): void {
  const why = misused(functions, cookies, uniqueMatch);
  if (why !== undefined) throw cannotAttach(attachment, 'ERR_BPF_ARGUMENT', { why });
}

function misused(
  functions: FunctionChoice,
  cookies: readonly bigint[] | undefined,
  uniqueMatch: boolean,
): string | undefined {
  if (functions.length === 0) return 'no function is named';
  if (typeof functions === 'string') {
    return cookies === undefined ? undefined : 'cookies go with a list of functions, one for each';
  }
  if (uniqueMatch) return 'uniqueMatch is about a name or a pattern, not a list';
  if (cookies === undefined || cookies.length === functions.length) return undefined;
  return `${functions.length} functions need as many cookies, not ${cookies.length}`;
}

/** Before the long lists of functions are read: no functions at all is EINVAL to a kernel with fprobe. */
function askForNone(kernel: Kernel, prog: Fd, attachment: Attachment, probe: MultiProbe): void {
  const functions = { addresses: new BigUint64Array() };
  const options: KprobeMulti = { kind: 'kprobe_multi', functions, flags: 0 };
  try {
    kernel.close(kernel.linkCreate({ prog, attachType: probe.attachType, options }));
  } catch (error) {
    if (errnoOf(error) === 'EINVAL') return;
    throw attachError(attachment, error, whyNotLinked(kernel, error, probe, functions));
  }
}

type Chosen = KprobeMulti['functions'];

function resolve(kernel: Kernel, attachment: Attachment, probe: MultiProbe): Chosen {
  const { functions, uniqueMatch = false } = probe;
  if (typeof functions !== 'string') {
    return isNames(functions) ? { symbols: functions } : { addresses: BigUint64Array.from(functions) };
  }
  if (!isGlob(functions) && !uniqueMatch) return { symbols: [functions] };
  const matches = traceableFunctions(kernel, functions);
  if (matches === undefined) throw cannotAttach(attachment, 'ENOENT', whyNoList(kernel));
  const { names, addresses } = matches;
  if (names.length === 0) throw cannotAttach(attachment, 'ENOENT', whyNoMatch(kernel, functions));
  if (uniqueMatch && names.length > 1) {
    throw cannotAttach(attachment, 'EINVAL', {
      why: `${names.length} functions match, and only one may: ${names.slice(0, 4).map(shown).join(', ')}${names.length > 4 ? ', …' : ''}`,
    });
  }
  // Without CAP_SYSLOG the kernel shows every address as 0.
  return addresses.includes(0n) ? { symbols: [...new Set(names)] } : { addresses };
}

function isNames(functions: readonly string[] | readonly bigint[]): functions is readonly string[] {
  return typeof functions[0] === 'string';
}

function shown(name: string): string {
  return printable(name);
}

function describe(functions: FunctionChoice): string {
  if (typeof functions === 'string') return functions;
  if (functions.length > 3) return `${functions.length} functions`;
  return isNames(functions) ? functions.join(', ') : functions.map((at) => `0x${at.toString(16)}`).join(', ');
}

/** How many functions a pattern stood for. */
function found(functions: FunctionChoice, chosen: Chosen): string {
  if (typeof functions !== 'string' || !isGlob(functions)) return '';
  const count = 'symbols' in chosen ? chosen.symbols.length : chosen.addresses.length;
  return ` (${count} function${count === 1 ? '' : 's'})`;
}

function whyNoList(kernel: Kernel): Reason {
  const root = tracefsRoot(kernel);
  if (root === undefined) return whyNoTracefs(kernel);
  return {
    why: `this kernel lists no functions to match: ${root}/available_filter_functions cannot be read`,
    hint: 'It needs CONFIG_DYNAMIC_FTRACE=y; a list of names works without it',
  };
}

function whyNoMatch(kernel: Kernel, pattern: string): Reason {
  const reason = isGlob(pattern) ? undefined : whyNotProbed(kernel, pattern);
  return reason ?? { why: `no function that this kernel can trace matches ${printable(pattern)}` };
}

function whyNotLinked(kernel: Kernel, error: unknown, probe: MultiProbe, chosen: Chosen): Reason | undefined {
  switch (errnoOf(error)) {
    case 'EPERM':
    case 'EACCES':
      return whyRefused(kernel, ['CAP_BPF', 'CAP_PERFMON']);
    case 'EOPNOTSUPP':
      return {
        why: `this kernel was built without fprobe, which ${probe.what} needs (CONFIG_FPROBE)`,
        hint: insteadOf(probe),
        unsupported: { feature: probe.what, since: '5.18' },
      };
    case 'EINVAL':
      return tooOld(kernel, probe) ?? whyNotOne(kernel, chosen);
    case 'ESRCH':
    case 'ENOENT':
      return whyNotOne(kernel, chosen);
    case 'E2BIG':
      return { why: 'one link takes at most 1,048,576 functions', hint: 'Attach several times' };
    default:
      return undefined;
  }
}

function insteadOf({ isReturn, what }: MultiProbe): string {
  return what === 'kprobe.session'
    ? 'Use a kprobe and a kretprobe program, one link for each function'
    : `Use SEC("${isReturn ? 'kretprobe' : 'kprobe'}") and attach it to each function`;
}

function tooOld(kernel: Kernel, probe: MultiProbe): Reason | undefined {
  const isSession = probe.attachType === BPF_ATTACH_TYPE.TRACE_KPROBE_SESSION;
  const [since, version] = isSession ? ['6.10', kernelVersion(6, 10)] : ['5.18', kernelVersion(5, 18)];
  if (kernel.version >= version) return undefined;
  return {
    why: `${probe.what} needs Linux ${since}, this is ${printable(kernel.release)}`,
    hint: insteadOf(probe),
    unsupported: { feature: probe.what, since },
  };
}

/** The first of the named functions that cannot be probed; nothing is known of addresses. */
function whyNotOne(kernel: Kernel, chosen: Chosen): Reason | undefined {
  if ('addresses' in chosen) return undefined;
  for (const symbol of chosen.symbols) {
    // The list is quicker to search than to explain.
    const reason = isTraceable(kernel, symbol) === true ? undefined : whyNotProbed(kernel, symbol);
    if (reason !== undefined) return reason;
  }
  return undefined;
}
