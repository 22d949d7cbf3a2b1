import {
  BPF_MAP_TYPE,
  BpfError,
  type Btf,
  type BtfKind,
  type MapSpec,
  printable,
} from '@bpfskel/runtime/inspect';
import { declTags } from './decl-tags.js';
import { nearest } from './nearest.js';

const named: BtfKind[] = ['struct', 'union', 'enum', 'enum64', 'typedef', 'int', 'float'];

const buffers = new Set<number>([
  BPF_MAP_TYPE.RINGBUF,
  BPF_MAP_TYPE.USER_RINGBUF,
  BPF_MAP_TYPE.PERF_EVENT_ARRAY,
]);

/** The id of a type by name, with or without its keyword: `event`, `struct event`. Throws when there is none. */
export function findType(btf: Btf, name: string): number {
  const bare = name.replace(/^(struct|union|enum)\s+/, '');
  const id = btf.find(bare, ...named);
  if (id !== undefined) return id;
  const close = nearest(bare, typeNames(btf)).map((near) => printable(near));
  throw new BpfError(
    'ERR_BPF_NAME',
    `the object's BTF has no type "${printable(bare)}"` +
      (close.length > 0
        ? `; it has ${close.join(', ')}`
        : '; a type that no variable, map or function of the C source uses is not in BTF. bpfskel_type(struct NAME) of bpfskel.h keeps it there'),
  );
}

/** What the type of a map's records was said to be: by `--record`, else by the tag `bpfskel:record=TYPE` on its variable. */
export function recordText(btf: Btf, map: MapSpec, asked: ReadonlyMap<string, string>): string | undefined {
  const variable = btf.find(map.name, 'var');
  return asked.get(map.name) ?? (variable === undefined ? undefined : declTags(btf, variable, 'record')[0]);
}

/** True for ring and perf buffers. */
export function holdsRecords(map: MapSpec): boolean {
  return buffers.has(map.type);
}

/**
 * The type of a ring or perf buffer's records: what it was said to be, else the struct or union that its
 * `__type(value, ...)` names. Of other maps, the type of the value that was asked for.
 */
export function recordType(btf: Btf, map: MapSpec, text: string | undefined): number | undefined {
  if (text !== undefined) {
    const type = findType(btf, text);
    if (!holdsRecords(map)) assertFits(btf, map, type, text);
    return type;
  }
  if (!holdsRecords(map) || map.valueTypeId === 0) return undefined;
  const { kind } = btf.resolve(map.valueTypeId);
  return kind === 'struct' || kind === 'union' ? map.valueTypeId : undefined;
}

/** Values have the size that the map was declared with, whatever they are called. */
function assertFits(btf: Btf, map: MapSpec, type: number, text: string): void {
  const size = btf.sizeOf(type);
  if (size === map.valueSize) return;
  throw new BpfError(
    'ERR_BPF_NAME',
    `--record: "${printable(text)}" has ${size} bytes, and the values of map "${printable(map.name)}" have ${map.valueSize}`,
  );
}

function* typeNames(btf: Btf): Generator<string> {
  for (let id = btf.firstId; id < btf.endId; id++) {
    const kind = btf.kind(id);
    if (kind === 'struct' || kind === 'union' || kind === 'enum' || kind === 'enum64' || kind === 'typedef') {
      const name = btf.name(id);
      if (name !== '') yield name;
    }
  }
}
