import type { Codec } from '../codec/codec.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { IndexedMap } from './indexed.js';
import { LiveArray, openElements } from './live-array.js';
import { type MapHandle, type MapKind, type MapShape, mapKind } from './map.js';
import type { DataMemory } from './memory.js';
import { valueCodec } from './sizes.js';

/** BPF_MAP_TYPE_ARRAY. Linux 3.19. */
export class ArrayMap<V> extends IndexedMap<V> {
  readonly #codec: Codec<V>;
  #memory: DataMemory | undefined;
  #frozen = false;

  constructor(handle: MapHandle, value: Codec<V>) {
    super(handle, value);
    this.#codec = value;
  }

  /**
   * The elements as shared memory, which takes no system call to read or write. The map must be declared with
   * BPF_F_MMAPABLE. Read-only once the map is frozen. Linux 5.5.
   * @throws BpfError ERR_BPF_STATE when it is not declared so
   */
  live(): LiveArray<V> {
    // Throws once the object is destroyed.
    this.handle.fd();
    this.#memory ??= openElements(this.handle, this.#frozen);
    return new LiveArray(this.handle, this.#codec, this.#memory);
  }

  /**
   * Refuses every later write from user space; what live() gave before must be asked for again, and can only be read.
   * Linux 5.2.
   * @throws BpfError EBUSY or EPERM when it is frozen already; EBUSY when another process shares its memory to write
   */
  override freeze(): void {
    // The kernel freezes nothing that somebody can write to without a system call.
    this.#memory?.close();
    this.#memory = undefined;
    super.freeze();
    this.#frozen = true;
  }
}

/** `array(Stats)`: a BPF_MAP_TYPE_ARRAY in a skeleton. */
export const array = mapKind(
  {
    kindName: 'array',
    types: [BPF_MAP_TYPE.ARRAY],
    codecs: ['value'],
    open: (handle, _key, value) => new ArrayMap<unknown>(handle, valueCodec(handle, value)),
  },
  (kind) =>
    <V>(value: Codec<V>): MapShape<ArrayMap<V>> => ({
      // open() is given this very codec.
      kind: kind as MapKind<ArrayMap<V>>,
      value,
    }),
);
