import type { Codec, CodecField } from '../codec/codec.js';
import type { Description, Global } from '../codegen/description.js';
import { BpfError, printable } from '../errors.js';
import { LiveStruct } from '../map/live-value.js';
import type { DataMemory } from '../map/memory.js';
import { type Backing, readAt } from '../map/place.js';
import { sectionIdentifier } from '../object/globals.js';
import type { MapSpec, ObjectSpec } from '../object/spec.js';
import type { OpenObject } from './open-object.js';

type Globals = Readonly<Record<string, Global<unknown>>>;

/** A section of globals as a skeleton states it, and its map. */
export interface GlobalSection {
  readonly ident: string;
  readonly map: MapSpec;
  readonly globals: Globals;
}

/** The sections that a skeleton states and the object has. */
export function globalSections({ globals }: Pick<Description, 'globals'>, spec: ObjectSpec): GlobalSection[] {
  const bySection = new Map(
    spec.maps.flatMap((map) => (map.section ? [[sectionIdentifier(map), map] as const] : [])),
  );
  return Object.entries(globals).flatMap(([ident, variables]) => {
    const map = bySection.get(ident);
    return map === undefined ? [] : [{ ident, map, globals: variables }];
  });
}

/** Variables of a section before load(): what is set goes into the image that load() gives to the kernel. */
export function openGlobals(object: OpenObject, section: GlobalSection): object | undefined {
  const { ident, map, globals } = section;
  if (!object.data.has(map.name)) return undefined;
  const image = () => object.data.get(map.name) ?? new Uint8Array();
  return variablesOf(section, () => image().length, {
    shared: false,
    view: () => {
      const { buffer, byteOffset, byteLength } = image();
      return new DataView(buffer, byteOffset, byteLength);
    },
    assertWritable(path) {
      object.assertOpen(`set ${printable(path)}`);
      if (map.section?.kind !== 'kconfig') return;
      throw new BpfError(
        'ERR_BPF_STATE',
        `set ${printable(path)}: load() fills it from the configuration of the kernel; give load() another one with its option kconfig`,
      );
    },
    flush: () => undefined,
    resize(path, size) {
      const what = `set ${printable(path)}.length`;
      object.assertOpen(what);
      const [name, last] = lastOf(globals) ?? [];
      if (last === undefined || path !== `${ident}.${name}`) {
        const only = name === undefined ? '' : `, ${printable(name)}`;
        throw new BpfError(
          'ERR_BPF_ARGUMENT',
          `${what}: only the last variable of '${map.name}'${only}, can get another length`,
        );
      }
      if (size === 0) throw new BpfError('ERR_BPF_RANGE', `${what}: it needs an element at least`);
      const open = object.maps.get(map.name);
      if (open !== undefined) open.valueSize = last.offset + size;
    },
  });
}

/** Variables of a section in the kernel. Those that are frozen can only be read. */
export function liveGlobals(memory: DataMemory, section: GlobalSection): object {
  const { map } = section;
  return variablesOf(section, () => memory.size, {
    shared: true,
    view: () => memory.view(),
    assertWritable(path) {
      if (memory.writable) return;
      throw new BpfError(
        'ERR_BPF_STATE',
        `set ${printable(path)}: '${map.name}' is frozen; set it before load()`,
      );
    },
    flush: () => memory.flush(),
    resize(path) {
      throw new BpfError(
        'ERR_BPF_STATE',
        `set ${printable(path)}.length: the section is in the kernel; set it between open() and load()`,
      );
    },
  });
}

/** The variable that ends a section. */
function lastOf(globals: Globals): readonly [string, Global<unknown>] | undefined {
  return Object.entries(globals).reduce<readonly [string, Global<unknown>] | undefined>(
    (last, entry) => (last === undefined || entry[1].offset > last[1].offset ? entry : last),
    undefined,
  );
}

function variablesOf({ ident, map, globals }: GlobalSection, size: () => number, backing: Backing): object {
  const [last] = lastOf(globals) ?? [];
  const fields: Record<string, CodecField> = Object.create(null);
  for (const [name, { offset, codec, size: declared = codec.size }] of Object.entries(globals)) {
    const resizable = name === last && map.origin === 'data' && codec.element !== undefined;
    // The last variable has what the section was resized for.
    const room = () => (resizable && size() !== map.valueSize ? size() - offset : declared);
    const fixed = declared === codec.size && !resizable;
    fields[name] = fixed ? { offset, codec } : { offset, codec, room };
  }
  const section: Codec<object> = {
    size: 0,
    fields: () => fields,
    // Each from its own place: they are not at one distance from a start that was read before.
    read: () =>
      Object.fromEntries(
        Object.entries(fields).map(([name, { offset, codec, room }]) => [
          name,
          readAt({ backing, path: `${ident}.${name}`, codec, offset, room }),
        ]),
      ),
    write: () => undefined,
  };
  return new LiveStruct({ backing, path: ident, codec: section, offset: 0 });
}
