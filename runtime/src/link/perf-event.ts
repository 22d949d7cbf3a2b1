import { printable } from '../errors.js';
import type { Fd, Kernel, PerfEvent } from '../kernel/kernel.js';
import { type Attachment, attachError, cannotAttach, errnoOf, type Reason } from './attach-error.js';
import type { Link } from './link.js';
import { ManyLinks } from './many-links.js';
import { attachPerfEvent, whyNoPerf } from './perf.js';
import {
  type ChosenEvent,
  chooseEvent,
  describeEvent,
  lacksCounters,
  type PerfEventChoice,
} from './perf-choice.js';
import { failAfter } from './release.js';
import { list, readText } from './text.js';

/** How often the program runs: so many times a second, or once in so many events. */
export type Sampling =
  | { readonly frequency: number; readonly period?: undefined }
  | { readonly period: number | bigint; readonly frequency?: undefined };

/** Where the event counts. */
export interface PerfEventScope {
  /** One CPU; absent: every CPU that runs now. */
  readonly cpu?: number | undefined;
  /** One process, its threads as they are now; absent: every process. */
  readonly pid?: number | undefined;
  /** With `pid`: also threads and processes that it starts later. */
  readonly inherit?: boolean | undefined;
}

/** A perf event to run a program on. */
export interface PerfEventRequest extends PerfEventScope {
  readonly kernel: Kernel;
  readonly prog: Fd;
  readonly program: string;
  readonly choice: PerfEventChoice;
  readonly frequency?: number | undefined;
  readonly period?: number | bigint | undefined;
  readonly cookie?: bigint | undefined;
}

/** One place to count: as perf_event_open(2) takes it. */
type Place = Pick<PerfEvent, 'pid' | 'cpu'>;

/**
 * Opens the event everywhere it is wanted, runs the program on each, and gives one link for all of them. libbpf leaves
 * the opening to its users and attaches to one descriptor (bpf_program__attach_perf_event_opts).
 */
export function attachToEvents(request: PerfEventRequest): Link {
  const { kernel, program, choice } = request;
  const attachment = { program, target: `perf event ${describeEvent(choice)}${describeScope(request)}` };
  const chosen = chooseEvent(kernel, choice);
  if ('why' in chosen) throw cannotAttach(attachment, 'ERR_BPF_ARGUMENT', chosen);
  const sampling = samplingOf(attachment, request);
  const links: Link[] = [];
  try {
    for (const place of placesOf(attachment, request)) {
      const link = attachOne(request, attachment, { ...chosen, ...sampling }, place);
      if (link !== undefined) links.push(link);
    }
    const [only] = links;
    if (only === undefined)
      throw cannotAttach(attachment, 'ESRCH', { why: 'what it is to count in has ended' });
    return links.length === 1
      ? only
      : new ManyLinks({
          kernel,
          ...attachment,
          links,
          each: 'CPU or thread',
          hint: 'Attach to one, { cpu: 0 }, for a link of its own',
        });
  } catch (error) {
    return failAfter(error, ...links.map((link) => () => link.detach()));
  }
}

/** Undefined when the CPU or thread ended after it was listed. */
function attachOne(
  request: PerfEventRequest,
  attachment: Attachment,
  event: ChosenEvent & Pick<PerfEvent, 'samplePeriod' | 'sampleFrequency'>,
  place: Place,
): Link | undefined {
  const { kernel, prog, cookie, cpu, inherit = false } = request;
  let opened: Fd;
  try {
    opened = kernel.perfEventOpen({ ...event, ...place, ...(inherit ? { inherit } : {}) });
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENODEV' && cpu === undefined && !kernel.onlineCpus().includes(place.cpu)) return undefined;
    if (errno === 'ESRCH' && isThreadOf(request, place)) return undefined;
    throw attachError(attachment, error, whyNoEvent(request, error));
  }
  return attachPerfEvent({ ...attachment, kernel, prog, event: opened, cookie });
}

/** One of a process's threads, not the one that gives it its id. */
function isThreadOf({ pid }: PerfEventRequest, place: Place): boolean {
  return pid !== undefined && place.pid !== pid;
}

function samplingOf(
  attachment: Attachment,
  { frequency, period, choice }: PerfEventRequest,
): Pick<PerfEvent, 'samplePeriod' | 'sampleFrequency'> {
  const given = frequency ?? period ?? (choice.type === 'breakpoint' ? 1 : undefined);
  const name = frequency === undefined ? 'period' : 'frequency';
  if (given === undefined || (frequency !== undefined && period !== undefined)) {
    throw cannotAttach(attachment, 'ERR_BPF_ARGUMENT', {
      why: 'the program runs so many times a second (frequency), or once in so many events (period): one of them, not both',
    });
  }
  if (!(given >= 1) || (typeof given === 'number' && !Number.isSafeInteger(given)) || given >= 2n ** 63n) {
    throw cannotAttach(attachment, 'ERR_BPF_ARGUMENT', {
      why: `a ${name} of ${given} is no positive whole number`,
    });
  }
  return frequency === undefined ? { samplePeriod: BigInt(given) } : { sampleFrequency: BigInt(given) };
}

function placesOf(attachment: Attachment, { kernel, pid, cpu, inherit }: PerfEventRequest): readonly Place[] {
  if (inherit === true && pid === undefined) {
    throw cannotAttach(attachment, 'ERR_BPF_ARGUMENT', {
      why: 'inherit is about the process that pid names',
    });
  }
  if (pid === undefined) {
    return (cpu === undefined ? kernel.onlineCpus() : [cpu]).map((each) => ({ pid: -1, cpu: each }));
  }
  const threads = (list(kernel, `/proc/${pid}/task`) ?? []).filter((name) => /^\d+$/.test(name)).map(Number);
  // Without procfs the kernel says whether there is such a thread.
  return (threads.length === 0 ? [pid] : threads).map((thread) => ({ pid: thread, cpu: cpu ?? -1 }));
}

function describeScope({ pid, cpu }: PerfEventScope): string {
  return `${pid === undefined ? '' : ` of process ${pid}`}${cpu === undefined ? '' : ` on CPU ${cpu}`}`;
}

function whyNoEvent(request: PerfEventRequest, error: unknown): Reason | undefined {
  const { kernel, pid, cpu, choice, frequency } = request;
  switch (errnoOf(error)) {
    case 'EPERM':
    case 'EACCES':
      return whyNoPerf(kernel);
    case 'ESRCH':
      return pid === undefined ? undefined : { why: `there is no process ${pid}` };
    case 'ENODEV':
    case 'EINVAL':
      if (cpu !== undefined && !kernel.onlineCpus().includes(cpu)) {
        return { why: `CPU ${cpu} is not running`, hint: `These are: ${kernel.onlineCpus().join(', ')}` };
      }
      return tooFast(kernel, frequency) ?? noCodeWatched(kernel, choice) ?? noCounter(kernel, choice);
    case 'ENOENT':
    case 'EOPNOTSUPP':
      return noCounter(kernel, choice);
    case 'ENOSPC':
      return choice.type === 'breakpoint'
        ? { why: 'every debug register of the processor is in use', hint: 'End other breakpoints first' }
        : undefined;
    case 'EMFILE':
      return { why: 'this process may not open more files', hint: 'Raise the limit: ulimit -n' };
    default:
      return undefined;
  }
}

function tooFast(kernel: Kernel, frequency: number | undefined): Reason | undefined {
  const path = '/proc/sys/kernel/perf_event_max_sample_rate';
  const most = Number(readText(kernel, path)?.trim() ?? Number.NaN);
  if (frequency === undefined || !(frequency > most)) return undefined;
  return { why: `${frequency} samples a second are more than the ${most} that ${path} allows` };
}

/** Where probes may not go, breakpoints may not either: without kprobes that is all of the kernel (x86: arch_build_bp_info). */
function noCodeWatched(kernel: Kernel, choice: PerfEventChoice): Reason | undefined {
  if (choice.type !== 'breakpoint' || choice.access !== 'execute') return undefined;
  const isKernel = choice.address >> 63n === 1n;
  if (!isKernel || readText(kernel, '/sys/bus/event_source/devices/kprobe/type') !== undefined)
    return undefined;
  return { why: 'this kernel has no kprobes, and so lets no breakpoint watch its code' };
}

/** The processor's counters: absent from most virtual machines, or without an interrupt to sample by. */
function noCounter(kernel: Kernel, choice: PerfEventChoice): Reason | undefined {
  if (choice.type !== 'hardware' && choice.type !== 'cache' && choice.type !== 'raw') return undefined;
  const what = printable(describeEvent(choice));
  return {
    why: lacksCounters(kernel)
      ? `this machine has no hardware counters, as most virtual machines, so there is no ${what}`
      : `the counters of this machine cannot sample ${what}`,
    hint: "Use { type: 'software', config: 'cpu-clock' }, which every machine has",
  };
}
