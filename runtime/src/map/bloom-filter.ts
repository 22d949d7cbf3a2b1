import type { Codec } from '../codec/codec.js';
import { BPF_ANY, BPF_MAP_TYPE } from '../uapi.js';
import { BpfMap, type MapHandle, type MapKind, type MapShape, mapKind } from './map.js';
import { operationError, updateError } from './map-error.js';
import { valueCodec } from './sizes.js';

/** Hash functions of a filter whose `map_extra` is 0 (kernel: bloom_map_alloc). */
const DEFAULT_HASHES = 5;

/**
 * BPF_MAP_TYPE_BLOOM_FILTER: a set that may take a value for a member that is none, and never misses one. Values cannot
 * be removed or listed; max_entries is how many the filter is made for, and more may go in at the price of more errors.
 * `map_extra` of the declaration is the number of hash functions. Linux 5.16.
 */
export class BloomFilter<V> extends BpfMap {
  readonly #value: Codec<V>;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(handle: MapHandle, value: Codec<V>) {
    super(handle);
    this.#value = value;
    this.#bytes = new Uint8Array(handle.valueSize);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Number of hash functions. */
  get hashes(): number {
    return Number(this.info().mapExtra & 0xfn) || DEFAULT_HASHES;
  }

  /** Puts a value into the set; padding is written as zero. */
  add(value: V): this {
    this.#write(value);
    try {
      this.handle.kernel.mapUpdate(this.handle.fd(), null, this.#bytes, BPF_ANY);
    } catch (error) {
      throw updateError(this.handle, error);
    }
    return this;
  }

  /** False: the value is certainly not in the set. True: it probably is. */
  has(value: V): boolean {
    this.#write(value);
    try {
      return this.handle.kernel.mapLookup(this.handle.fd(), null, this.#bytes);
    } catch (error) {
      throw operationError(this.handle, error, 'look into');
    }
  }

  #write(value: V): void {
    this.#bytes.fill(0);
    this.#value.write(this.#view, 0, value);
  }
}

/** `bloomFilter(u64)`: a BPF_MAP_TYPE_BLOOM_FILTER in a skeleton. */
export const bloomFilter = mapKind(
  {
    kindName: 'bloomFilter',
    types: [BPF_MAP_TYPE.BLOOM_FILTER],
    codecs: ['value'],
    open: (handle, _key, value) => new BloomFilter<unknown>(handle, valueCodec(handle, value)),
  },
  (kind) =>
    <V>(value: Codec<V>): MapShape<BloomFilter<V>> => ({
      // open() is given this very codec.
      kind: kind as MapKind<BloomFilter<V>>,
      value,
    }),
);
