import { BPF_MAP_TYPE } from '../uapi.js';
import { DeviceMap } from './devices.js';
import { type MapHandle, type MapShape, mapKind } from './map.js';
import { word } from './word.js';

/** BPF_MAP_TYPE_DEVMAP_HASH: network devices by any 32-bit number. Linux 5.4. */
export class DevMapHash extends DeviceMap {
  constructor(handle: MapHandle) {
    super(handle, word(handle));
  }
}

/** `devmapHash()`: a BPF_MAP_TYPE_DEVMAP_HASH in a skeleton. */
export const devmapHash = mapKind(
  {
    kindName: 'devmapHash',
    types: [BPF_MAP_TYPE.DEVMAP_HASH],
    codecs: [],
    open: (handle) => new DevMapHash(handle),
  },
  (kind) => (): MapShape<DevMapHash> => ({ kind }),
);
