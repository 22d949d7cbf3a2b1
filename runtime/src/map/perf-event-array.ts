import type { Codec } from '../codec/codec.js';
import { raw } from '../codec/raw.js';
import { BpfError } from '../errors.js';
import { chooseEvent, describeEvent, type PerfEventChoice } from '../link/perf-choice.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import type { RecordListener } from './delivery.js';
import { type DeclaresMapKind, type MapHandle, type MapKind, type MapShape, mapKind } from './map.js';
import { mapText } from './map-error.js';
import {
  openPerfEvents,
  outputEvent,
  type PerfBufferOptions,
  type PerfBufferSettings,
  perfSettings,
} from './perf-buffers.js';
import { PerfCpuReader } from './perf-reader.js';
import { PerfSnapshots } from './perf-snapshot.js';
import { ReaderGroup } from './reader-group.js';
import type { Records } from './record-iterator.js';
import { RecordMap } from './record-map.js';
import type { LostListener } from './record-reader.js';
import type { RecordStats } from './record-source.js';
import type { StreamOptions, Subscription } from './subscription.js';

/** How a stream of a perf event array behaves. */
export interface PerfStreamOptions extends StreamOptions {
  /** Hears how many records a CPU dropped because its buffer was full. */
  readonly onLost?: LostListener;
}

export interface PerfStats extends RecordStats {
  /** Records that the kernel dropped because a buffer was full, as far as it has said so. */
  readonly lost: number;
  /** The same by CPU, for those that lost some. */
  readonly lostOn: ReadonlyMap<number, number>;
}

/** A record, its bytes, which are valid until the function returns, and the CPU that sent it. */
export type PerfRecordListener<T> = (record: T, bytes: Uint8Array, cpu: number) => void;

/** A record of a snapshot and the CPU that sent it. */
export interface PerfSnapshot<T> {
  readonly cpu: number;
  readonly record: T;
}

/**
 * BPF_MAP_TYPE_PERF_EVENT_ARRAY as programs use it with bpf_perf_event_output: a buffer for each CPU that is online when
 * they are made; what a CPU that comes online later sends is gone, as with libbpf. So is what programs send before there
 * are buffers (`open()`, or the first consumer). The kernel pads records to a multiple of 8 bytes less 4: the bytes of a
 * record may have up to 7 more than the program sent. Linux 4.4.
 */
export class PerfEventArray<T> extends RecordMap<T, PerfStreamOptions> {
  readonly #opened: Opened;
  readonly #codec: Codec<T>;

  constructor(handle: MapHandle, record: Codec<T>) {
    const opened: Opened = {};
    super(handle, record, (onLost) => openReader(handle, opened, onLost));
    this.#opened = opened;
    this.#codec = record;
  }

  /**
   * Makes the buffers now, so that nothing is missed before the first consumer.
   * @throws BpfError ERR_BPF_RANGE for buffers that cannot be, ERR_BPF_STATE when there are different ones already
   */
  open(options: PerfBufferOptions = {}): this {
    const settings = perfSettings(this.handle, options);
    const { settings: before } = this.#opened;
    const other = before && differing(settings, before);
    if (other !== undefined) {
      throw new BpfError(
        'ERR_BPF_STATE',
        `open ${mapText(this.handle)}: its buffers are there already, with other ${other}; open it before the first consumer`,
      );
    }
    if (settings.overwritable) this.#opened.snapshots ??= openSnapshots(this.handle, settings);
    this.#opened.settings = settings;
    if (!settings.overwritable) super.stats();
    return this;
  }

  override subscribe(listener: PerfRecordListener<T>, options?: PerfStreamOptions): Subscription<T> {
    // Streams call with the CPU too.
    return super.subscribe(listener as RecordListener<T>, options);
  }

  /** As of every record map; the buffers are made here, not when the loop begins. */
  override records(options?: PerfStreamOptions): Records<T> {
    super.stats();
    return super.records(options);
  }

  override consume(): T[];
  override consume(listener: PerfRecordListener<T>, options?: Pick<PerfStreamOptions, 'onError'>): number;
  override consume(
    listener?: PerfRecordListener<T>,
    options?: Pick<PerfStreamOptions, 'onError'>,
  ): T[] | number {
    if (listener === undefined) return super.consume();
    return super.consume(listener as RecordListener<T>, options); // as in subscribe()
  }

  /**
   * The records that overwritable buffers hold now, CPU by CPU, oldest first. They stay there. Records that are too short
   * for their type are left out.
   * @throws BpfError ERR_BPF_STATE unless they were made by `open({ overwritable: true })`
   */
  snapshot(): PerfSnapshot<T>[] {
    this.handle.fd();
    const { snapshots } = this.#opened;
    if (snapshots === undefined) {
      throw new BpfError(
        'ERR_BPF_STATE',
        `take a snapshot of ${mapText(this.handle)}: its buffers are not overwritable; make them with open({ overwritable: true })`,
      );
    }
    return snapshots.flatMap((buffer) =>
      buffer.take().flatMap((bytes) => {
        if (bytes.length < this.#codec.size) return [];
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
        return { cpu: buffer.cpu, record: this.#codec.read(view, 0, bytes.length) };
      }),
    );
  }

  /**
   * Counts an event on each CPU, for programs that read it with bpf_perf_event_read_value (`BPF_F_CURRENT_CPU`), until the
   * object is destroyed. A map of counters has no records. Linux 4.3; values of all times 4.15.
   *
   * ```ts
   * skel.maps.cycles.count({ type: 'hardware', config: 'cpu-cycles' });
   * ```
   * @param options `cpus`: by default those that are online
   * @throws BpfError ERR_BPF_ARGUMENT for an event that is not known, ERR_BPF_STATE when the map is in use already
   */
  count(choice: PerfEventChoice, { cpus }: Pick<PerfBufferOptions, 'cpus'> = {}): this {
    const { handle } = this;
    const what = `count ${describeEvent(choice)} in ${mapText(handle)}`;
    if (this.#opened.settings !== undefined) {
      throw new BpfError('ERR_BPF_STATE', `${what}: it has perf events already`);
    }
    const settings = perfSettings(handle, { ...(cpus && { cpus }) });
    const event = chooseEvent(handle.kernel, choice);
    if ('why' in event) {
      const { why, hint } = event;
      throw new BpfError('ERR_BPF_ARGUMENT', `${what}: ${why}${hint ? `. ${hint}` : ''}`, { hint });
    }
    const { close } = openPerfEvents(handle, event, settings.cpus, () => ({ close: () => undefined }));
    handle.onClose(close);
    this.#opened.settings = settings;
    this.#opened.counts = true;
    return this;
  }

  override stats(): PerfStats {
    const stats = super.stats();
    const lostOn = new Map(
      (this.#opened.cpus ?? []).flatMap(({ cpu, lost }) => (lost > 0 ? [[cpu, lost] as const] : [])),
    );
    return { ...stats, lost: [...lostOn.values()].reduce((sum, lost) => sum + lost, 0), lostOn };
  }
}

/** The name of a setting that is not the same in both. */
function differing(a: PerfBufferSettings, b: PerfBufferSettings): string | undefined {
  return Object.entries(a).find(([name, value]) => String(value) !== String(Reflect.get(b, name)))?.[0];
}

/** The buffers of a map, once they are there. */
interface Opened {
  settings?: PerfBufferSettings;
  cpus?: readonly PerfCpuReader[];
  snapshots?: readonly PerfSnapshots[];
  counts?: boolean;
}

function openReader(handle: MapHandle, opened: Opened, onLost: LostListener): ReaderGroup {
  if (opened.snapshots !== undefined) {
    throw new BpfError(
      'ERR_BPF_STATE',
      `read ${mapText(handle)}: its buffers are overwritable; they have no stream, but a snapshot()`,
    );
  }
  if (opened.counts)
    throw new BpfError('ERR_BPF_STATE', `read ${mapText(handle)}: it holds counters, not records`);
  const settings = opened.settings ?? perfSettings(handle, {});
  const { buffers, close } = openPerfEvents(
    handle,
    outputEvent(settings),
    settings.cpus,
    (event, what) => new PerfCpuReader(handle.kernel, event, settings.pages, what, onLost),
  );
  const [first, ...others] = buffers;
  if (first === undefined) throw new TypeError('there is a CPU at least');
  opened.settings = settings;
  opened.cpus = buffers;
  return new ReaderGroup([first, ...others], close);
}

function openSnapshots(handle: MapHandle, settings: PerfBufferSettings): readonly PerfSnapshots[] {
  const { buffers, close } = openPerfEvents(
    handle,
    outputEvent(settings),
    settings.cpus,
    (event, what) => new PerfSnapshots(handle.kernel, event, settings.pages, what),
  );
  handle.onClose(() => {
    for (const buffer of buffers) buffer.close();
    close();
  });
  return buffers;
}

/** `perfEventArray(Event)`, or `perfEventArray()` for raw bytes; `asked` is the type of C that somebody else than C named: a BPF_MAP_TYPE_PERF_EVENT_ARRAY in a skeleton. */
export const perfEventArray: (<T = Uint8Array>(
  record?: Codec<T>,
  asked?: string,
) => MapShape<PerfEventArray<T>>) &
  DeclaresMapKind = mapKind(
  {
    kindName: 'perfEventArray',
    types: [BPF_MAP_TYPE.PERF_EVENT_ARRAY],
    codecs: ['value'],
    codecsAreRecords: true,
    open: (handle, _key, record) => new PerfEventArray<unknown>(handle, record ?? raw),
  },
  (kind) =>
    <T = Uint8Array>(record?: Codec<T>, asked?: string): MapShape<PerfEventArray<T>> => ({
      // open() is given this very codec.
      kind: kind as MapKind<PerfEventArray<T>>,
      value: record ?? raw,
      ...(asked !== undefined && { asked }),
    }),
);
