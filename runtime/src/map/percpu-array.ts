import type { Codec } from '../codec/codec.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { IndexedMap } from './indexed.js';
import { type MapHandle, type MapKind, type MapShape, mapKind } from './map.js';
import { indexError, mapText } from './map-error.js';
import { OneCpuValues } from './one-cpu.js';
import { perCpu, sumOf } from './per-cpu.js';
import { valueCodec } from './sizes.js';
import { indexKey } from './word.js';

/**
 * BPF_MAP_TYPE_PERCPU_ARRAY: every element has one value for each possible CPU, and is the array of them, the CPU as
 * index. Programs see the value of the CPU they run on. Linux 4.6.
 */
export class PerCpuArrayMap<V> extends IndexedMap<V[]> {
  readonly #cpus: number;
  readonly #single: OneCpuValues<number, V>;

  constructor(handle: MapHandle, value: Codec<V>) {
    const cpus = handle.kernel.possibleCpus();
    const values = perCpu(value, handle.valueSize, cpus, `value of ${mapText(handle)}`);
    super(handle, values, values.size);
    this.#cpus = cpus;
    this.#single = new OneCpuValues(handle, indexKey(handle), value, cpus);
  }

  /** Number of possible CPUs: the length of every value. */
  get cpus(): number {
    return this.#cpus;
  }

  /** Writes one value for each possible CPU; the array must have exactly {@link cpus} elements. */
  override set(index: number, values: readonly V[]): this {
    // Nothing below changes the array.
    return super.set(index, values as V[]);
  }

  /** Writes the same value for every CPU. */
  setAll(index: number, value: V): this {
    return super.set(index, new Array<V>(this.#cpus).fill(value));
  }

  /**
   * The value of one possible CPU. On Linux 7.0 the kernel copies no other (BPF_F_CPU).
   * @throws BpfError ERR_BPF_RANGE when there is no such element or CPU
   */
  getCpu(index: number, cpu: number): V {
    const value = this.#single.get(index, cpu);
    if (value === undefined) throw indexError(this.handle, 'get', index);
    return value;
  }

  /**
   * Writes the value of one possible CPU and leaves those of the others alone. Linux 7.0 (BPF_F_CPU).
   * @throws NotSupportedError on older kernels, which only write all of them at once
   */
  setCpu(index: number, cpu: number, value: V): this {
    this.#single.set(index, cpu, value);
    return this;
  }

  /** The sum over all CPUs of what `pick` takes from a value. */
  sum(index: number, pick: (value: V, cpu: number) => number): number;
  sum(index: number, pick: (value: V, cpu: number) => bigint): bigint;
  /** The sum of plain numbers over all CPUs. */
  sum(this: PerCpuArrayMap<number>, index: number): number;
  sum(this: PerCpuArrayMap<bigint>, index: number): bigint;
  sum(index: number, pick?: (value: V, cpu: number) => number | bigint): number | bigint {
    return sumOf(this.get(index), pick);
  }
}

/** `percpuArray(Stats)`: a BPF_MAP_TYPE_PERCPU_ARRAY in a skeleton. */
export const percpuArray = mapKind(
  {
    kindName: 'percpuArray',
    types: [BPF_MAP_TYPE.PERCPU_ARRAY],
    codecs: ['value'],
    open: (handle, _key, value) => new PerCpuArrayMap<unknown>(handle, valueCodec(handle, value)),
  },
  (kind) =>
    <V>(value: Codec<V>): MapShape<PerCpuArrayMap<V>> => ({
      // open() is given this very codec.
      kind: kind as MapKind<PerCpuArrayMap<V>>,
      value,
    }),
);
