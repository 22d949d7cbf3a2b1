import { BpfError, isBpfError, printable } from '../errors.js';
import type { Fd, Kernel, MapCreate, Mapping } from '../kernel/kernel.js';
import type { DataSection, MapSpec, ObjectSpec } from '../object/spec.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { explain } from './diagnose.js';
import { globalData, supports } from './features.js';
import type { Ownership } from './live-object.js';
import { type AttributeContext, isData, isFrozen, mapAttributes } from './map-attributes.js';
import type { OpenMap, OpenObject } from './open-object.js';
import { assertCompatible, openPinned } from './pinned-map.js';

/** What creating an object's maps needs besides the object. */
export interface MapContext extends Omit<AttributeContext, 'kernel' | 'objectName'> {
  /** Where maps that are pinned by name go: a directory in a BPF file system. */
  readonly pinRoot: string;
  /** False uses no pinned map and pins none. */
  readonly pinning: boolean;
}

/** A map of the object with its descriptor; `fd` is undefined when it was left out. */
export interface CreatedMap {
  readonly open: OpenMap;
  readonly fd: Fd | undefined;
  /** What the kernel was asked for, after rounding. */
  readonly attributes: MapCreate;
  /** An arena's memory, which must be mapped before a program may use it. */
  readonly arena?: Mapping;
}

/**
 * Creates the object's maps in its order, or opens the ones that are pinned; fills and freezes those of global data,
 * and enters the inner maps that are initialised statically (libbpf: bpf_object__create_maps).
 */
export function createMaps(object: OpenObject, ownership: Ownership, context: MapContext): CreatedMap[] {
  const { kernel } = ownership;
  const full = { ...context, kernel, objectName: object.name };
  const created = [...object.maps.values()].map((open): CreatedMap => {
    const { spec } = open;
    const attributes = mapAttributes(spec, open.maxEntries, full);
    if (!open.autocreate || (isData(spec) && !supports(globalData, kernel))) {
      return { open, fd: undefined, attributes };
    }
    const path = context.pinning ? pinPath(open, context.pinRoot) : undefined;
    const pinned = path === undefined ? undefined : reuse(ownership, spec, path, attributes);
    if (pinned !== undefined) return { open, fd: pinned, attributes };
    const fd = createOne(open, ownership, attributes, full);
    if (spec.section && isData(spec)) fill(kernel, object, open, spec.section, fd);
    const arena = spec.type === BPF_MAP_TYPE.ARENA ? mapArena(object, open, ownership, fd) : undefined;
    if (path !== undefined) return { open, fd: pin(ownership, spec, path, fd, attributes), attributes };
    return { open, fd, attributes, ...(arena && { arena }) };
  });
  for (const { open, fd } of created) {
    if (fd !== undefined) enterInnerMaps(kernel, object.spec, open, fd, created);
  }
  return created;
}

function pinPath({ pinPath: path, spec }: OpenMap, root: string): string | undefined {
  return path ?? (spec.pinByName ? `${root}/${spec.name}` : undefined);
}

function createOne(
  open: OpenMap,
  ownership: Ownership,
  attributes: MapCreate,
  context: AttributeContext,
): Fd {
  const { kernel } = ownership;
  const { inner } = open.spec;
  if (inner === undefined) return ownership.fd(create(kernel, open.spec, attributes));
  // The kernel copies the inner map's shape; the map itself is not needed afterwards.
  const template = create(kernel, inner, mapAttributes(inner, inner.maxEntries, context));
  try {
    return ownership.fd(create(kernel, open.spec, { ...attributes, innerMapFd: template }));
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

function createError(kernel: Kernel, spec: MapSpec, request: MapCreate, cause: unknown): BpfError {
  const head = `create map "${printable(spec.name)}"`;
  if (!isBpfError(cause)) return new BpfError('ERR_BPF_MAP_CREATE', `${head}: ${String(cause)}`, { cause });
  const hint = explain(kernel, cause, { map: request });
  const { code, errno, syscall } = cause;
  return new BpfError(code, `${head}: ${cause.message}${hint ? `; ${hint}` : ''}`, {
    errno,
    syscall,
    hint,
    cause,
  });
}

/** The map pinned at `path`, if one is and it fits. */
function reuse(ownership: Ownership, spec: MapSpec, path: string, wanted: MapCreate): Fd | undefined {
  const { kernel } = ownership;
  const fd = openPinned(kernel, path);
  if (fd === undefined) return undefined;
  ownership.fd(fd);
  assertCompatible(spec.name, path, wanted, kernel.mapInfo(fd));
  return fd;
}

/** Pins a new map; when another process was faster, its map is the one to use. */
function pin(ownership: Ownership, spec: MapSpec, path: string, fd: Fd, attributes: MapCreate): Fd {
  try {
    ownership.kernel.pin(fd, path);
    return fd;
  } catch (error) {
    const other =
      isBpfError(error) && error.code === 'EEXIST' ? reuse(ownership, spec, path, attributes) : undefined;
    if (other !== undefined) return other;
    if (!isBpfError(error)) throw error;
    const { code, errno, syscall } = error;
    throw new BpfError(code, `pin map "${printable(spec.name)}" at ${printable(path)}: ${error.message}`, {
      errno,
      syscall,
      cause: error,
    });
  }
}

function fill(kernel: Kernel, object: OpenObject, open: OpenMap, section: DataSection, fd: Fd): void {
  const bytes = object.data.get(open.name) ?? section.bytes;
  const value = new Uint8Array(open.spec.valueSize);
  value.set(bytes.subarray(0, value.length));
  kernel.mapUpdate(fd, new Uint8Array(4), value);
  if (isFrozen(open.spec)) kernel.mapFreeze(fd);
}

/** Maps an arena where it wants to be (`map_extra`), and puts the object's `__arena` globals at its start. */
function mapArena(object: OpenObject, open: OpenMap, ownership: Ownership, fd: Fd): Mapping {
  const { kernel } = ownership;
  const { mapExtra } = open.spec;
  const arena = kernel.mmap(
    fd,
    0,
    open.maxEntries * kernel.pageSize,
    true,
    mapExtra === 0n ? undefined : mapExtra,
  );
  ownership.onClose(() => arena.close());
  const globals = object.data.get(open.name);
  if (globals !== undefined) new Uint8Array(arena.buffer).set(globals);
  return arena;
}

function enterInnerMaps(
  kernel: Kernel,
  spec: ObjectSpec,
  open: OpenMap,
  fd: Fd,
  created: readonly CreatedMap[],
): void {
  for (const slot of open.spec.slots) {
    if (slot.kind !== 'map') continue;
    const inner = created.find((map) => map.open.name === slot.name)?.fd;
    if (inner === undefined) {
      throw new BpfError(
        'ERR_BPF_MALFORMED',
        `fill map "${printable(open.name)}": slot ${slot.index} names map "${printable(slot.name)}", which was not created`,
      );
    }
    kernel.mapUpdate(fd, word(slot.index, spec), word(inner, spec));
  }
}

/** A 32-bit key or descriptor as maps hold it. */
export function word(value: number, spec: ObjectSpec): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, spec.byteOrder === 'little');
  return bytes;
}
