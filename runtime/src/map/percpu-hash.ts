import type { Codec } from '../codec/codec.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { KeyedMap } from './keyed.js';
import { type MapHandle, type MapKind, type MapShape, mapKind } from './map.js';
import { mapText } from './map-error.js';
import { OneCpuValues } from './one-cpu.js';
import type { SetOptions } from './options.js';
import { perCpu, sumOf } from './per-cpu.js';
import { keyCodec, valueCodec } from './sizes.js';

/**
 * BPF_MAP_TYPE_PERCPU_HASH: every key has one value for each possible CPU, and a value is the array of them, the CPU as
 * index. Programs see the value of the CPU they run on. Linux 4.6.
 */
export class PerCpuHashMap<K, V> extends KeyedMap<K, V[]> {
  readonly #cpus: number;
  readonly #single: OneCpuValues<K, V>;

  constructor(handle: MapHandle, key: Codec<K>, value: Codec<V>) {
    const cpus = handle.kernel.possibleCpus();
    const values = perCpu(value, handle.valueSize, cpus, `value of ${mapText(handle)}`);
    super(handle, key, values, values.size);
    this.#cpus = cpus;
    this.#single = new OneCpuValues(handle, key, value, cpus, true);
  }

  /** Number of possible CPUs: the length of every value. */
  get cpus(): number {
    return this.#cpus;
  }

  /** Writes one value for each possible CPU; the array must have exactly {@link cpus} elements. */
  override set(key: K, values: readonly V[], options?: SetOptions): this {
    // Nothing below changes the array.
    return super.set(key, values as V[], options);
  }

  /** Writes the same value for every CPU. */
  setAll(key: K, value: V, options?: SetOptions): this {
    return super.set(key, new Array<V>(this.#cpus).fill(value), options);
  }

  /**
   * The value of one possible CPU, undefined when the map does not have `key`. On Linux 7.0 the kernel copies no other
   * (BPF_F_CPU).
   * @throws BpfError ERR_BPF_RANGE when there is no such CPU
   */
  getCpu(key: K, cpu: number): V | undefined {
    return this.#single.get(key, cpu);
  }

  /**
   * Writes the value of one possible CPU and leaves those of the others alone; of a new key they are zero. Linux 7.0
   * (BPF_F_CPU).
   * @throws NotSupportedError on older kernels, which only write all of them at once
   */
  setCpu(key: K, cpu: number, value: V): this {
    this.#single.set(key, cpu, value);
    return this;
  }

  /** The sum over all CPUs of what `pick` takes from a value; undefined when the map does not have `key`. */
  sum(key: K, pick: (value: V, cpu: number) => number): number | undefined;
  sum(key: K, pick: (value: V, cpu: number) => bigint): bigint | undefined;
  /** The sum of plain numbers over all CPUs. */
  sum(this: PerCpuHashMap<K, number>, key: K): number | undefined;
  sum(this: PerCpuHashMap<K, bigint>, key: K): bigint | undefined;
  sum(key: K, pick?: (value: V, cpu: number) => number | bigint): number | bigint | undefined {
    const values = this.get(key);
    return values === undefined ? undefined : sumOf(values, pick);
  }
}

/** `percpuHash(u32, Stats)`: a BPF_MAP_TYPE_PERCPU_HASH in a skeleton. */
export const percpuHash = mapKind(
  {
    kindName: 'percpuHash',
    types: [BPF_MAP_TYPE.PERCPU_HASH],
    codecs: ['key', 'value'],
    open: (handle, key, value) =>
      new PerCpuHashMap<unknown, unknown>(handle, keyCodec(handle, key), valueCodec(handle, value)),
  },
  (kind) =>
    <K, V>(key: Codec<K>, value: Codec<V>): MapShape<PerCpuHashMap<K, V>> => ({
      // open() is given these very codecs.
      kind: kind as MapKind<PerCpuHashMap<K, V>>,
      key,
      value,
    }),
);
