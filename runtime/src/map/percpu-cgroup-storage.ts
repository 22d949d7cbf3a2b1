import type { Codec } from '../codec/codec.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { AttachedStorage } from './attached-storage.js';
import { type MapHandle, type MapKind, type MapShape, mapKind } from './map.js';
import { mapText } from './map-error.js';
import { OneCpuValues } from './one-cpu.js';
import { perCpu, sumOf } from './per-cpu.js';
import { keyCodec, valueCodec } from './sizes.js';

/** BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE: as a cgroup storage, with a value for each possible CPU. Linux 4.20. */
export class PerCpuCgroupStorage<K, V> extends AttachedStorage<K, V[]> {
  readonly #single: OneCpuValues<K, V>;

  constructor(handle: MapHandle, key: Codec<K>, value: Codec<V>) {
    const cpus = handle.kernel.possibleCpus();
    const values = perCpu(value, handle.valueSize, cpus, `value of ${mapText(handle)}`);
    super(handle, key, values, values.size);
    this.#single = new OneCpuValues(handle, key, value, cpus);
  }

  /**
   * The value of one possible CPU, undefined when there is no such attachment. On Linux 7.0 the kernel copies no other
   * (BPF_F_CPU).
   * @throws BpfError ERR_BPF_RANGE when there is no such CPU
   */
  getCpu(key: K, cpu: number): V | undefined {
    return this.#single.get(key, cpu);
  }

  /**
   * Writes the value of one possible CPU and leaves those of the others alone. Linux 7.0 (BPF_F_CPU).
   * @throws NotSupportedError on older kernels, which only write all of them at once
   */
  setCpu(key: K, cpu: number, value: V): this {
    this.#single.set(key, cpu, value);
    return this;
  }

  /** The sum over all CPUs of what `pick` takes from a value; undefined when there is no such attachment. */
  sum(key: K, pick: (value: V, cpu: number) => number): number | undefined;
  sum(key: K, pick: (value: V, cpu: number) => bigint): bigint | undefined;
  /** The sum of plain numbers over all CPUs. */
  sum(this: PerCpuCgroupStorage<K, number>, key: K): number | undefined;
  sum(this: PerCpuCgroupStorage<K, bigint>, key: K): bigint | undefined;
  sum(key: K, pick?: (value: V, cpu: number) => number | bigint): number | bigint | undefined {
    const values = this.get(key);
    return values === undefined ? undefined : sumOf(values, pick);
  }
}

/** `percpuCgroupStorage(u64, Stats)`: a BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE in a skeleton. */
export const percpuCgroupStorage = mapKind(
  {
    kindName: 'percpuCgroupStorage',
    types: [BPF_MAP_TYPE.PERCPU_CGROUP_STORAGE],
    codecs: ['key', 'value'],
    open: (handle, key, value) =>
      new PerCpuCgroupStorage<unknown, unknown>(handle, keyCodec(handle, key), valueCodec(handle, value)),
  },
  (kind) =>
    <K, V>(key: Codec<K>, value: Codec<V>): MapShape<PerCpuCgroupStorage<K, V>> => ({
      // open() is given these very codecs.
      kind: kind as MapKind<PerCpuCgroupStorage<K, V>>,
      key,
      value,
    }),
);
