import { BPF_MAP_TYPE, type Btf, type MapSpec } from '@bpfskel/runtime/inspect';
import { declaration } from './ctype.js';
import { mapTypeName } from './map-types.js';
import type { MapRecords } from './record-types.js';
import { holdsRecords } from './records.js';

/** What C says of a map, in a line: `BPF_MAP_TYPE_HASH, 64 entries: __u32 to struct stats`. */
export function mapDoc(map: MapSpec, btf: Btf | undefined, records: MapRecords | undefined): string {
  const sizes =
    map.maxEntries === 0 ? [] : [holdsBytes(map) ? byteSize(map.maxEntries) : entryCount(map.maxEntries)];
  const types = btf === undefined ? '' : mapTypes(btf, map, records);
  return [`BPF_MAP_TYPE_${mapTypeName(map.type)}`, ...sizes].join(', ') + types;
}

/** Ring buffers count bytes, other maps entries. */
function holdsBytes(map: MapSpec): boolean {
  return map.type === BPF_MAP_TYPE.RINGBUF || map.type === BPF_MAP_TYPE.USER_RINGBUF;
}

function entryCount(count: number): string {
  return count === 1 ? '1 entry' : `${count} entries`;
}

function mapTypes(btf: Btf, map: MapSpec, records: MapRecords | undefined): string {
  const key = map.keyTypeId ? declaration(btf, map.keyTypeId) : '';
  if (map.inner !== undefined) {
    return `: ${key || `${map.keySize} bytes`} to ${mapDoc(map.inner, btf, records)}`;
  }
  const record = recordText(btf, map, records);
  // What buffers declare as a key is the number of a CPU, if anything.
  if (record !== undefined && holdsRecords(map)) return `: ${record}`;
  const value = record ?? (map.valueTypeId ? declaration(btf, map.valueTypeId) : '');
  if (key === '' && value === '') return '';
  return key === '' ? `: ${value}` : `: ${key} to ${value || `${map.valueSize} bytes`}`;
}

/** What the records of a map, or the values that it does not declare, were said to be. */
function recordText(btf: Btf, map: MapSpec, records: MapRecords | undefined): string | undefined {
  const record = records?.get(map);
  if (record === undefined) return undefined;
  if (typeof record === 'number') return declaration(btf, record);
  return record.arms.map(({ typeId }) => declaration(btf, typeId)).join(' | ');
}

function byteSize(bytes: number): string {
  if (bytes >= 1 << 20 && bytes % (1 << 20) === 0) return `${bytes / (1 << 20)} MiB`;
  return bytes >= 1024 && bytes % 1024 === 0 ? `${bytes / 1024} KiB` : `${bytes} bytes`;
}
