import type { Btf } from '../btf/btf.js';
import type { BtfComposite } from '../btf/types.js';
import type { ElfSection } from '../elf.js';
import { BpfError, NotSupportedError, printable } from '../errors.js';
import { BPF_F_LINK, BPF_MAP_TYPE } from '../uapi.js';
import type { MapSpec } from './spec.js';

/** A struct_ops variable and where it lies in its section. */
export interface PlacedStructOps {
  readonly spec: MapSpec;
  readonly section: number;
  readonly offset: number;
  readonly struct: BtfComposite;
}

/**
 * The variables of a `.struct_ops` section: each becomes a map whose value is the struct as the object fills it in.
 * `keyTypeId` and `valueTypeId` are those of the object; the kernel's are looked up at load (libbpf: init_struct_ops_maps).
 */
export function readStructOps(btf: Btf, section: ElfSection): PlacedStructOps[] {
  const id = btf.findOwn(section.name, 'datasec');
  const datasec = id === undefined ? undefined : btf.type(id);
  if (datasec?.kind !== 'datasec') {
    throw refuse(`BTF does not describe section "${printable(section.name)}"`);
  }
  const optional = section.name.startsWith('?');
  const flags = section.name.endsWith('.link') ? BPF_F_LINK : 0;
  return datasec.vars.map(({ type, offset }) => {
    const variable = btf.type(type);
    const name = btf.name(type);
    if (variable.kind !== 'var')
      throw refuse(`section "${printable(section.name)}" holds a ${variable.kind}`);
    const struct = btf.resolve(variable.type);
    if (struct.kind !== 'struct')
      throw refuse(`"${printable(name)}" is a ${struct.kind}, but must be a struct`);
    if (struct.name === '') {
      throw new NotSupportedError(
        'struct_ops',
        `"${printable(name)}": its struct has no name, so no kernel type can match it`,
        {
          errno: 95,
        },
      );
    }
    if (offset + struct.size > section.size) {
      throw refuse(`"${printable(name)}" ends at byte ${offset + struct.size} of ${section.size}`);
    }
    const spec: MapSpec = {
      name,
      type: BPF_MAP_TYPE.STRUCT_OPS,
      keySize: 4,
      valueSize: struct.size,
      maxEntries: 1,
      flags,
      mapExtra: 0n,
      numaNode: 0,
      pinByName: false,
      keyTypeId: 0,
      valueTypeId: struct.id,
      slots: [],
      section: {
        name: section.name,
        kind: 'struct_ops',
        bytes: section.data.subarray(offset, offset + struct.size),
        typeId: datasec.id,
        variables: [{ name, typeId: variable.type, offset: 0, size: struct.size, linkage: variable.linkage }],
        mmapable: false,
      },
      origin: 'struct_ops',
      autocreate: !optional,
    };
    return { spec, section: section.index, offset, struct };
  });
}

function refuse(message: string): BpfError {
  return new BpfError('ERR_BPF_MAP_DEFINITION', message, { errno: 22 });
}
