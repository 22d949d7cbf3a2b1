import { BpfError } from '../errors.js';
import type { Fd } from '../kernel/kernel.js';
import { PERF_COUNT_SW_BPF_OUTPUT, PERF_SAMPLE_RAW, PERF_TYPE_SOFTWARE } from '../uapi.js';
import type { MapHandle } from './map.js';
import { mapText, operationError } from './map-error.js';

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

/**
 * Opens a perf event for each CPU, lets `map` have it, and then programs write to it, as libbpf's perf_buffer. What was
 * opened is closed again when something fails.
 * @returns what `map` made of each, and what closes the events
 */
export function openPerfEvents<Buffer extends { close(): void }>(
  handle: MapHandle,
  settings: PerfBufferSettings,
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
    for (const cpu of settings.cpus ?? online) {
      const fd = openEvent(handle, cpu, settings);
      fds.push(fd);
      buffers.push(map({ cpu, fd }, `perf buffer of CPU ${cpu} of ${mapText(handle)}`));
      send(handle, cpu, fd);
    }
  } catch (error) {
    for (const buffer of buffers) buffer.close();
    close();
    throw operationError(handle, error, 'open the perf buffers of');
  }
  return { buffers, close };
}

function openEvent({ kernel }: MapHandle, cpu: number, settings: PerfBufferSettings): Fd {
  const { wakeupEvents, wakeupWatermark, overwritable } = settings;
  return kernel.perfEventOpen({
    type: PERF_TYPE_SOFTWARE,
    config: PERF_COUNT_SW_BPF_OUTPUT,
    sampleType: PERF_SAMPLE_RAW,
    samplePeriod: 1n,
    ...(wakeupWatermark === undefined ? { wakeupEvents: wakeupEvents ?? 1 } : { wakeupWatermark }),
    ...(overwritable && { writeBackward: true }),
    pid: -1,
    cpu,
  });
}

/** Makes programs that run on `cpu` write to the event. */
function send({ kernel, fd: map }: MapHandle, cpu: number, event: Fd): void {
  const slot = new Uint8Array(8);
  const view = new DataView(slot.buffer);
  view.setUint32(0, cpu, kernel.littleEndian);
  view.setUint32(4, event, kernel.littleEndian);
  kernel.mapUpdate(map(), slot.slice(0, 4), slot.slice(4));
  kernel.perfEventEnable(event);
}
