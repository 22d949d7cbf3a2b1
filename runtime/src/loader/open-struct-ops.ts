import type { Codec, CodecField } from '../codec/codec.js';
import type { Callback, Description, GlobalValue } from '../codegen/description.js';
import { BpfError, printable } from '../errors.js';
import { LiveStruct } from '../map/live-value.js';
import type { OpenMap, OpenObject } from './open-object.js';
import type { OpenProgram } from './open-program.js';

type Members = NonNullable<Description['structOps']>[string];

/**
 * What can be set of a struct_ops map before load: functions are programs of the object, or null, which leaves the
 * default of the kernel; the rest is data.
 */
export type StructOpsMembers<M> = {
  -readonly [K in keyof M]: M[K] extends Callback ? OpenProgram | null : GlobalValue<M[K]>;
};

/** The `struct_ops` of a skeleton that has such maps. */
export type StructOpsSettings<D> = D extends { readonly structOps: infer S }
  ? { readonly struct_ops: { readonly [M in keyof S]: StructOpsMembers<S[M]> } }
  : unknown;

/** The struct_ops maps of an object as what can be set of them (bpftool: the shadow types of a skeleton). */
export function openStructOps(object: OpenObject, maps: Readonly<Record<string, Members>>): object {
  const all: object = Object.create(null);
  for (const [name, members] of Object.entries(maps)) {
    const map = object.maps.get(name);
    if (map === undefined || !object.data.has(name)) continue;
    Object.defineProperty(all, name, { value: membersOf(object, map, members), enumerable: true });
  }
  return Object.freeze(all);
}

function membersOf(object: OpenObject, map: OpenMap, members: Members): object {
  const path = `struct_ops.${map.name}`;
  const data: Record<string, CodecField> = Object.create(null);
  const shown: object = Object.create(null);
  for (const [name, member] of Object.entries(members)) {
    if ('codec' in member) data[name] = member;
  }
  const values = dataOf(object, map, path, data);
  for (const [name, member] of Object.entries(members)) {
    Object.defineProperty(shown, name, {
      enumerable: true,
      ...('codec' in member
        ? {
            get: () => Reflect.get(values, name),
            set: (value: unknown) => Reflect.set(values, name, value),
          }
        : {
            get: () => map.callback(member.member),
            set: (program: OpenProgram | null) => map.setCallback(member.member, program, `${path}.${name}`),
          }),
    });
  }
  return Object.preventExtensions(shown);
}

/** The members that are data, in the image that load() copies into the kernel's struct. */
function dataOf(
  object: OpenObject,
  { name }: OpenMap,
  path: string,
  fields: Readonly<Record<string, CodecField>>,
): LiveStruct {
  const codec: Codec<unknown> = {
    size: 0,
    fields: () => fields,
    read: () => undefined,
    write: () => undefined,
  };
  const backing = {
    shared: false,
    view: () => {
      const { buffer, byteOffset, byteLength } = object.data.get(name) ?? new Uint8Array();
      return new DataView(buffer, byteOffset, byteLength);
    },
    assertWritable: (member: string) => object.assertOpen(`set ${printable(member)}`),
    flush: () => undefined,
    resize(member: string) {
      throw new BpfError('ERR_BPF_ARGUMENT', `set ${printable(member)}.length: its type says how long it is`);
    },
  };
  return new LiveStruct({ backing, path, codec, offset: 0 });
}
