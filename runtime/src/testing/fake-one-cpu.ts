import { alignUp } from '../bytes.js';
import { BPF_F_CPU, kernelVersion } from '../uapi.js';
import type { FakeMap } from './fake-map.js';
import { refusal } from './refusal.js';

/** Flags in the lower half of which BPF_F_CPU is, with a CPU in the upper half (kernel: bpf_map_check_op_flags). */
export const namesCpu = (flags: bigint): boolean => (flags & BPF_F_CPU) !== 0n;

const LOWER_HALF = 0xffff_ffffn;

/** Where the value of the CPU that the flags name lies in a map's values, or the refusal. */
function placeOf(map: FakeMap, flags: bigint, version: number, syscall: string): number {
  const stride = alignUp(map.attributes.valueSize, 8);
  if (version < kernelVersion(7, 0) || !map.perCpu) throw refusal(syscall, 'EINVAL');
  const at = Number(flags >> 32n) * stride;
  if (at >= map.lookupSize) throw refusal(syscall, 'ERANGE');
  return at;
}

/** A lookup of one CPU's value. */
export function lookupCpu(
  map: FakeMap,
  key: Uint8Array | null,
  value: Uint8Array,
  flags: bigint,
  version: number,
): boolean {
  const at = placeOf(map, flags, version, 'bpf(BPF_MAP_LOOKUP_ELEM)');
  const all = new Uint8Array(map.lookupSize);
  const found = map.lookup(key, all);
  if (found) value.set(all.subarray(at, at + map.attributes.valueSize));
  return found;
}

/** An update of one CPU's value; those of a new key are whatever an earlier entry left there, 0xee here. */
export function updateCpu(
  map: FakeMap,
  key: Uint8Array | null,
  value: Uint8Array,
  flags: bigint,
  version: number,
): void {
  const at = placeOf(map, flags, version, 'bpf(BPF_MAP_UPDATE_ELEM)');
  const all = new Uint8Array(map.lookupSize).fill(0xee);
  map.lookup(key, all);
  all.set(value.subarray(0, map.attributes.valueSize), at);
  map.update(key, all, flags & LOWER_HALF & ~BPF_F_CPU);
}
