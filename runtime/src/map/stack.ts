import type { Codec } from '../codec/codec.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { type MapKind, type MapShape, mapKind } from './map.js';
import { PushedMap } from './pushed.js';
import { valueCodec } from './sizes.js';

/** BPF_MAP_TYPE_STACK: what was pushed last comes out first. Linux 4.20. */
export class StackMap<V> extends PushedMap<V> {}

/** `stack(Event)`: a BPF_MAP_TYPE_STACK in a skeleton. */
export const stack = mapKind(
  {
    kindName: 'stack',
    types: [BPF_MAP_TYPE.STACK],
    codecs: ['value'],
    open: (handle, _key, value) => new StackMap<unknown>(handle, valueCodec(handle, value)),
  },
  (kind) =>
    <V>(value: Codec<V>): MapShape<StackMap<V>> => ({
      // open() is given this very codec.
      kind: kind as MapKind<StackMap<V>>,
      value,
    }),
);
