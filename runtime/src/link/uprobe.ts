import { printable } from '../errors.js';
import type { Fd, Kernel } from '../kernel/kernel.js';
import { PERF_TYPE_TRACEPOINT } from '../uapi.js';
import { type Attachment, attachError, cannotAttach, errnoOf, type Reason } from './attach-error.js';
import { type Binary, facts } from './binary.js';
import type { Link } from './link.js';
import { attachPerfEvent, whyNoPerf } from './perf.js';
import { processExists } from './process-maps.js';
import { readText } from './text.js';
import { defineUprobe, tracefsRoot, whyNoTracefs } from './tracefs.js';

const pmu = '/sys/bus/event_source/devices/uprobe';
/** The counter's place is told in 32 bits of `config` (libbpf: PERF_UPROBE_REF_CTR_OFFSET_BITS). */
const REF_CTR_SHIFT = 32n;
const REF_CTR_LIMIT = 2 ** 32;

/** Where a uprobe goes. */
export interface UprobePlace {
  readonly binary: Binary;
  /** Bytes from the start of the file. */
  readonly offset: number;
  /** Runs when the function that starts there returns. */
  readonly isReturn: boolean;
  /** -1: every process. */
  readonly pid: number;
  /** Place in the file of a 16-bit counter that is above zero while somebody probes; 0 for none. */
  readonly refCtrOffset: number;
}

interface ProbeEvent {
  readonly event: Fd;
  readonly after?: () => void;
}

/**
 * Attaches a program to a place in a binary: through the uprobe PMU (Linux 4.17), else through tracefs. As libbpf's
 * bpf_program__attach_uprobe_opts.
 */
export function attachUprobe(
  kernel: Kernel,
  prog: Fd,
  attachment: Attachment,
  place: UprobePlace,
  cookie?: bigint | undefined,
): Link {
  const { event, after } = openProbe(kernel, attachment, place);
  return attachPerfEvent({ ...attachment, kernel, prog, event, cookie, after });
}

function openProbe(kernel: Kernel, attachment: Attachment, place: UprobePlace): ProbeEvent {
  const { refCtrOffset } = place;
  const impossible = refCtrOffset === 0 ? undefined : whyNoCounter(kernel, refCtrOffset);
  if (impossible !== undefined) throw cannotAttach(attachment, 'EINVAL', impossible);
  const type = readText(kernel, `${pmu}/type`)?.trim();
  try {
    if (type !== undefined) return { event: openThroughPmu(kernel, Number(type), place) };
    return openThroughTracefs(kernel, attachment, place);
  } catch (error) {
    throw attachError(attachment, error, whyNoUprobe(kernel, error, place));
  }
}

/** Whether this kernel counts those who probe (Linux 4.20; through the PMU alone, as libbpf has it). */
export function countsProbes(kernel: Kernel): boolean {
  return ['type', 'format/ref_ctr_offset'].every((file) => readText(kernel, `${pmu}/${file}`) !== undefined);
}

function whyNoCounter(kernel: Kernel, offset: number): Reason | undefined {
  if (!countsProbes(kernel)) {
    return {
      why: `this kernel cannot count who probes (a semaphore, refCtrOffset); kernels do since 4.20, and this is ${kernel.release}`,
      unsupported: { feature: 'uprobe reference counter', since: '4.20' },
    };
  }
  return offset < REF_CTR_LIMIT
    ? undefined
    : { why: `the counter at 0x${offset.toString(16)} lies beyond the 4 GiB that can be told to the kernel` };
}

function openThroughPmu(kernel: Kernel, type: number, place: UprobePlace): Fd {
  const { binary, offset, isReturn, pid, refCtrOffset } = place;
  return kernel.perfEventOpen({
    type,
    config: (isReturn ? 1n << returnBit(kernel) : 0n) | (BigInt(refCtrOffset) << REF_CTR_SHIFT),
    target: binary.path,
    config2: BigInt(offset),
    ...whose(pid),
  });
}

/** One process on every CPU, or every process: then the probe fires on every CPU though the event is on the first. */
function whose(pid: number): { pid: number; cpu: number } {
  return pid === -1 ? { pid, cpu: 0 } : { pid, cpu: -1 };
}

/** The bit of `config` that makes a return probe; the kernel publishes it as `config:0`. */
function returnBit(kernel: Kernel): bigint {
  const bit = /^config:(\d+)/.exec(readText(kernel, `${pmu}/format/retprobe`) ?? '')?.[1];
  return BigInt(bit ?? 0);
}

function openThroughTracefs(kernel: Kernel, attachment: Attachment, place: UprobePlace): ProbeEvent {
  const root = tracefsRoot(kernel);
  if (root === undefined) {
    const reason = whyNoTracefs(kernel);
    throw cannotAttach(attachment, 'ENOENT', {
      ...reason,
      why: `this kernel has no uprobe PMU (${pmu}), and ${reason.why}`,
    });
  }
  if (kernel.readFile(`${root}/uprobe_events`) === undefined) {
    throw cannotAttach(attachment, 'ENOENT', {
      why: `this kernel has no uprobes: neither ${pmu} nor ${root}/uprobe_events exists`,
      hint: 'It needs CONFIG_UPROBE_EVENTS=y',
      unsupported: { feature: 'uprobes' },
    });
  }
  const { binary, offset, isReturn } = place;
  if (/\s/.test(binary.path)) {
    throw cannotAttach(attachment, 'EINVAL', {
      why: 'this kernel takes uprobes through tracefs only, where a path cannot have spaces',
    });
  }
  const legacy = defineUprobe(kernel, root, { path: binary.path, offset, isReturn });
  if (legacy === undefined) {
    throw cannotAttach(attachment, 'ENOENT', { why: `${root}/events does not show the probe it accepted` });
  }
  try {
    const event = kernel.perfEventOpen({
      type: PERF_TYPE_TRACEPOINT,
      config: legacy.id,
      ...whose(place.pid),
    });
    return { event, after: legacy.remove };
  } catch (error) {
    legacy.remove();
    throw error;
  }
}

/** Why the kernel refuses a probe of a binary that is there. */
export function whyNoUprobe(
  kernel: Kernel,
  error: unknown,
  { binary, offset, pid }: Pick<UprobePlace, 'binary' | 'offset' | 'pid'>,
): Reason | undefined {
  const place = `0x${offset.toString(16)}`;
  const size = facts(kernel, binary.path)?.size;
  switch (errnoOf(error)) {
    case 'EPERM':
    case 'EACCES':
      return whyNoPerf(kernel);
    case 'ESRCH':
      return processExists(kernel, pid) === false ? { why: `there is no process ${pid}` } : undefined;
    case 'ENOENT':
      return size === undefined ? { why: `there is no ${printable(binary.shown)}` } : undefined;
    case 'EINVAL':
      if (size === undefined || offset < size) return undefined;
      return { why: `offset ${place} lies beyond the ${size} bytes of ${printable(binary.shown)}` };
    case 'EIO':
      return { why: `the file system of ${printable(binary.shown)} does not let code be probed` };
    case 'ENOTSUPP':
    case 'EOPNOTSUPP':
    case 'ENOEXEC':
      return {
        why: `what stands at ${place} of ${printable(binary.shown)} is no instruction that can be probed`,
      };
    default:
      return undefined;
  }
}
