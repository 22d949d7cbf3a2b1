import type { Codec } from '../codec/codec.js';
import { raw } from '../codec/raw.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { type DeclaresMapKind, type MapHandle, type MapKind, type MapShape, mapKind } from './map.js';
import { RecordMap } from './record-map.js';
import type { RecordStats } from './record-source.js';
import { RingReader } from './ring-reader.js';

/** What a ring buffer has seen. The kernel does not count what finds no room: a program can, where reserving fails. */
export interface RingStats extends RecordStats {
  /** Bytes that programs have reserved since the buffer was made, headers included (libbpf: ring__producer_pos). */
  readonly produced: bigint;
  /** Bytes that were taken since, by whichever process (libbpf: ring__consumer_pos). */
  readonly consumed: bigint;
}

/**
 * BPF_MAP_TYPE_RINGBUF: one buffer for all CPUs, records in the order in which their programs reserved them. Without a
 * record type a record is its bytes. Linux 5.8.
 */
export class RingBuffer<T> extends RecordMap<T> {
  readonly #opened: { reader?: RingReader };

  constructor(handle: MapHandle, record: Codec<T>) {
    const opened: { reader?: RingReader } = {};
    super(handle, record, () => {
      opened.reader = new RingReader(handle);
      return opened.reader;
    });
    this.#opened = opened;
  }

  override stats(): RingStats {
    const stats = super.stats();
    const { reader } = this.#opened;
    return { ...stats, produced: reader?.produced ?? 0n, consumed: reader?.consumed ?? 0n };
  }
}

/** `ringbuf(Event)`, or `ringbuf()` for raw bytes; `asked` is the type of C that somebody else than C named: a BPF_MAP_TYPE_RINGBUF in a skeleton. */
export const ringbuf: (<T = Uint8Array>(record?: Codec<T>, asked?: string) => MapShape<RingBuffer<T>>) &
  DeclaresMapKind = mapKind(
  {
    kindName: 'ringbuf',
    types: [BPF_MAP_TYPE.RINGBUF],
    codecs: ['value'],
    codecsAreRecords: true,
    open: (handle, _key, record) => new RingBuffer<unknown>(handle, record ?? raw),
  },
  (kind) =>
    <T = Uint8Array>(record?: Codec<T>, asked?: string): MapShape<RingBuffer<T>> => ({
      // open() is given this very codec.
      kind: kind as MapKind<RingBuffer<T>>,
      value: record ?? raw,
      ...(asked !== undefined && { asked }),
    }),
);
