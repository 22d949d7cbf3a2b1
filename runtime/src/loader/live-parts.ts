import { BpfError, printable } from '../errors.js';
import type { Link } from '../link/link.js';
import { attachStructOps } from '../link/struct-ops.js';
import { UsdtSpecs, usdtMapNames } from '../link/usdt-specs.js';
import { mapKindOf } from '../map/kinds.js';
import type { BpfMap, MapHandle, MapShape } from '../map/map.js';
import { type DataMemory, MappedMemory, openMemory } from '../map/memory.js';
import type { Program, ProgramHandle, ProgramShape } from '../program/program.js';
import type { CreatedMap } from './created-map.js';
import { bpfCookie, supports } from './features.js';
import type { LiveProgram, LiveStructOps, Ownership } from './live-object.js';
import { attachTypeOf } from './load-program.js';
import type { LoadedProgram } from './loaded-program.js';
import { isData, isFrozen } from './map-attributes.js';
import type { StructOpsMaps } from './struct-ops.js';

/** How an object's maps become typed: by map name. Maps that are not listed give and take raw bytes. */
export type MapShapes = ReadonlyMap<string, MapShape>;

/** What skeletons state of programs, by name. */
export type ProgramShapes = ReadonlyMap<string, ProgramShape>;

function handleOf({ open, fd, attributes, inner, arena }: CreatedMap, ownership: Ownership): MapHandle {
  return {
    kernel: ownership.kernel,
    name: open.name,
    type: attributes.type,
    keySize: attributes.keySize,
    valueSize: attributes.valueSize,
    maxEntries: attributes.maxEntries,
    flags: attributes.flags ?? 0,
    mapExtra: attributes.mapExtra ?? 0n,
    ...(arena && { arena }),
    ...(inner && {
      inner: {
        kindOf: ({ type, flags }) => mapKindOf(type, flags),
        attributes: () => {
          // They name the object's BTF by its descriptor.
          ownership.assertLive(`use map "${open.name}"`);
          return inner;
        },
      },
    }),
    fd: () => {
      if (fd === undefined) {
        throw new BpfError(
          'ERR_BPF_STATE',
          `use map "${printable(open.name)}": it was not created (autocreate is false)`,
        );
      }
      return ownership.live(fd, `use map "${open.name}"`);
    },
    onClose: (listener) => ownership.onClose(listener),
    onDetach: (listener) => ownership.onDetach(listener),
  };
}

export function liveMaps(
  created: readonly CreatedMap[],
  structOps: StructOpsMaps,
  ownership: Ownership,
  shapes: MapShapes,
): Map<string, BpfMap> {
  return new Map(
    created.map((map) => {
      const shape = shapes.get(map.open.name);
      const { type, flags } = map.attributes;
      // A skeleton's kind is of the declared type; its types of keys and values hold for another one too.
      const kind = map.open.retyped || shape === undefined ? mapKindOf(type, flags) : shape.kind;
      const ops = structOps.get(map.open.name);
      const handle = {
        ...handleOf(map, ownership),
        ...(ops && {
          structOps: { type: ops.type, value: ops.value, own: (link: Link) => ownership.link(link) },
        }),
      };
      return [map.open.name, kind.open(handle, shape?.key, shape?.value, shape?.inner)];
    }),
  );
}

export function liveData(created: readonly CreatedMap[], ownership: Ownership): Map<string, DataMemory> {
  return new Map(
    created.flatMap((map) => {
      const memory = memoryOf(map, ownership);
      return memory === undefined ? [] : [[map.open.name, memory] as const];
    }),
  );
}

/** The memory of a data section; undefined for maps of another sort, and for those that were left out. */
function memoryOf(map: CreatedMap, ownership: Ownership): DataMemory | undefined {
  const { open, fd, arena } = map;
  const { section } = open.spec;
  if (arena !== undefined && section !== undefined) {
    // Whoever mapped it before programs were loaded unmaps it.
    const shared = { ...arena, close: () => undefined };
    const memory = new MappedMemory(open.name, shared, section.bytes.length, true);
    ownership.onClose(() => memory.close());
    return memory;
  }
  if (!isData(open.spec) || fd === undefined) return undefined;
  return openMemory(handleOf(map, ownership), !isFrozen(open.spec));
}

/** What USDT programs of an object share. */
function usdtSpecs(created: readonly CreatedMap[], ownership: Ownership): UsdtSpecs {
  const { kernel } = ownership;
  const map = (name: string) => {
    const found = created.find(({ open }) => open.name === name);
    return found === undefined ? undefined : handleOf(found, ownership);
  };
  // As the object was told in LINUX_HAS_BPF_COOKIE.
  const cookies = supports(bpfCookie, kernel);
  return new UsdtSpecs(kernel, map(usdtMapNames.specs), map(usdtMapNames.ips), cookies);
}

export function livePrograms(
  programs: readonly LoadedProgram[],
  created: readonly CreatedMap[],
  ownership: Ownership,
  shapes: ProgramShapes,
): LiveProgram[] {
  let specs: UsdtSpecs | undefined;
  const usdt = () => {
    specs ??= usdtSpecs(created, ownership);
    return specs;
  };
  return programs.flatMap(({ open, fd, attach }) => {
    if (open.meaning === undefined) return [];
    const { kind, rule, target } = open.meaning;
    const context = shapes.get(open.name)?.context;
    const handle: ProgramHandle = {
      kernel: ownership.kernel,
      name: open.name,
      section: open.section,
      target,
      expectedAttachType: attachTypeOf(rule, ownership.kernel),
      ...(context && { context }),
      ...(attach?.attachProgFd !== undefined && {
        replaces: { program: attach.attachProgFd, btfId: attach.btfId },
      }),
      fd: () => ownership.live(fd, `use program "${open.name}"`),
      own: (link) => ownership.link(link),
      usdt,
    };
    const program: Program = new kind.program(handle);
    return [{ program, open }];
  });
}

/** The struct_ops maps, each of which is attached as a whole. */
export function liveStructOps(
  created: readonly CreatedMap[],
  structOps: StructOpsMaps,
  ownership: Ownership,
): LiveStructOps[] {
  const { kernel } = ownership;
  return created.flatMap(({ open: { name }, fd, attributes }) => {
    const ops = structOps.get(name);
    if (ops === undefined || fd === undefined) return [];
    const { type, value } = ops;
    const request = { kernel, name, type, map: fd, flags: attributes.flags ?? 0, value };
    return [{ name, attach: () => ownership.link(attachStructOps(request)) }];
  });
}
