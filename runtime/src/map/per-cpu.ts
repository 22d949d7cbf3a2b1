import { alignUp } from '../bytes.js';
import type { Codec } from '../codec/codec.js';
import { roomFor } from '../codec/elements.js';
import { writeWithin } from '../codec/struct.js';
import { BpfError } from '../errors.js';

/** Bytes from one CPU's value to the next (kernel: bpf_map_value_size, libbpf the same). */
export function perCpuStride(valueSize: number): number {
  return alignUp(valueSize, 8);
}

/** One value for every possible CPU, at the index of the CPU. */
export function perCpu<V>(codec: Codec<V>, valueSize: number, cpus: number, what: string): Codec<V[]> {
  const stride = perCpuStride(valueSize);
  return {
    size: stride * cpus,
    read(view, offset) {
      const values = roomFor<V>(cpus);
      for (let cpu = 0, at = offset; cpu < cpus; cpu++, at += stride) {
        values[cpu] = codec.read(view, at, at + valueSize);
      }
      return values;
    },
    write(view, offset, values) {
      if (values.length !== cpus) {
        throw new BpfError(
          'ERR_BPF_LAYOUT',
          `${what}: takes one value for each of ${cpus} possible CPUs, ${values.length} were given`,
        );
      }
      for (let cpu = 0; cpu < cpus; cpu++) {
        writeWithin(codec, view, offset + cpu * stride, valueSize, values[cpu] as V); // as many as there are CPUs
      }
    },
  };
}

/** The sum over all CPUs of what `pick` takes from each value; of the values themselves without `pick`. */
export function sumOf<V>(
  values: readonly V[],
  pick?: (value: V, cpu: number) => number | bigint,
): number | bigint {
  const terms = values.map((value, cpu) => (pick === undefined ? value : pick(value, cpu)));
  // A number or a bigint, and `+` is right for either: the overloads of sum() never mix them.
  return terms.reduce((total, term) => (total as number) + (term as number)) as number | bigint;
}
