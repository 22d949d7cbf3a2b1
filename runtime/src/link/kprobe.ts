import type { Fd, Kernel } from '../kernel/kernel.js';
import { PERF_TYPE_TRACEPOINT } from '../uapi.js';
import { type Attachment, attachError, cannotAttach, errnoOf, type Reason } from './attach-error.js';
import { whyNotProbed } from './kallsyms.js';
import type { Link } from './link.js';
import { attachPerfEvent, whyNoPerf } from './perf.js';
import { readText } from './text.js';
import { defineKprobe, tracefsRoot, whyNoTracefs } from './tracefs.js';

const pmu = '/sys/bus/event_source/devices/kprobe';

/** Where a kprobe goes. */
export interface Probe {
  readonly symbol: string;
  /** Bytes from the function's start. */
  readonly offset: number;
  /** Runs when the function returns. */
  readonly isReturn: boolean;
}

interface ProbeEvent {
  readonly event: Fd;
  readonly after?: () => void;
}

/**
 * Attaches a program to a kprobe: through the kprobe PMU (Linux 4.17), else through tracefs. As libbpf's
 * bpf_program__attach_kprobe_opts, which opens the event on CPU 0 though the probe fires on every CPU.
 */
export function attachKprobe(
  kernel: Kernel,
  prog: Fd,
  program: string,
  probe: Probe,
  cookie?: bigint | undefined,
): Link {
  const offset = probe.offset === 0 ? '' : `+0x${probe.offset.toString(16)}`;
  const attachment: Attachment = {
    program,
    target: `${probe.isReturn ? 'kretprobe' : 'kprobe'} ${probe.symbol}${offset}`,
  };
  const { event, after } = openProbe(kernel, attachment, probe);
  return attachPerfEvent({ ...attachment, kernel, prog, event, cookie, after });
}

function openProbe(kernel: Kernel, attachment: Attachment, probe: Probe): ProbeEvent {
  const type = readText(kernel, `${pmu}/type`)?.trim();
  try {
    if (type !== undefined) return { event: openThroughPmu(kernel, Number(type), probe) };
    return openThroughTracefs(kernel, attachment, probe);
  } catch (error) {
    throw attachError(attachment, error, whyNoProbe(kernel, error, probe));
  }
}

function openThroughPmu(kernel: Kernel, type: number, probe: Probe): Fd {
  return kernel.perfEventOpen({
    type,
    config: probe.isReturn ? 1n << returnBit(kernel) : 0n,
    target: probe.symbol,
    config2: BigInt(probe.offset),
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
  const legacy = defineKprobe(kernel, root, probe);
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
  switch (errnoOf(error)) {
    case 'EPERM':
    case 'EACCES':
      return whyNoPerf(kernel);
    case 'EILSEQ':
      return {
        why: `offset 0x${probe.offset.toString(16)} is not where an instruction of ${probe.symbol} starts`,
      };
    case 'ENOENT':
    case 'EINVAL':
    case 'EADDRNOTAVAIL':
    case 'EOPNOTSUPP':
      return whyNotProbed(kernel, probe.symbol);
    default:
      return undefined;
  }
}
