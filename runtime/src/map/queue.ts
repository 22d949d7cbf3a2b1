import type { Codec } from '../codec/codec.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { type MapKind, type MapShape, mapKind } from './map.js';
import { PushedMap } from './pushed.js';
import { valueCodec } from './sizes.js';

/** BPF_MAP_TYPE_QUEUE: what was pushed first comes out first. Linux 4.20. */
export class QueueMap<V> extends PushedMap<V> {}

/** `queue(Event)`: a BPF_MAP_TYPE_QUEUE in a skeleton. */
export const queue = mapKind(
  {
    kindName: 'queue',
    types: [BPF_MAP_TYPE.QUEUE],
    codecs: ['value'],
    open: (handle, _key, value) => new QueueMap<unknown>(handle, valueCodec(handle, value)),
  },
  (kind) =>
    <V>(value: Codec<V>): MapShape<QueueMap<V>> => ({
      // open() is given this very codec.
      kind: kind as MapKind<QueueMap<V>>,
      value,
    }),
);
