import type { Btf, BtfMember, MapSpec } from '@bpfskel/runtime/inspect';
import { declaration } from './ctype.js';
import type { Entry } from './entry.js';
import type { Imports } from './imports.js';
import { Scope } from './names.js';
import { comment, propertyKey } from './quote.js';
import type { TypeTable } from './types.js';

/** A struct_ops map in a skeleton: what can be set of it before load. */
export interface OpsModel {
  readonly doc: string;
  readonly key: string;
  readonly members: readonly Entry[];
}

/** A member that can be set: a function, which a program implements, or data. */
interface OpsMember {
  readonly member: BtfMember;
  /** Its number among all of them. */
  readonly index: number;
  readonly isFunction: boolean;
}

/**
 * Members of a struct_ops map as far as the kernel takes them from the object: no bitfields, and no pointers but those to
 * functions (libbpf: bpf_map__init_kern_struct_ops).
 */
function settable(btf: Btf, { valueTypeId }: MapSpec): OpsMember[] {
  const ops = valueTypeId === 0 ? undefined : btf.resolve(valueTypeId);
  if (ops?.kind !== 'struct') return [];
  return ops.members.flatMap((member, index) => {
    const type = btf.resolve(member.type);
    if (member.name === '' || member.bitSize !== 0 || btf.sizeOf(member.type) === 0) return [];
    const isFunction = type.kind === 'ptr';
    if (isFunction && btf.resolve(type.type).kind !== 'func_proto') return [];
    return [{ member, index, isFunction }];
  });
}

/** Types of data members, each with a name for one that has none. */
export function opsTypes(btf: Btf, map: MapSpec): { readonly typeId: number; readonly hint: string }[] {
  if (map.origin !== 'struct_ops') return [];
  return settable(btf, map)
    .filter(({ isFunction }) => !isFunction)
    .map(({ member }) => ({ typeId: member.type, hint: `${map.name}_${member.name}` }));
}

/** The struct_ops maps of an object, each with its members. */
export function opsModels(
  maps: readonly MapSpec[],
  { btf, table, imports }: { btf?: Btf; table?: TypeTable; imports: Imports },
): OpsModel[] {
  if (btf === undefined || table === undefined) return [];
  return maps.flatMap((map) => {
    if (map.origin !== 'struct_ops') return [];
    const scope = new Scope();
    const members = settable(btf, map).map(({ member, index, isFunction }) => {
      const bytes = btf.sizeOf(member.type);
      const at = member.bitOffset >> 3;
      const size = isFunction ? 'a program' : `${bytes} ${bytes === 1 ? 'byte' : 'bytes'} at ${at}`;
      return {
        doc: comment(`${declaration(btf, member.type, member.name)}; ${size}`),
        key: propertyKey(scope.claimKey(member.name)),
        value: isFunction
          ? `${imports.value('callback')}(${index})`
          : `${imports.value('at')}(${at}, ${table.of(member.type).codec()})`,
      };
    });
    return [{ doc: comment(declaration(btf, map.valueTypeId)), key: propertyKey(map.name), members }];
  });
}
