import type { Btf } from '../btf/btf.js';
import { Reader } from '../bytes.js';
import { type Elf, type ElfSection, SymbolType } from '../elf.js';
import { BpfError, printable } from '../errors.js';
import type { PlacedMap } from './btf-maps.js';

/** type, key_size, value_size, max_entries, map_flags. */
const KNOWN = 20;
const LONGEST = 1024;
const ANNOTATION = '____btf_map_';

/**
 * The maps of `SEC("maps")`: one `struct bpf_map_def` a symbol, five 32-bit numbers. libbpf took them until 1.0. A
 * longer definition is fine when what is not known in it is zero.
 */
export function readLegacyMaps(elf: Elf, section: ElfSection, btf: Btf | undefined): PlacedMap[] {
  const places = elf.symbols
    .filter(({ section: index, type }) => index === section.index && isVariable(type))
    .filter(({ name }) => name !== '' && !name.startsWith('.L'))
    .map(({ name, value, size }) => ({ name, offset: value, size }))
    .sort((a, b) => a.offset - b.offset);
  const annotations = new Map(btf?.findPrefix(ANNOTATION, 'struct').map((id) => [btf.name(id), id]));
  return places.map(({ name, offset, size: own }, i) => {
    // Assemblers may leave the size of a symbol out.
    const size = own || Math.min((places[i + 1]?.offset ?? section.size) - offset, section.size);
    const bytes = new Reader(section.data, elf.littleEndian, section.name).slice(offset, size);
    const types = annotations.get(ANNOTATION + name);
    return { spec: readDefinition(name, bytes, elf.littleEndian, btf, types), offset, size };
  });
}

function isVariable(type: number): boolean {
  return type === SymbolType.OBJECT || type === SymbolType.NOTYPE;
}

function readDefinition(
  name: string,
  bytes: Uint8Array,
  littleEndian: boolean,
  btf: Btf | undefined,
  annotation: number | undefined,
) {
  const fits = bytes.length >= 16 && bytes.length <= LONGEST;
  if (!fits || bytes.subarray(KNOWN).some((byte) => byte !== 0)) {
    const what = fits
      ? 'sets fields after map_flags, which only iproute2 knows'
      : `has ${bytes.length} bytes instead of ${KNOWN}`;
    throw new BpfError(
      'ERR_BPF_MAP_DEFINITION',
      `map "${printable(name)}": its definition in SEC("maps") ${what}; declare it in SEC(".maps")`,
      { errno: 95 },
    );
  }
  const reader = new Reader(bytes, littleEndian, 'maps');
  const [keySize, valueSize] = [reader.u32(4), reader.u32(8)];
  return {
    name,
    type: reader.u32(0),
    keySize,
    valueSize,
    maxEntries: reader.u32(12),
    flags: bytes.length >= KNOWN ? reader.u32(16) : 0,
    mapExtra: 0n,
    numaNode: 0,
    pinByName: false,
    ...annotatedTypes(btf, annotation, keySize, valueSize),
    slots: [],
    origin: 'legacy' as const,
    autocreate: true,
  };
}

/** BPF_ANNOTATE_KV_PAIR: `struct ____btf_map_NAME { K key; V value; }` tells the types of key and value. */
function annotatedTypes(btf: Btf | undefined, id: number | undefined, keySize: number, valueSize: number) {
  const none = { keyTypeId: 0, valueTypeId: 0 };
  if (btf === undefined || id === undefined) return none;
  const struct = btf.type(id);
  if (struct.kind !== 'struct') return none;
  const [key, value] = struct.members;
  if (key?.name !== 'key' || value?.name !== 'value') return none;
  if (btf.sizeOf(key.type) !== keySize || btf.sizeOf(value.type) !== valueSize) return none;
  return { keyTypeId: key.type, valueTypeId: value.type };
}
