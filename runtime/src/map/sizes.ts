import type { Codec } from '../codec/codec.js';
import { explained } from '../codec/refusal.js';
import { BpfError } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import type { MapHandle } from './map.js';
import { mapText } from './map-error.js';
import { perCpuStride } from './per-cpu.js';
import { assertBytes, raw } from './raw.js';

/** The codec of a map's keys: the skeleton's, once it fits, or raw bytes. */
export function keyCodec(handle: MapHandle, codec: Codec<unknown> | undefined): Codec<unknown> {
  const what = `key of ${mapText(handle)}`;
  if (codec === undefined) return raw(handle.keySize, what);
  if (codec.size !== handle.keySize) throw misfit(what, codec.size, handle.keySize);
  return explained(codec, what);
}

/**
 * The codec of a map's values. It may cover less than the value: the type may end in a flexible array, or the value
 * may have been enlarged before load.
 */
export function valueCodec(handle: MapHandle, codec: Codec<unknown> | undefined): Codec<unknown> {
  const what = `value of ${mapText(handle)}`;
  if (codec === undefined) return raw(handle.valueSize, what);
  if (codec.size > handle.valueSize) throw misfit(what, codec.size, handle.valueSize);
  return explained(codec, what);
}

/**
 * What takes a value's bytes as they are, and refuses another number of them. `size` is what a lookup fills:
 * for per-CPU maps, all CPUs.
 */
export function rawValue(handle: MapHandle, size: number): Codec<Uint8Array> {
  const what = `value of ${mapText(handle)}`;
  const stride = perCpuStride(handle.valueSize);
  const plain = raw(size, what);
  if (size === handle.valueSize) return plain;
  return {
    ...plain,
    write(view, offset, value) {
      assertBytes(value, size, what);
      if (value.length !== size) {
        throw new BpfError(
          'ERR_BPF_LAYOUT',
          `${what}: takes ${size} bytes, ${stride} for each of ${size / stride} possible CPUs; ${value.length} were given`,
        );
      }
      plain.write(view, offset, value);
    },
  };
}

function misfit(what: string, codec: number, map: number): BpfError {
  return new BpfError(
    'ERR_BPF_LAYOUT',
    `${what}: its type has ${codec} bytes, but the map has ${map}; generate the skeleton from the object that is loaded`,
  );
}

// Maps whose elements are descriptors of something else; a lookup gives its id (kernel: IS_FD_MAP).
const fdMaps: readonly number[] = [
  BPF_MAP_TYPE.PROG_ARRAY,
  BPF_MAP_TYPE.PERF_EVENT_ARRAY,
  BPF_MAP_TYPE.CGROUP_ARRAY,
  BPF_MAP_TYPE.ARRAY_OF_MAPS,
  BPF_MAP_TYPE.HASH_OF_MAPS,
];
const perCpuMaps: readonly number[] = [
  BPF_MAP_TYPE.PERCPU_HASH,
  BPF_MAP_TYPE.PERCPU_ARRAY,
  BPF_MAP_TYPE.LRU_PERCPU_HASH,
  BPF_MAP_TYPE.PERCPU_CGROUP_STORAGE,
];

/** Bytes that a lookup in a map fills (kernel: bpf_map_value_size). */
export function lookupSize(map: { type: number; valueSize: number }, kernel: Kernel): number {
  if (perCpuMaps.includes(map.type)) return perCpuStride(map.valueSize) * kernel.possibleCpus();
  return fdMaps.includes(map.type) ? 4 : map.valueSize;
}
