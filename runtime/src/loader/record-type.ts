import type { Btf } from '../btf/btf.js';
import type { BtfKind } from '../btf/types.js';
import type { MapSpec } from '../object/spec.js';

const named: readonly BtfKind[] = ['struct', 'union', 'enum', 'enum64', 'typedef', 'int', 'float'];
const TAG = 'bpfskel:record=';

/**
 * The type of a buffer's records: the one that was asked for, else what the object says by a tag (`bpfskel_record(event)`
 * of bpfskel.h) or `__type(value, struct event)`. Undefined where nothing is said, or there are several.
 */
export function recordType(btf: Btf, map: MapSpec, asked: string | undefined): number | undefined {
  const text = asked ?? recordTag(btf, map.name);
  if (text !== undefined) {
    return text.includes('|') ? undefined : btf.find(text.replace(/^(struct|union|enum)\s+/, ''), ...named);
  }
  if (map.valueTypeId === 0) return undefined;
  const { kind } = btf.resolve(map.valueTypeId);
  return kind === 'struct' || kind === 'union' ? map.valueTypeId : undefined;
}

function recordTag(btf: Btf, map: string): string | undefined {
  const variable = btf.find(map, 'var');
  if (variable === undefined) return undefined;
  for (let id = btf.firstId; id < btf.endId; id++) {
    if (btf.kind(id) !== 'decl_tag') continue;
    const tag = btf.type(id);
    if (tag.kind !== 'decl_tag' || tag.type !== variable || tag.component !== -1) continue;
    if (tag.name.startsWith(TAG) && tag.name.length > TAG.length) return tag.name.slice(TAG.length);
  }
  return undefined;
}
