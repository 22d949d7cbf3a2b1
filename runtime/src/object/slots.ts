import type { Btf } from '../btf/btf.js';
import { type ElfSymbol, eachRelocation } from '../elf.js';
import { BpfError, printable } from '../errors.js';
import { INSN_SIZE } from '../insn.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import type { PlacedMap } from './btf-maps.js';
import type { Unit } from './programs.js';
import type { RelocationContext } from './relocs.js';
import type { MapSpec } from './spec.js';
import type { PlacedStructOps } from './struct-ops.js';

const POINTER = 8;

type Slot = MapSpec['slots'][number];

/**
 * What C initialises maps with: inner maps and tail-called programs in `.values`, programs in struct_ops members
 * (libbpf: bpf_object__collect_map_relos, bpf_object__collect_st_ops_relos). A struct_ops slot's index is the member's.
 * Returns the maps with their slots.
 */
export function fillSlots(context: RelocationContext): MapSpec[] {
  const slots = new Map<number, Map<number, Slot>>();
  const put = (map: number, slot: Slot) => {
    const known = slots.get(map) ?? new Map<number, Slot>();
    slots.set(map, known.set(slot.index, slot));
  };
  readValues(context, put);
  readMembers(context, put);
  return context.maps.specs.map((spec, i) => {
    const filled = slots.get(i);
    if (filled === undefined) return spec;
    return { ...spec, slots: [...filled.values()].sort((a, b) => a.index - b.index) };
  });
}

function readValues(context: RelocationContext, put: (map: number, slot: Slot) => void): void {
  const { elf, sections, maps, units } = context;
  const section = sections.maps;
  const declared = section && maps.declared.get(section.index);
  if (section === undefined || declared === undefined) return;
  const programs = new Map(units.all.filter(({ program }) => program).map((unit) => [unit.spec.name, unit]));
  const names = new Set(declared.maps.map(({ spec }) => spec.name));
  for (const table of sections.relocations.get(section.index) ?? []) {
    eachRelocation(elf, table, (offset, number) => {
      const symbol = elf.symbols[number];
      const index = lastAtOrBefore(declared.maps, offset);
      const place = declared.maps[index];
      if (symbol === undefined || place === undefined || offset + POINTER > place.offset + place.size) {
        throw refuse(`".maps" is initialised at byte ${offset}, where no map is`);
      }
      const values = place.values;
      if (values === undefined || offset < values || (offset - values) % POINTER !== 0) {
        throw refuse(`map "${printable(place.spec.name)}" is initialised outside its "values"`);
      }
      const target = slotTarget(place, symbol, section.index, names, programs);
      put(declared.first + index, { index: (offset - values) / POINTER, ...target });
    });
  }
}

function slotTarget(
  { spec }: PlacedMap,
  symbol: ElfSymbol,
  mapsSection: number,
  maps: ReadonlySet<string>,
  programs: ReadonlyMap<string, Unit>,
): Omit<Slot, 'index'> {
  const name = symbol.name;
  const map = printable(spec.name);
  const what = printable(name);
  if (spec.type === BPF_MAP_TYPE.PROG_ARRAY) {
    const unit = programs.get(name);
    if (unit === undefined || unit.section !== symbol.section || unit.first * INSN_SIZE !== symbol.value) {
      throw refuse(`map "${map}" is initialised with "${what}", which is no program`);
    }
    return { kind: 'program', name };
  }
  if (spec.type !== BPF_MAP_TYPE.ARRAY_OF_MAPS && spec.type !== BPF_MAP_TYPE.HASH_OF_MAPS) {
    throw refuse(`map "${map}" is initialised, but only maps of maps and prog arrays can be`);
  }
  if (spec.type === BPF_MAP_TYPE.HASH_OF_MAPS && spec.keySize !== 4) {
    throw refuse(`map "${map}" is initialised, so its keys must have 4 bytes, not ${spec.keySize}`);
  }
  if (symbol.section !== mapsSection || !maps.has(name)) {
    throw refuse(`map "${map}" is initialised with "${what}", which is no map of SEC(".maps")`);
  }
  return { kind: 'map', name };
}

function readMembers(context: RelocationContext, put: (map: number, slot: Slot) => void): void {
  const { elf, sections, maps, btf } = context;
  if (btf === undefined) return;
  for (const section of sections.structOps) {
    const here = maps.structOps.filter(({ place }) => place.section === section.index);
    const places = here.map(({ place }) => place);
    const members = new MemberIndex();
    for (const table of sections.relocations.get(section.index) ?? []) {
      eachRelocation(elf, table, (offset, number) => {
        const symbol = elf.symbols[number];
        const found = here[lastAtOrBefore(places, offset)];
        if (
          symbol === undefined ||
          found === undefined ||
          offset >= found.place.offset + found.place.struct.size
        ) {
          throw refuse(
            `section "${printable(section.name)}" is initialised at byte ${offset}, where no variable is`,
          );
        }
        const index = members.at(found.place, offset);
        put(found.map, { index, kind: 'program', name: callback(context, btf, found.place, index, symbol) });
      });
    }
  }
}

/** Members of struct_ops types by where they are; types may be large and asked for often. */
class MemberIndex {
  readonly #byType = new Map<number, Map<number, number>>();

  at({ struct, offset: start, spec }: PlacedStructOps, offset: number): number {
    let members = this.#byType.get(struct.id);
    if (members === undefined) {
      members = new Map();
      for (const [i, { bitOffset }] of struct.members.entries()) {
        if (!members.has(bitOffset)) members.set(bitOffset, i);
      }
      this.#byType.set(struct.id, members);
    }
    const index = members.get((offset - start) * 8);
    if (index === undefined) {
      throw refuse(
        `struct_ops "${printable(spec.name)}" is initialised at byte ${offset - start}, where no member begins`,
      );
    }
    return index;
  }
}

function callback(
  { units }: RelocationContext,
  btf: Btf,
  { struct, spec }: PlacedStructOps,
  index: number,
  symbol: ElfSymbol,
): string {
  const member = struct.members[index];
  const where = `struct_ops "${printable(spec.name)}": member "${printable(member?.name ?? '')}"`;
  const pointer = member && btf.resolve(member.type);
  if (pointer?.kind !== 'ptr' || btf.resolve(pointer.type).kind !== 'func_proto') {
    throw refuse(`${where} is initialised, but is no pointer to a function`);
  }
  const unit =
    symbol.value % INSN_SIZE === 0 ? units.at(symbol.section, symbol.value / INSN_SIZE) : undefined;
  if (unit === undefined || !('sec' in unit.spec) || !/^struct_ops(\.s)?(\/|$)/.test(unit.spec.sec)) {
    throw refuse(`${where} is "${printable(symbol.name)}", which is no program of SEC("struct_ops")`);
  }
  return unit.spec.name;
}

/** Index of the last place that begins at or before `offset`, -1 when there is none. */
function lastAtOrBefore(places: readonly { readonly offset: number }[], offset: number): number {
  let low = 0;
  let high = places.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((places[middle]?.offset ?? 0) <= offset) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function refuse(message: string): BpfError {
  return new BpfError('ERR_BPF_MAP_DEFINITION', message, { errno: 22 });
}
