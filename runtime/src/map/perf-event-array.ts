import type { Codec } from '../codec/codec.js';
import { raw } from '../codec/raw.js';
import { BpfError } from '../errors.js';
import type { Fd } from '../kernel/kernel.js';
import { BPF_MAP_TYPE, PERF_COUNT_SW_BPF_OUTPUT, PERF_SAMPLE_RAW, PERF_TYPE_SOFTWARE } from '../uapi.js';
import { type MapHandle, type MapKind, type MapShape, mapKind } from './map.js';
import { mapText, operationError } from './map-error.js';
import { PerfCpuReader } from './perf-reader.js';
import { ReaderGroup } from './reader-group.js';
import { RecordMap } from './record-map.js';
import type { LostListener } from './record-reader.js';
import type { RecordStats } from './record-source.js';
import type { StreamOptions } from './subscription.js';

/** How the buffers of a perf event array are made. */
export interface PerfBufferOptions {
  /** Pages of each CPU's buffer, a power of two; 64 by default. */
  readonly pages?: number;
}

/** How a stream of a perf event array behaves. */
export interface PerfStreamOptions extends StreamOptions {
  /** Hears how many records a CPU dropped because its buffer was full. */
  readonly onLost?: LostListener;
}

export interface PerfStats extends RecordStats {
  /** Records that the kernel dropped because a buffer was full, as far as it has said so. */
  readonly lost: number;
}

const DEFAULT_PAGES = 64;

/**
 * BPF_MAP_TYPE_PERF_EVENT_ARRAY as programs use it with bpf_perf_event_output: a buffer for each CPU that is online.
 * Until the buffers are there (`open()`, or the first consumer), what programs send is gone. The kernel pads records
 * to a multiple of 8 bytes less 4: the bytes of a record may have up to 7 more than the program sent. Linux 4.4.
 */
export class PerfEventArray<T> extends RecordMap<T, PerfStreamOptions> {
  readonly #buffers: Buffers;

  constructor(handle: MapHandle, record: Codec<T>) {
    const buffers: Buffers = { pages: DEFAULT_PAGES, reader: undefined };
    super(handle, record, (onLost) => {
      buffers.reader = openBuffers(handle, buffers.pages, onLost);
      return buffers.reader;
    });
    this.#buffers = buffers;
  }

  /**
   * Makes the buffers now, so that nothing is missed before the first consumer.
   * @throws BpfError ERR_BPF_STATE when there are buffers of another size already.
   */
  open({ pages = DEFAULT_PAGES }: PerfBufferOptions = {}): this {
    if (!(Number.isInteger(pages) && pages > 0 && (pages & (pages - 1)) === 0)) {
      throw new BpfError(
        'ERR_BPF_RANGE',
        `open ${mapText(this.handle)}: ${pages} pages is not a power of two`,
      );
    }
    if (this.#buffers.reader !== undefined && pages !== this.#buffers.pages) {
      throw new BpfError(
        'ERR_BPF_STATE',
        `open ${mapText(this.handle)}: its buffers have ${this.#buffers.pages} pages already; open it before the first consumer`,
      );
    }
    this.#buffers.pages = pages;
    super.stats();
    return this;
  }

  /** As of every record map; the buffers are made here, not when the loop begins. */
  override records(options?: PerfStreamOptions): AsyncIterableIterator<T, undefined> {
    super.stats();
    return super.records(options);
  }

  override stats(): PerfStats {
    return { ...super.stats(), lost: this.#buffers.reader?.lost ?? 0 };
  }
}

interface Buffers {
  pages: number;
  reader: ReaderGroup | undefined;
}

/** One perf event and its buffer for each CPU that is online and that the map has room for, as libbpf's perf_buffer. */
function openBuffers(handle: MapHandle, pages: number, onLost: LostListener): ReaderGroup {
  const { kernel } = handle;
  const fds: Fd[] = [];
  const cpus: PerfCpuReader[] = [];
  const release = () => {
    for (const fd of fds.splice(0)) kernel.close(fd);
  };
  try {
    for (const cpu of kernel.onlineCpus()) {
      if (cpu >= handle.maxEntries) continue;
      const fd = openEvent(handle, cpu);
      fds.push(fd);
      const what = `perf buffer of CPU ${cpu} of ${mapText(handle)}`;
      cpus.push(new PerfCpuReader(kernel, fd, cpu, pages, what, onLost));
      send(handle, cpu, fd);
    }
    const [first, ...others] = cpus;
    if (first !== undefined) return new ReaderGroup([first, ...others], release);
  } catch (error) {
    for (const cpu of cpus) cpu.close();
    release();
    throw operationError(handle, error, 'open the perf buffers of');
  }
  throw new BpfError('ERR_BPF_RANGE', `open ${mapText(handle)}: no online CPU is below its max_entries`);
}

function openEvent({ kernel }: MapHandle, cpu: number): Fd {
  return kernel.perfEventOpen({
    type: PERF_TYPE_SOFTWARE,
    config: PERF_COUNT_SW_BPF_OUTPUT,
    sampleType: PERF_SAMPLE_RAW,
    samplePeriod: 1n,
    wakeupEvents: 1,
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

/** `perfEventArray(Event)`, or `perfEventArray()` for raw bytes: a BPF_MAP_TYPE_PERF_EVENT_ARRAY in a skeleton. */
export const perfEventArray = mapKind(
  {
    kindName: 'perfEventArray',
    types: [BPF_MAP_TYPE.PERF_EVENT_ARRAY],
    codecs: ['value'],
    codecsAreRecords: true,
    open: (handle, _key, record) => new PerfEventArray<unknown>(handle, record ?? raw),
  },
  (kind) =>
    <T = Uint8Array>(record?: Codec<T>): MapShape<PerfEventArray<T>> => ({
      // open() is given this very codec.
      kind: kind as MapKind<PerfEventArray<T>>,
      value: record ?? raw,
    }),
);
