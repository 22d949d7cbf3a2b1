import * as all from './index.js';
import { type MapKind, mapKindIn } from './map.js';
import { otherMap } from './other.js';

// Kinds that ask for flags come first: without them, the other of their type serves.
const kinds = Object.values(all)
  .flatMap((exported) => mapKindIn(exported) ?? [])
  .sort((a, b) => (b.flags ?? 0) - (a.flags ?? 0));
const byType = new Map<number, MapKind[]>();
for (const kind of kinds) {
  for (const type of kind.types) byType.set(type, [...(byType.get(type) ?? []), kind]);
}
const other = mapKindIn(otherMap);

/** All kinds of maps. */
export function mapKinds(): readonly MapKind[] {
  return kinds;
}

/** The kind of maps of an `enum bpf_map_type`, with flags BPF_F_*; `otherMap` for types that have no class of their own. */
export function mapKindOf(type: number, flags = 0): MapKind {
  const kind = byType.get(type)?.find((one) => ((one.flags ?? 0) & ~flags) === 0) ?? other;
  if (kind === undefined) throw new Error('otherMap declares no kind');
  return kind;
}
