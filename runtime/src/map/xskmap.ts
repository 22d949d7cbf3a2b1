import { BPF_MAP_TYPE } from '../uapi.js';
import { Elements } from './elements.js';
import { fdOf, type HasFd } from './holder.js';
import { BpfMap, type MapHandle, type MapShape, mapKind } from './map.js';
import type { SetOptions } from './options.js';
import { indexKey, word } from './word.js';

/**
 * BPF_MAP_TYPE_XSKMAP: AF_XDP sockets, usually by receive queue, to which an XDP program redirects packets. A socket that
 * is closed leaves the map. The kernel does not tell what is in it. Linux 4.18.
 */
export class XskMap extends BpfMap {
  readonly #elements: Elements<number, number>;

  constructor(handle: MapHandle) {
    super(handle);
    this.#elements = new Elements(handle, indexKey(handle), word(handle));
  }

  get length(): number {
    return this.handle.maxEntries;
  }

  /**
   * Puts an AF_XDP socket into a slot, in place of the one that was there.
   * @throws BpfError EOPNOTSUPP when it is no AF_XDP socket, or has no ring to receive or send with yet
   */
  set(index: number, socket: HasFd, options?: SetOptions): this {
    this.#elements.set(index, fdOf(this.handle, socket), options);
    return this;
  }

  /** Empties a slot. The kernel does not tell whether there was a socket in it. */
  delete(index: number): void {
    this.#elements.delete(index);
  }

  /** Empties every slot. */
  clear(): void {
    for (let index = 0; index < this.length; index++) this.delete(index);
  }
}

/** `xskmap()`: a BPF_MAP_TYPE_XSKMAP in a skeleton. */
export const xskmap = mapKind(
  {
    kindName: 'xskmap',
    types: [BPF_MAP_TYPE.XSKMAP],
    codecs: [],
    open: (handle) => new XskMap(handle),
  },
  (kind) => (): MapShape<XskMap> => ({ kind }),
);
