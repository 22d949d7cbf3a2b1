import type { Codec } from '../codec/codec.js';
import { raw } from '../codec/raw.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { type MapHandle, type MapKind, type MapShape, mapKind } from './map.js';
import { RecordMap } from './record-map.js';
import { RingReader } from './ring-reader.js';

/**
 * BPF_MAP_TYPE_RINGBUF: one buffer for all CPUs, records in the order in which their programs reserved them. Without a
 * record type a record is its bytes. Linux 5.8.
 */
export class RingBuffer<T> extends RecordMap<T> {
  constructor(handle: MapHandle, record: Codec<T>) {
    super(handle, record, () => new RingReader(handle));
  }
}

/** `ringbuf(Event)`, or `ringbuf()` for raw bytes: a BPF_MAP_TYPE_RINGBUF in a skeleton. */
export const ringbuf = mapKind(
  {
    kindName: 'ringbuf',
    types: [BPF_MAP_TYPE.RINGBUF],
    codecs: ['value'],
    codecsAreRecords: true,
    open: (handle, _key, record) => new RingBuffer<unknown>(handle, record ?? raw),
  },
  (kind) =>
    <T = Uint8Array>(record?: Codec<T>): MapShape<RingBuffer<T>> => ({
      // open() is given this very codec.
      kind: kind as MapKind<RingBuffer<T>>,
      value: record ?? raw,
    }),
);
