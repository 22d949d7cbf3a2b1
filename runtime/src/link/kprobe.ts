import { printable } from '../errors.js';
import type { Fd, Kernel } from '../kernel/kernel.js';
import { PERF_TYPE_TRACEPOINT } from '../uapi.js';
import { type Attachment, attachError, cannotAttach, errnoOf, type Reason } from './attach-error.js';
import type { Link } from './link.js';
import { attachPerfEvent, whyNoPerf } from './perf.js';
import { readText } from './text.js';
import { defineKprobe, tracefsRoot, whyNoTracefs } from './tracefs.js';
import { whyNotProbed } from './why-not-probed.js';

const pmu = '/sys/bus/event_source/devices/kprobe';

/** Where a kprobe goes. */
export interface Probe {
  /** A function, `module:function`, or the address of an instruction. */
  readonly at: string | bigint;
  /** Bytes from the function's start. */
  readonly offset: number;
  /** Runs when the function returns. */
  readonly isReturn: boolean;
}

interface ProbeEvent {
  readonly event: Fd;
  readonly after?: () => void;
}

/** A program to attach, and its cookie. */
export interface ProbeAttachment {
  readonly kernel: Kernel;
  readonly prog: Fd;
  /** The program's name. */
  readonly program: string;
  /** What messages call the attachment: `kprobe`, `kretprobe`, `ksyscall`. */
  readonly what: string;
  readonly cookie?: bigint | undefined;
}

/**
 * Attaches a program to a kprobe: through the kprobe PMU (Linux 4.17), else through tracefs. As libbpf's
 * bpf_program__attach_kprobe_opts, which opens the event on CPU 0 though the probe fires on every CPU.
 */
export function attachKprobe(attached: ProbeAttachment, probe: Probe): Link {
  const { kernel } = attached;
  const attachment = { program: attached.program, target: `${attached.what} ${describe(probe)}` };
  let opened: ProbeEvent;
  try {
    opened = openProbe(kernel, attachment, probe);
  } catch (error) {
    throw attachError(attachment, error, whyNoProbe(kernel, error, probe));
  }
  return attachPerfEvent({ ...attached, ...attachment, ...opened });
}

/** What the kernel says of a function that cannot be probed. */
const notHere: ReadonlySet<string | undefined> = new Set(['ENOENT', 'EINVAL', 'EADDRNOTAVAIL', 'EOPNOTSUPP']);

/** What the names of {@link attachFirstKprobe} have in common. */
export interface FirstProbe extends Omit<Probe, 'at'> {
  /** What messages call all of them: `ksyscall execve`. */
  readonly target?: string;
  /** Why there is none, when that can be said in one. */
  readonly whyNone?: () => Reason | undefined;
}

/** As {@link attachKprobe} to the first of `names` that this kernel can probe. */
export function attachFirstKprobe(
  attached: ProbeAttachment,
  names: readonly string[],
  probe: FirstProbe,
): Link {
  const { kernel, program } = attached;
  const failed: { at: string; error: unknown }[] = [];
  for (const at of names) {
    const named = { ...probe, at };
    const target = probe.target ?? `${attached.what} ${describe(named)}`;
    let opened: ProbeEvent;
    try {
      opened = openProbe(kernel, { program, target }, named);
    } catch (error) {
      if (!notHere.has(errnoOf(error))) {
        throw attachError({ program, target }, error, whyNoProbe(kernel, error, named));
      }
      failed.push({ at, error });
      continue;
    }
    return attachPerfEvent({ ...attached, target, ...opened });
  }
  const target = probe.target ?? `${attached.what} ${names.join(' or ')}`.trim();
  throw noneOf(kernel, { program, target }, failed, probe.whyNone);
}

function noneOf(
  kernel: Kernel,
  attachment: Attachment,
  failed: readonly { at: string; error: unknown }[],
  whyNone: FirstProbe['whyNone'],
): Error {
  const last = failed.at(-1);
  if (last === undefined) {
    return cannotAttach(attachment, 'ERR_BPF_ARGUMENT', { why: 'the list names no function' });
  }
  const reason = whyNone?.();
  if (reason !== undefined) return attachError(attachment, last.error, reason);
  const reasons = failed
    .slice(0, 3)
    .map(({ at, error }) => whyNotProbed(kernel, at)?.why ?? messageOf(error));
  return attachError(attachment, last.error, { why: `none of them can be probed: ${reasons.join('; ')}` });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function describe({ at, offset }: Pick<Probe, 'at' | 'offset'>): string {
  const place = typeof at === 'bigint' ? `0x${at.toString(16)}` : at;
  return offset === 0 ? place : `${place}+0x${offset.toString(16)}`;
}

function openProbe(kernel: Kernel, attachment: Attachment, probe: Probe): ProbeEvent {
  const type = readText(kernel, `${pmu}/type`)?.trim();
  return type === undefined
    ? openThroughTracefs(kernel, attachment, probe)
    : { event: openThroughPmu(kernel, Number(type), probe) };
}

function openThroughPmu(kernel: Kernel, type: number, { at, offset, isReturn }: Probe): Fd {
  return kernel.perfEventOpen({
    type,
    config: isReturn ? 1n << returnBit(kernel) : 0n,
    ...(typeof at === 'string' ? { target: at, config2: BigInt(offset) } : { config2: at + BigInt(offset) }),
    pid: -1,
    cpu: 0,
  });
}

/** The bit of `config` that makes a return probe; the kernel publishes it as `config:0`. */
function returnBit(kernel: Kernel): bigint {
  const bit = /^config:(\d+)/.exec(readText(kernel, `${pmu}/format/retprobe`) ?? '')?.[1];
  return BigInt(bit ?? 0);
}

function openThroughTracefs(kernel: Kernel, attachment: Attachment, probe: Probe): ProbeEvent {
  const root = tracefsRoot(kernel);
  if (root === undefined) {
    const reason = whyNoTracefs(kernel);
    throw cannotAttach(attachment, 'ENOENT', {
      ...reason,
      why: `this kernel has no kprobe PMU (${pmu}), and ${reason.why}`,
    });
  }
  if (kernel.readFile(`${root}/kprobe_events`) === undefined) {
    throw cannotAttach(attachment, 'ENOENT', {
      why: `this kernel has no kprobes: neither ${pmu} nor ${root}/kprobe_events exists`,
      hint: 'It needs CONFIG_KPROBE_EVENTS=y; a tracepoint, raw tracepoint or fentry program may do instead',
      unsupported: { feature: 'kprobes' },
    });
  }
  const { at, offset, isReturn } = probe;
  if (typeof at === 'bigint') {
    throw cannotAttach(attachment, 'ERR_BPF_NOT_SUPPORTED', {
      why: `a probe by address needs the kprobe PMU (Linux 4.17), which this kernel, ${printable(kernel.release)}, lacks`,
      unsupported: { feature: 'kprobes by address', since: '4.17' },
    });
  }
  const legacy = defineKprobe(kernel, root, { symbol: at, offset, isReturn });
  if (legacy === undefined) {
    throw cannotAttach(attachment, 'ENOENT', { why: `${root}/events does not show the probe it accepted` });
  }
  try {
    const event = kernel.perfEventOpen({
      type: PERF_TYPE_TRACEPOINT,
      config: legacy.id,
      pid: -1,
      cpu: 0,
    });
    return { event, after: legacy.remove };
  } catch (error) {
    legacy.remove();
    throw error;
  }
}

function whyNoProbe(kernel: Kernel, error: unknown, probe: Probe): Reason | undefined {
  const errno = errnoOf(error);
  if (errno === 'EPERM' || errno === 'EACCES') return whyNoPerf(kernel);
  if (errno === 'EILSEQ') return { why: whyMisplaced(probe) };
  if (!notHere.has(errno)) return undefined;
  return typeof probe.at === 'string'
    ? whyNotProbed(kernel, probe.at)
    : { why: `no instruction that can be probed lies at ${describe(probe)}` };
}

function whyMisplaced({ at, offset }: Probe): string {
  return typeof at === 'bigint'
    ? `${describe({ at, offset })} is not where an instruction starts`
    : `offset 0x${offset.toString(16)} is not where an instruction of ${printable(at)} starts`;
}
