import { BpfError } from '../errors.js';
import type { Fd, PerfEvent } from '../kernel/kernel.js';
import { errnoOf, type Reason, refusal } from '../link/attach-error.js';
import { whyNoPerf } from '../link/perf.js';
import { lacksCounters } from '../link/perf-choice.js';
import { PERF_COUNT_SW_BPF_OUTPUT, PERF_SAMPLE_RAW, PERF_TYPE_SOFTWARE } from '../uapi.js';
import type { MapHandle } from './map.js';
import { mapText } from './map-error.js';

/** How the buffers of a perf event array are made. */
export interface PerfBufferOptions {
  /** Pages of each CPU's buffer, a power of two; 64 by default. */
  readonly pages?: number;
  /** CPUs to take records from; by default those that are online when the buffers are made. */
  readonly cpus?: readonly number[];
  /** Wake this process after so many records of a CPU, 1 by default; what is in the buffer until then, `flush()` gives. */
  readonly wakeupEvents?: number;
  /** Wake this process when so many bytes of a CPU wait, instead. */
  readonly wakeupWatermark?: number;
  /**
   * Keep the newest records and overwrite the oldest, as a flight recorder does: there is no stream then, but a
   * `snapshot()` when something happened. Linux 4.7.
   */
  readonly overwritable?: boolean;
}

/** The options, checked, with what is usual for those that were not given. */
export interface PerfBufferSettings {
  readonly pages: number;
  readonly cpus: readonly number[] | undefined;
  readonly wakeupEvents: number | undefined;
  readonly wakeupWatermark: number | undefined;
  readonly overwritable: boolean;
}

const DEFAULT_PAGES = 64;

/** @throws BpfError ERR_BPF_RANGE for what no perf event can have */
export function perfSettings(handle: MapHandle, options: PerfBufferOptions): PerfBufferSettings {
  const { pages = DEFAULT_PAGES, cpus, wakeupEvents, wakeupWatermark, overwritable = false } = options;
  const refuse = (what: string) => new BpfError('ERR_BPF_RANGE', `open ${mapText(handle)}: ${what}`);
  if (!(isCount(pages) && (pages & (pages - 1)) === 0)) throw refuse(`${pages} pages is not a power of two`);
  if (wakeupEvents !== undefined && wakeupWatermark !== undefined) {
    throw refuse('wakeupEvents and wakeupWatermark exclude each other');
  }
  for (const [name, value] of Object.entries({ wakeupEvents, wakeupWatermark })) {
    if (value !== undefined && !isCount(value)) throw refuse(`${name} is a positive integer, not ${value}`);
  }
  const slots = handle.maxEntries;
  const wrong = cpus?.find((cpu) => !(Number.isInteger(cpu) && cpu >= 0 && cpu < slots));
  if (wrong !== undefined) throw refuse(`CPU ${wrong} has no slot; the map has ${slots}`);
  return { pages, cpus, wakeupEvents, wakeupWatermark, overwritable };
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value > 0 && value <= 0xffffffff;
}

/** A CPU's perf event, which programs on that CPU write to. */
export interface PerfCpuEvent {
  readonly cpu: number;
  readonly fd: Fd;
}

/** A perf event before it is opened on a CPU. */
export type AnyCpuEvent = Omit<PerfEvent, 'pid' | 'cpu'>;

/** What bpf_perf_event_output writes to. */
export function outputEvent(settings: PerfBufferSettings): AnyCpuEvent {
  const { wakeupEvents, wakeupWatermark, overwritable } = settings;
  return {
    type: PERF_TYPE_SOFTWARE,
    config: PERF_COUNT_SW_BPF_OUTPUT,
    sampleType: PERF_SAMPLE_RAW,
    samplePeriod: 1n,
    ...(wakeupWatermark === undefined ? { wakeupEvents: wakeupEvents ?? 1 } : { wakeupWatermark }),
    ...(overwritable && { writeBackward: true }),
  };
}

/**
 * Opens an event on each CPU, lets `map` have it, and then programs on that CPU find it in the map, as libbpf's
 * perf_buffer. What was opened is closed again when something fails.
 * @param cpus by default those that are online and have a slot
 * @returns what `map` made of each, and what closes the events
 */
export function openPerfEvents<Buffer extends { close(): void }>(
  handle: MapHandle,
  event: AnyCpuEvent,
  cpus: readonly number[] | undefined,
  map: (event: PerfCpuEvent, what: string) => Buffer,
): { readonly buffers: readonly Buffer[]; readonly close: () => void } {
  const { kernel } = handle;
  const fds: Fd[] = [];
  const buffers: Buffer[] = [];
  const close = () => {
    for (const fd of fds.splice(0)) kernel.close(fd);
  };
  try {
    const online = kernel.onlineCpus().filter((cpu) => cpu < handle.maxEntries);
    for (const cpu of cpus ?? online) {
      const fd = kernel.perfEventOpen({ ...event, pid: -1, cpu });
      fds.push(fd);
      buffers.push(map({ cpu, fd }, `perf buffer of CPU ${cpu} of ${mapText(handle)}`));
      send(handle, cpu, fd);
    }
  } catch (error) {
    for (const buffer of buffers) buffer.close();
    close();
    throw refusal(`open the perf events of ${mapText(handle)}`, error, whyNoEvent(handle, event, error));
  }
  if (buffers.length === 0) {
    throw new BpfError('ERR_BPF_RANGE', `open ${mapText(handle)}: no online CPU is below its max_entries`);
  }
  return { buffers, close };
}

function whyNoEvent({ kernel }: MapHandle, { type }: AnyCpuEvent, error: unknown): Reason | undefined {
  const errno = errnoOf(error);
  if (errno === 'EPERM' || errno === 'EACCES') return whyNoPerf(kernel);
  if ((errno !== 'ENOENT' && errno !== 'EOPNOTSUPP') || type === PERF_TYPE_SOFTWARE) return undefined;
  if (!lacksCounters(kernel)) return undefined;
  return {
    why: 'this machine has no hardware counters, as most virtual ones',
    hint: "Count a software event such as 'task-clock'",
  };
}

/** Makes programs that run on `cpu` use the event. */
function send({ kernel, fd: map }: MapHandle, cpu: number, event: Fd): void {
  const slot = new Uint8Array(8);
  const view = new DataView(slot.buffer);
  view.setUint32(0, cpu, kernel.littleEndian);
  view.setUint32(4, event, kernel.littleEndian);
  kernel.mapUpdate(map(), slot.slice(0, 4), slot.slice(4));
  kernel.perfEventEnable(event);
}
