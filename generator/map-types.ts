import { BPF_MAP_TYPE } from '@bpfskel/runtime/inspect';

const names = new Map<number, string>(Object.entries(BPF_MAP_TYPE).map(([name, type]) => [type, name]));

/** `HASH` for 1: the name of an `enum bpf_map_type` without its prefix, or the number of one that is not known. */
export function mapTypeName(type: number): string {
  return names.get(type) ?? String(type);
}
