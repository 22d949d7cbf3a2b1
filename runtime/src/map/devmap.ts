import { BPF_MAP_TYPE } from '../uapi.js';
import { DeviceMap } from './devices.js';
import { type MapHandle, type MapShape, mapKind } from './map.js';
import { indexKey } from './word.js';

/** BPF_MAP_TYPE_DEVMAP: network devices by a number below max_entries. Linux 4.14. */
export class DevMap extends DeviceMap {
  constructor(handle: MapHandle) {
    super(handle, indexKey(handle));
  }
}

/** `devmap()`: a BPF_MAP_TYPE_DEVMAP in a skeleton. */
export const devmap = mapKind(
  {
    kindName: 'devmap',
    types: [BPF_MAP_TYPE.DEVMAP],
    codecs: [],
    open: (handle) => new DevMap(handle),
  },
  (kind) => (): MapShape<DevMap> => ({ kind }),
);
