import type { Btf } from '../btf/btf.js';
import type { Elf } from '../elf.js';
import { BpfError, printable } from '../errors.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { type PlacedMap, readBtfMaps } from './btf-maps.js';
import { dataMap, dataSection, kconfigMap } from './globals.js';
import { readLegacyMaps } from './legacy-maps.js';
import type { ObjectSections } from './sections.js';
import type { ExternSpec, MapSpec } from './spec.js';
import { type PlacedStructOps, readStructOps } from './struct-ops.js';

/** The object's maps, and where each stands in the file, for relocations. */
export interface ObjectMaps {
  readonly specs: MapSpec[];
  /** Declared maps by the index of their section; {@link PlacedMap.spec} stands in {@link specs} at `first` and after. */
  readonly declared: ReadonlyMap<number, { readonly first: number; readonly maps: readonly PlacedMap[] }>;
  /** Index of the map that holds a section of data (also the arena's), by the section's index. */
  readonly bySection: ReadonlyMap<number, number>;
  readonly structOps: readonly { readonly map: number; readonly place: PlacedStructOps }[];
}

/**
 * Every map of an object, in the order libbpf has them after open: declared ones, global data in order of sections,
 * `.kconfig`, struct_ops (bpf_object__init_maps).
 */
export function readMaps(
  elf: Elf,
  sections: ObjectSections,
  btf: Btf | undefined,
  externs: readonly ExternSpec[],
): ObjectMaps {
  const specs: MapSpec[] = [];
  const declared = new Map<number, { first: number; maps: PlacedMap[] }>();
  const bySection = new Map<number, number>();
  const declare = (section: number, maps: PlacedMap[]) => {
    declared.set(section, { first: specs.length, maps });
    for (const { spec } of maps) specs.push(spec);
  };
  if (sections.legacyMaps) declare(sections.legacyMaps.index, readLegacyMaps(elf, sections.legacyMaps, btf));
  if (sections.maps && btf) declare(sections.maps.index, readBtfMaps(btf, sections.maps));
  placeArena(sections, btf, specs, bySection);
  for (const { kind, section } of sections.data) {
    bySection.set(section.index, specs.length);
    specs.push(dataMap(btf, kind, section));
  }
  const kconfig = kconfigMap(btf, externs);
  if (kconfig) specs.push(kconfig);
  const structOps: { map: number; place: PlacedStructOps }[] = [];
  const variables =
    btf === undefined ? [] : sections.structOps.flatMap((section) => readStructOps(btf, section));
  for (const place of variables) {
    structOps.push({ map: specs.length, place });
    specs.push(place.spec);
  }
  refuseDuplicates(specs);
  return { specs, declared, bySection, structOps };
}

/** `.addr_space.1` lies in the one arena of the object. */
function placeArena(
  { arena: section }: ObjectSections,
  btf: Btf | undefined,
  specs: MapSpec[],
  bySection: Map<number, number>,
): void {
  const [index, second] = specs.flatMap(({ type }, i) => (type === BPF_MAP_TYPE.ARENA ? [i] : []));
  const arena = index === undefined ? undefined : specs[index];
  if (second !== undefined) {
    throw new BpfError('ERR_BPF_MAP_DEFINITION', 'the object has two arenas; it can have one', { errno: 22 });
  }
  if (section === undefined) return;
  if (index === undefined || arena === undefined) {
    throw new BpfError(
      'ERR_BPF_MAP_DEFINITION',
      'the object has __arena variables, but no map of type BPF_MAP_TYPE_ARENA in SEC(".maps") to hold them',
      { errno: 2 },
    );
  }
  specs[index] = { ...arena, origin: 'arena', section: dataSection(btf, 'arena', section) };
  bySection.set(section.index, index);
}

function refuseDuplicates(specs: readonly MapSpec[]): void {
  const names = new Set<string>();
  for (const { name, origin } of specs) {
    // Compilers may well emit two sections of literals with one name.
    if (names.has(name) && origin !== 'data') {
      throw new BpfError('ERR_BPF_MAP_DEFINITION', `the object has two maps "${printable(name)}"`, {
        errno: 22,
      });
    }
    names.add(name);
  }
}

/** BPF_OBJ_NAME_LEN without the closing NUL. */
const KERNEL_NAME = 15;

/**
 * The name under which libbpf asks the kernel for a map: `hello_ke.rodata` for `.rodata` of an object `hello_kern`,
 * the section's name for `.rodata.foo`, each at most 15 characters that the kernel accepts; the C name, whole, for
 * declared maps (libbpf: internal_map_name).
 */
export function kernelMapName(objectName: string, map: MapSpec): string {
  if (map.origin !== 'data' && map.origin !== 'kconfig') return map.name;
  const encoder = new TextEncoder();
  const section = encoder.encode(map.name);
  const object = encoder.encode(objectName).subarray(0, 63);
  const suffix = Math.min(Math.max(7, section.length), KERNEL_NAME);
  const custom = map.name.indexOf('.', 1) >= 0;
  const prefix = custom ? 0 : Math.min(KERNEL_NAME - suffix, object.length);
  const bytes = [...object.subarray(0, prefix), ...section.subarray(0, suffix)];
  return bytes.map((byte) => String.fromCharCode(byte).replace(/[^A-Za-z0-9_.]/, '_')).join('');
}

/** The name libbpf shows for a map, bpf_map__name(): as {@link kernelMapName}, but `.data.foo` and `.rodata.foo` whole. */
export function libbpfMapName(objectName: string, map: MapSpec): string {
  const custom =
    map.section?.kind === 'data' || map.section?.kind === 'rodata' ? map.name.indexOf('.', 1) >= 0 : false;
  return custom ? map.name : kernelMapName(objectName, map);
}
