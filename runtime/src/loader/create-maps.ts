import { BpfError, isBpfError, NotSupportedError, printable } from '../errors.js';
import type { Fd, Kernel, MapCreate } from '../kernel/kernel.js';
import { kernelMapName } from '../object/maps.js';
import type { DataSection, MapSpec, ObjectSpec } from '../object/spec.js';
import { BPF_F_MMAPABLE, BPF_F_RDONLY_PROG, BPF_MAP_TYPE } from '../uapi.js';
import { explain } from './diagnose.js';
import { arrayMmap, globalData, progName, supports } from './features.js';
import type { Ownership } from './live-object.js';
import type { OpenMap, OpenObject } from './open-object.js';

/** A map of the object with its descriptor; `fd` is undefined when it was left out. */
export interface CreatedMap {
  readonly open: OpenMap;
  readonly fd: Fd | undefined;
  /** What the kernel was asked for, after rounding. */
  readonly attributes: MapCreate;
}

// Types whose key and value the kernel does not let BTF describe (libbpf: bpf_object__create_map).
const withoutBtf: ReadonlySet<number> = new Set([
  BPF_MAP_TYPE.PERF_EVENT_ARRAY,
  BPF_MAP_TYPE.CGROUP_ARRAY,
  BPF_MAP_TYPE.STACK_TRACE,
  BPF_MAP_TYPE.ARRAY_OF_MAPS,
  BPF_MAP_TYPE.HASH_OF_MAPS,
  BPF_MAP_TYPE.DEVMAP,
  BPF_MAP_TYPE.DEVMAP_HASH,
  BPF_MAP_TYPE.CPUMAP,
  BPF_MAP_TYPE.XSKMAP,
  BPF_MAP_TYPE.SOCKMAP,
  BPF_MAP_TYPE.SOCKHASH,
  BPF_MAP_TYPE.QUEUE,
  BPF_MAP_TYPE.STACK,
  BPF_MAP_TYPE.ARENA,
]);

/**
 * Creates the object's maps in its order, fills and freezes those of global data, and enters the inner maps that are
 * initialised statically (libbpf: bpf_object__create_maps). `btf` is the object's own, loaded, if the kernel took it.
 */
export function createMaps(object: OpenObject, ownership: Ownership, btf: Fd | undefined): CreatedMap[] {
  const { kernel } = ownership;
  const created: CreatedMap[] = [];
  for (const open of object.maps.values()) {
    const { spec } = open;
    const wanted = open.autocreate && (spec.section === undefined || supports(globalData, kernel));
    const attributes = attributesOf(object.name, spec, open.maxEntries, kernel, btf);
    if (!wanted) {
      created.push({ open, fd: undefined, attributes });
      continue;
    }
    refuseWhatIsNotDoneYet(spec);
    const inner = spec.inner && createInner(object.name, spec.inner, kernel, btf);
    try {
      const request = inner === undefined ? attributes : { ...attributes, innerMapFd: inner };
      const fd = ownership.fd(create(kernel, spec, request));
      created.push({ open, fd, attributes });
      if (spec.section) fill(kernel, object, open, spec.section, fd);
    } finally {
      if (inner !== undefined) kernel.close(inner);
    }
  }
  for (const { open, fd } of created) {
    if (fd !== undefined) enterInnerMaps(kernel, object.spec, open, fd, created);
  }
  return created;
}

function refuseWhatIsNotDoneYet(spec: MapSpec): void {
  if (
    spec.origin === 'data' ||
    spec.origin === 'kconfig' ||
    spec.origin === 'btf' ||
    spec.origin === 'legacy'
  ) {
    if (!spec.pinByName) return;
    throw new NotSupportedError(
      'pinning by name',
      `create map "${printable(spec.name)}": pinning by name is not supported yet`,
    );
  }
  throw new NotSupportedError(
    spec.origin,
    `create map "${printable(spec.name)}": ${spec.origin} maps are not supported yet; set its autocreate to false, or leave out what uses it`,
  );
}

function attributesOf(
  objectName: string,
  spec: MapSpec,
  maxEntries: number,
  kernel: Kernel,
  btf: Fd | undefined,
): MapCreate {
  let flags = spec.flags;
  if (spec.section && (flags & BPF_F_MMAPABLE) !== 0 && !supports(arrayMmap, kernel))
    flags &= ~BPF_F_MMAPABLE;
  const request: MapCreate = {
    type: spec.type,
    keySize: spec.keySize,
    valueSize: isRingBuffer(spec.type) ? 0 : spec.valueSize,
    maxEntries: entriesOf(spec.type, maxEntries, kernel),
    flags,
  };
  if (isRingBuffer(spec.type)) request.keySize = 0;
  if (supports(progName, kernel)) request.name = kernelMapName(objectName, spec);
  if (spec.numaNode !== 0) request.numaNode = spec.numaNode;
  if (spec.mapExtra !== 0n) request.mapExtra = spec.mapExtra;
  if (btf !== undefined && !withoutBtf.has(spec.type) && !isRingBuffer(spec.type)) {
    if (spec.keyTypeId !== 0 || spec.valueTypeId !== 0) {
      request.btfFd = btf;
      request.btfKeyTypeId = spec.keyTypeId;
      request.btfValueTypeId = spec.valueTypeId;
    }
  }
  return request;
}

function isRingBuffer(type: number): boolean {
  return type === BPF_MAP_TYPE.RINGBUF || type === BPF_MAP_TYPE.USER_RINGBUF;
}

/** Sizes the kernel insists on: a ring is a power of two of whole pages, a perf array has a slot a possible CPU. */
function entriesOf(type: number, maxEntries: number, kernel: Kernel): number {
  if (type === BPF_MAP_TYPE.PERF_EVENT_ARRAY && maxEntries === 0) return kernel.possibleCpus();
  if (!isRingBuffer(type)) return maxEntries;
  let size = kernel.pageSize;
  while (size < maxEntries && size < 0x8000_0000) size *= 2;
  return maxEntries === 0 ? 0 : size;
}

/** Creates one map; a kernel that does not like its BTF gets it without, as libbpf does. */
function create(kernel: Kernel, spec: MapSpec, request: MapCreate): Fd {
  try {
    return kernel.mapCreate(request);
  } catch (error) {
    if (request.btfFd === undefined) throw createError(kernel, spec, request, error);
  }
  const { btfFd: _fd, btfKeyTypeId: _key, btfValueTypeId: _value, ...plain } = request;
  try {
    return kernel.mapCreate(plain);
  } catch (error) {
    throw createError(kernel, spec, plain, error);
  }
}

function createInner(objectName: string, spec: MapSpec, kernel: Kernel, btf: Fd | undefined): Fd {
  return create(kernel, spec, attributesOf(objectName, spec, spec.maxEntries, kernel, btf));
}

function createError(kernel: Kernel, spec: MapSpec, request: MapCreate, cause: unknown): BpfError {
  const name = printable(spec.name);
  if (!isBpfError(cause))
    return new BpfError('ERR_BPF_MAP_CREATE', `create map "${name}": ${String(cause)}`, { cause });
  const hint = explain(kernel, cause, { map: request });
  return new BpfError(cause.code, `create map "${name}": ${cause.message}${hint ? `; ${hint}` : ''}`, {
    errno: cause.errno,
    syscall: cause.syscall,
    hint,
    cause,
  });
}

function fill(kernel: Kernel, object: OpenObject, open: OpenMap, section: DataSection, fd: Fd): void {
  const bytes = object.data.get(open.name) ?? section.bytes;
  const value = new Uint8Array(open.spec.valueSize);
  value.set(bytes.subarray(0, value.length));
  kernel.mapUpdate(fd, new Uint8Array(4), value);
  if (isFrozen(open.spec)) kernel.mapFreeze(fd);
}

/** True for sections the program may only read; freezing lets the verifier treat their contents as constants. */
export function isFrozen({ section, flags }: MapSpec): boolean {
  return (
    section !== undefined &&
    (section.kind === 'rodata' || section.kind === 'kconfig' || (flags & BPF_F_RDONLY_PROG) !== 0)
  );
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
