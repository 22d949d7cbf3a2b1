import type { Codec } from '../codec/codec.js';
import { writeWithin } from '../codec/struct.js';
import { BpfError, printable } from '../errors.js';
import { refusal } from '../link/attach-error.js';
import { BPF_F_CPU, BPF_NOEXIST, kernelVersion } from '../uapi.js';
import type { MapHandle } from './map.js';
import { hasCode, keyText, mapText, operationError, updateError } from './map-error.js';
import { perCpuStride } from './per-cpu.js';

/** The values of single CPUs in a map that has one for each. */
export class OneCpuValues<K, V> {
  readonly #handle: MapHandle;
  readonly #key: Codec<K>;
  readonly #value: Codec<V>;
  readonly #cpus: number;
  readonly #addsKeys: boolean;

  /** `addsKeys`: writing a key that is not there adds it. */
  constructor(handle: MapHandle, key: Codec<K>, value: Codec<V>, cpus: number, addsKeys = false) {
    this.#handle = handle;
    this.#key = key;
    this.#value = value;
    this.#cpus = cpus;
    this.#addsKeys = addsKeys;
  }

  /** Undefined when the map does not have `key`. Kernels that know no single CPUs give all values, and one is kept. */
  get(key: K, cpu: number): V | undefined {
    this.#check('get', cpu);
    const { kernel, valueSize } = this.#handle;
    const alone = this.#knowsCpus;
    const bytes = this.#room();
    const at = alone ? 0 : cpu * perCpuStride(valueSize);
    try {
      const flags = alone ? flagsFor(cpu) : 0n;
      if (!kernel.mapLookup(this.#handle.fd(), this.#keyBytes(key), bytes, flags)) return undefined;
    } catch (error) {
      throw operationError(this.#handle, error, 'get from');
    }
    return this.#value.read(new DataView(bytes.buffer), at, at + valueSize);
  }

  /**
   * Writes the value of `cpu` alone. Where keys can be new, one that is gets zeros for the other CPUs: the kernel leaves
   * there what an earlier entry had (kernel/bpf/hashtab.c, pcpu_init_value).
   */
  set(key: K, cpu: number, value: V): void {
    this.#check('set', cpu);
    const keyBytes = this.#keyBytes(key);
    const { kernel } = this.#handle;
    try {
      if (this.#isNew(keyBytes) && this.#create(keyBytes, cpu, value)) return;
      kernel.mapUpdate(this.#handle.fd(), keyBytes, this.#roomWith(value, 0), flagsFor(cpu));
    } catch (error) {
      if (this.#knowsCpus || !hasCode(error, 'EINVAL')) throw updateError(this.#handle, error, key);
      const head = `set ${keyText(key)} of ${mapText(this.#handle)} for CPU ${cpu}`;
      const why = `the values of single CPUs can be written since Linux 7.0, and this is ${printable(kernel.release)}`;
      const unsupported = { feature: 'values of single CPUs', since: '7.0' };
      throw refusal(head, error, { why, unsupported });
    }
  }

  #isNew(key: Uint8Array): boolean {
    if (!this.#addsKeys || !this.#knowsCpus) return false;
    return !this.#handle.kernel.mapLookup(this.#handle.fd(), key, this.#room());
  }

  /** False when somebody else was quicker. */
  #create(key: Uint8Array, cpu: number, value: V): boolean {
    const all = this.#roomWith(value, cpu * perCpuStride(this.#handle.valueSize));
    try {
      this.#handle.kernel.mapUpdate(this.#handle.fd(), key, all, BPF_NOEXIST);
      return true;
    } catch (error) {
      if (hasCode(error, 'EEXIST')) return false;
      throw error;
    }
  }

  get #knowsCpus(): boolean {
    return this.#handle.kernel.version >= kernelVersion(7, 0);
  }

  /** As large as the values of all CPUs are: what the kernel makes of the flags is its own. */
  #room(): Uint8Array {
    return new Uint8Array(perCpuStride(this.#handle.valueSize) * this.#cpus);
  }

  #roomWith(value: V, offset: number): Uint8Array {
    const room = this.#room();
    writeWithin(this.#value, new DataView(room.buffer), offset, this.#handle.valueSize, value);
    return room;
  }

  #keyBytes(key: K): Uint8Array {
    const bytes = new Uint8Array(this.#handle.keySize);
    this.#key.write(new DataView(bytes.buffer), 0, key);
    return bytes;
  }

  #check(operation: string, cpu: number): void {
    if (Number.isInteger(cpu) && cpu >= 0 && cpu < this.#cpus) return;
    throw new BpfError(
      'ERR_BPF_RANGE',
      `${operation} a value of ${mapText(this.#handle)} for CPU ${cpu}: the possible CPUs are the integers from 0 to ${this.#cpus - 1}`,
    );
  }
}

/** BPF_F_CPU, with the CPU in the upper half. */
function flagsFor(cpu: number): bigint {
  return BPF_F_CPU | (BigInt(cpu) << 32n);
}
