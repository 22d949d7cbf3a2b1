import type { Btf } from '../btf/btf.js';
import type { BtfComposite, BtfMember } from '../btf/types.js';
import type { ElfSection } from '../elf.js';
import { BpfError, NotSupportedError, printable } from '../errors.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import type { MapSpec } from './spec.js';

const EINVAL = 22;
const EOPNOTSUPP = 95;

/** A map of `.maps` and the bytes of the section that stand for it. */
export interface PlacedMap {
  readonly spec: MapSpec;
  readonly offset: number;
  readonly size: number;
  /** Where its `values` begin, in bytes from the start of the section; undefined when it has none. */
  readonly values?: number;
}

type Definition = Omit<MapSpec, 'name' | 'slots' | 'section' | 'origin' | 'autocreate' | 'inner'> & {
  readonly inner?: Definition;
};

/**
 * The maps of `SEC(".maps")`, declared by the members of a struct: `int (*max_entries)[1024]` says 1024, `struct key *key`
 * says the key's type (libbpf: bpf_object__init_user_btf_maps, parse_btf_map_def). Throws BpfError for whatever libbpf refuses.
 */
export function readBtfMaps(btf: Btf, section: ElfSection): PlacedMap[] {
  const id = btf.findOwn('.maps', 'datasec');
  const datasec = id === undefined ? undefined : btf.type(id);
  if (datasec?.kind !== 'datasec') throw refuse('BTF does not describe section ".maps"', 2);
  const definitions = new Map<number, Definition>();
  return datasec.vars.map(({ type, offset, size }) => {
    const variable = btf.type(type);
    const name = btf.name(type);
    if (variable.kind !== 'var' || name === '') throw refuse(`".maps" holds a nameless ${variable.kind}`);
    if (offset + size > section.size)
      throw mapError(name, `it ends at byte ${offset + size} of ${section.size}`);
    if (variable.linkage !== 'global') {
      throw new NotSupportedError(
        'static maps',
        `map "${printable(name)}": it is ${variable.linkage}, but must be global`,
        {
          errno: EOPNOTSUPP,
        },
      );
    }
    const struct = btf.resolve(variable.type);
    if (struct.kind !== 'struct') throw mapError(name, `it is a ${struct.kind}, but must be a struct`);
    if (struct.size > size) throw mapError(name, `its struct has ${struct.size} bytes, the variable ${size}`);
    const definition = definitions.get(struct.id) ?? new MapReader(btf, name, false).read(struct);
    definitions.set(struct.id, definition);
    const last = struct.members.at(-1);
    return {
      spec: toSpec(definition, name),
      offset,
      size,
      ...(last?.name === 'values' && { values: offset + last.bitOffset / 8 }),
    };
  });
}

function toSpec({ inner, ...definition }: Definition, name: string): MapSpec {
  return {
    ...definition,
    name,
    ...(inner !== undefined && { inner: toSpec(inner, `${name}.inner`) }),
    slots: [],
    origin: 'btf',
    autocreate: true,
  };
}

class MapReader {
  readonly #btf: Btf;
  readonly #map: string;
  readonly #inner: boolean;

  constructor(btf: Btf, map: string, inner: boolean) {
    this.#btf = btf;
    this.#map = map;
    this.#inner = inner;
  }

  read(struct: BtfComposite): Definition {
    let [type, keySize, valueSize, maxEntries, flags, numaNode] = [0, 0, 0, 0, 0, 0];
    let [keyTypeId, valueTypeId, mapExtra, pinByName] = [0, 0, 0n, false];
    let inner: Definition | undefined;
    for (const member of struct.members) {
      switch (member.name) {
        case 'type':
          type = this.#int(member);
          break;
        case 'max_entries':
          maxEntries = this.#int(member);
          break;
        case 'map_flags':
          flags = this.#int(member);
          break;
        case 'numa_node':
          numaNode = this.#int(member);
          break;
        case 'key_size':
          keySize = this.#agreed(member, keySize, this.#int(member));
          break;
        case 'value_size':
          valueSize = this.#agreed(member, valueSize, this.#int(member));
          break;
        case 'key':
          keyTypeId = this.#pointee(member);
          keySize = this.#agreed(member, keySize, this.#sizeOf(member, keyTypeId));
          break;
        case 'value':
          valueTypeId = this.#pointee(member);
          valueSize = this.#agreed(member, valueSize, this.#sizeOf(member, valueTypeId));
          break;
        case 'values':
          if (member !== struct.members.at(-1)) throw this.#error('"values" must be its last member');
          valueSize = this.#agreed(member, valueSize, 4);
          inner = this.#values(member, type);
          break;
        case 'pinning':
          pinByName = this.#pinning(member);
          break;
        case 'map_extra':
          mapExtra = this.#long(member);
          break;
        default:
          throw new NotSupportedError(
            'map definition',
            `map "${printable(this.#map)}": its definition has a member "${printable(member.name)}" that is not known`,
            { errno: EOPNOTSUPP },
          );
      }
    }
    if (type === 0) throw this.#error('it has no type; add __uint(type, BPF_MAP_TYPE_...)');
    const sizes = { keySize, valueSize, maxEntries, flags, numaNode, mapExtra };
    return { type, ...sizes, keyTypeId, valueTypeId, pinByName, ...(inner !== undefined && { inner }) };
  }

  /** `__uint(name, N)`: a pointer to an array of N. */
  #int(member: BtfMember): number {
    const pointer = this.#btf.resolve(member.type);
    if (pointer.kind !== 'ptr')
      throw this.#error(`"${member.name}" is a ${pointer.kind}; write it with __uint()`);
    const array = this.#btf.type(pointer.type);
    if (array.kind !== 'array')
      throw this.#error(`"${member.name}" points to a ${array.kind}; write it with __uint()`);
    return array.length;
  }

  /** `__ulong(name, N)`: an enum with one value; or as {@link #int}. */
  #long(member: BtfMember): bigint {
    const type = this.#btf.resolve(member.type);
    if (type.kind === 'ptr') return BigInt(this.#int(member));
    if (type.kind !== 'enum' && type.kind !== 'enum64') {
      throw this.#error(`"${member.name}" is a ${type.kind}; write it with __ulong()`);
    }
    const [only, second] = type.values;
    if (only === undefined || second !== undefined) throw this.#error(`"${member.name}" has not one value`);
    return BigInt.asUintN(64, typeof only.value === 'bigint' ? only.value : BigInt(only.value | 0));
  }

  #pointee(member: BtfMember): number {
    const pointer = this.#btf.type(member.type);
    if (pointer.kind !== 'ptr')
      throw this.#error(`"${member.name}" is a ${pointer.kind}; write it with __type()`);
    return pointer.type;
  }

  #sizeOf(member: BtfMember, id: number): number {
    const type = this.#btf.resolve(id);
    if (type.kind === 'void' || type.kind === 'fwd' || type.kind === 'func_proto') {
      throw this.#error(`the type of "${member.name}" is a ${type.kind}, which has no size`);
    }
    return this.#btf.sizeOf(id);
  }

  #agreed(member: BtfMember, known: number, size: number): number {
    if (known !== 0 && known !== size) {
      throw this.#error(`"${member.name}" says ${size} bytes, another member says ${known}`);
    }
    return size;
  }

  /** `__array(values, T)`: the shape of inner maps, or the signature of a prog array's programs. */
  #values(member: BtfMember, type: number): Definition | undefined {
    const programs = type === BPF_MAP_TYPE.PROG_ARRAY;
    const maps = type === BPF_MAP_TYPE.ARRAY_OF_MAPS || type === BPF_MAP_TYPE.HASH_OF_MAPS;
    if (this.#inner) throw this.#unsupported('maps in maps in maps do not exist');
    if (!programs && !maps) throw this.#unsupported('only maps of maps and prog arrays have "values"');
    const array = this.#btf.type(member.type);
    if (array.kind !== 'array' || array.length !== 0) throw this.#error('"values" is no array of length 0');
    const pointer = this.#btf.resolve(array.element);
    if (pointer.kind !== 'ptr') throw this.#error(`"values" holds a ${pointer.kind} instead of pointers`);
    const target = this.#btf.resolve(pointer.type);
    if (programs) {
      if (target.kind !== 'func_proto')
        throw this.#error(`"values" point to a ${target.kind}, not to functions`);
      return undefined;
    }
    if (target.kind !== 'struct')
      throw this.#error(`"values" point to a ${target.kind}, not to a map definition`);
    return new MapReader(this.#btf, `${this.#map}.inner`, true).read(target);
  }

  #pinning(member: BtfMember): boolean {
    if (this.#inner) throw this.#error('an inner map cannot be pinned');
    const value = this.#int(member);
    if (value > 1)
      throw this.#error(`pinning ${value} is neither LIBBPF_PIN_NONE (0) nor LIBBPF_PIN_BY_NAME (1)`);
    return value === 1;
  }

  #error(what: string): BpfError {
    return mapError(this.#map, what);
  }

  #unsupported(what: string): NotSupportedError {
    return new NotSupportedError('map definition', `map "${printable(this.#map)}": ${what}`, {
      errno: EOPNOTSUPP,
    });
  }
}

function mapError(map: string, what: string): BpfError {
  return refuse(`map "${printable(map)}": ${what}`);
}

function refuse(message: string, errno = EINVAL): BpfError {
  return new BpfError('ERR_BPF_MAP_DEFINITION', message, { errno });
}
