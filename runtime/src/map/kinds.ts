import * as all from './index.js';
import { type MapKind, mapKindIn } from './map.js';
import { otherMap } from './other.js';

const byType = new Map<number, MapKind>(
  Object.values(all)
    .flatMap((exported) => mapKindIn(exported) ?? [])
    .flatMap((kind) => kind.types.map((type) => [type, kind] as const)),
);
const other = mapKindIn(otherMap);

/** The kind of maps of an `enum bpf_map_type`; `otherMap` for types that have no class of their own. */
export function mapKindOf(type: number): MapKind {
  const kind = byType.get(type) ?? other;
  if (kind === undefined) throw new Error('otherMap declares no kind');
  return kind;
}
