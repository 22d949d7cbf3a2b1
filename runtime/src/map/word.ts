import type { Codec } from '../codec/codec.js';
import type { MapHandle } from './map.js';
import { indexError } from './map-error.js';

/** A 32-bit number in the host's byte order: descriptors, ids, device and CPU numbers. */
export function word({ kernel: { littleEndian } }: MapHandle): Codec<number> {
  return {
    size: 4,
    read: (view, offset) => view.getUint32(offset, littleEndian),
    write: (view, offset, value) => view.setUint32(offset, value, littleEndian),
  };
}

/** The key of a map whose keys are the integers below its max_entries. Writing another one is ERR_BPF_RANGE. */
export function indexKey(handle: MapHandle): Codec<number> {
  const plain = word(handle);
  return {
    ...plain,
    write(view, offset, index) {
      if (!(Number.isInteger(index) && index >= 0 && index < handle.maxEntries)) {
        throw indexError(handle, 'use', index);
      }
      plain.write(view, offset, index);
    },
  };
}
