import { isBpfError, printable } from '../errors.js';
import type { Fd, Kernel, MapCreate } from '../kernel/kernel.js';
import { refusal } from '../link/attach-error.js';
import type { MapSpec } from '../object/spec.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import type { CreatedMap } from './created-map.js';
import { explain } from './diagnose.js';
import { globalData, supports } from './features.js';
import type { Ownership } from './live-object.js';
import { type AttributeContext, isData, mapAttributes } from './map-attributes.js';
import { enterInnerMaps, fill, mapArena } from './map-contents.js';
import type { OpenMap, OpenObject } from './open-object.js';
import { pinOrReuse, pinPathOf, reuse } from './pinned-map.js';

/** What creating an object's maps needs besides the object. */
export interface MapContext extends Omit<AttributeContext, 'kernel' | 'objectName'> {
  /** Where maps that are pinned by name go: a directory in a BPF file system. Undefined uses no pins and makes none. */
  readonly pinRoot: string | undefined;
}

/**
 * Creates the object's maps in its order, or opens the ones that are pinned; fills and freezes those of global data,
 * enters the inner maps that are initialised statically, pins (libbpf: bpf_object__create_maps). Nobody can open a pin
 * of a map that is not filled yet.
 */
export function createMaps(object: OpenObject, ownership: Ownership, context: MapContext): CreatedMap[] {
  const full = { ...context, kernel: ownership.kernel, objectName: object.name };
  const maps = [...object.maps.values()].map((open) => make(object, open, ownership, full, context.pinRoot));
  // Maps that hold others come last: which map is in their slots is known when that one is pinned.
  const bySlots = [...maps.keys()].sort((a, b) => holdsMaps(maps[a]) - holdsMaps(maps[b]));
  for (const index of bySlots) {
    const map = maps[index];
    if (map?.fd !== undefined) maps[index] = finish(map, map.fd, maps, object, ownership, context.pinRoot);
  }
  return maps;
}

function holdsMaps(map: CreatedMap | undefined): number {
  return map?.open.spec.slots.some(({ kind }) => kind === 'map') ? 1 : 0;
}

/** Opens the pinned map, else creates one and gives it its contents. */
function make(
  object: OpenObject,
  open: OpenMap,
  ownership: Ownership,
  context: AttributeContext,
  pinRoot: string | undefined,
): CreatedMap {
  const { kernel } = ownership;
  const { spec } = open;
  const attributes = mapAttributes(spec, open.maxEntries, context);
  const inner = spec.inner && mapAttributes(spec.inner, spec.inner.maxEntries, context);
  const map = { open, attributes, reused: false, ...(inner && { inner }) };
  if (!open.autocreate || (isData(spec) && !supports(globalData, kernel))) return { ...map, fd: undefined };
  const path = pinPathOf(open, pinRoot);
  const pinned = path === undefined ? undefined : reuse(ownership, spec, path, attributes);
  if (pinned !== undefined) return { ...map, fd: pinned, reused: true };
  const fd = createWithInner(open, ownership, attributes, inner);
  if (isData(spec)) fill(kernel, object, open, fd);
  return { ...map, fd };
}

/** What a map needs once all of them are there: slots, pin, memory. */
function finish(
  map: CreatedMap,
  fd: Fd,
  maps: readonly CreatedMap[],
  object: OpenObject,
  ownership: Ownership,
  pinRoot: string | undefined,
): CreatedMap {
  const { open, attributes } = map;
  let finished = { ...map, fd };
  if (!map.reused) {
    enterInnerMaps(ownership.kernel, object.spec, open, fd, maps);
    const path = pinPathOf(open, pinRoot);
    if (path !== undefined) {
      finished = { ...finished, ...pinOrReuse(ownership, open.spec, path, fd, attributes) };
    }
  }
  if (open.spec.type !== BPF_MAP_TYPE.ARENA) return finished;
  return { ...finished, arena: mapArena(object, open, ownership, finished) };
}

/** Creates a map, with the template of its inner maps where it holds maps. */
function createWithInner(
  open: OpenMap,
  ownership: Ownership,
  attributes: MapCreate,
  inner: MapCreate | undefined,
): Fd {
  const { kernel } = ownership;
  const { spec } = open;
  if (spec.inner === undefined || inner === undefined) {
    return ownership.fd(create(kernel, spec, attributes));
  }
  // The kernel copies the inner map's shape; the map itself is not needed afterwards.
  const template = create(kernel, spec.inner, inner);
  try {
    return ownership.fd(create(kernel, spec, { ...attributes, innerMapFd: template }));
  } finally {
    kernel.close(template);
  }
}

/** Creates one map; a kernel that does not like its BTF gets it without, as libbpf does. */
function create(kernel: Kernel, spec: MapSpec, request: MapCreate): Fd {
  try {
    return kernel.mapCreate(request);
  } catch (error) {
    if (!request.btfKeyTypeId && !request.btfValueTypeId) throw createError(kernel, spec, request, error);
  }
  const { btfFd: _fd, btfKeyTypeId: _key, btfValueTypeId: _value, ...plain } = request;
  try {
    return kernel.mapCreate(plain);
  } catch (error) {
    throw createError(kernel, spec, plain, error);
  }
}

function createError(kernel: Kernel, spec: MapSpec, request: MapCreate, cause: unknown): Error {
  const reason = isBpfError(cause) ? explain(kernel, cause, { map: request }) : undefined;
  return refusal(`create map "${printable(spec.name)}"`, cause, reason);
}
