import type { Fd, Kernel, MapCreate } from '../kernel/kernel.js';
import { kernelMapName } from '../object/maps.js';
import type { MapSpec } from '../object/spec.js';
import { BPF_F_MMAPABLE, BPF_F_RDONLY_PROG, BPF_F_VTYPE_BTF_OBJ_FD, BPF_MAP_TYPE } from '../uapi.js';
import { arrayMmap, progName, supports } from './features.js';
import type { ModuleFd } from './kernel-types.js';

// Types whose key and value the kernel does not let BTF describe (libbpf: bpf_object__create_map), and ring buffers,
// whose records it does not know.
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
  BPF_MAP_TYPE.RINGBUF,
  BPF_MAP_TYPE.USER_RINGBUF,
]);

/** What the kernel calls the value of a struct_ops map: the BTF id of `struct bpf_struct_ops_NAME`, its size in bytes. */
export interface StructOpsValue {
  readonly valueTypeId: number;
  readonly valueSize: number;
  readonly module: ModuleFd | undefined;
}

/** Where a map's attributes come from besides its declaration. */
export interface AttributeContext {
  readonly kernel: Kernel;
  readonly objectName: string;
  /** The object's BTF, loaded, if the kernel took it. */
  readonly btf: Fd | undefined;
  readonly structOps: ReadonlyMap<string, StructOpsValue>;
  /** Hashes of the programs that maps are for alone, by the name of the map. */
  readonly exclusive?: ReadonlyMap<string, Uint8Array>;
}

/** What to ask of the kernel for a map of `maxEntries` entries: rounded to its rules, without what it is too old for. */
export function mapAttributes(spec: MapSpec, maxEntries: number, context: AttributeContext): MapCreate {
  const { kernel, objectName } = context;
  const ring = isRingBuffer(spec.type);
  const request: MapCreate = {
    type: spec.type,
    keySize: ring ? 0 : spec.keySize,
    valueSize: ring ? 0 : spec.valueSize,
    maxEntries: roundEntries(spec.type, maxEntries, kernel),
    flags: flagsOf(spec, kernel),
  };
  if (supports(progName, kernel)) request.name = kernelMapName(objectName, spec);
  if (spec.numaNode !== 0) request.numaNode = spec.numaNode;
  if (spec.mapExtra !== 0n) request.mapExtra = spec.mapExtra;
  const exclusive = context.exclusive?.get(spec.name);
  if (exclusive !== undefined) request.exclusiveProgram = exclusive;
  const ops = context.structOps.get(spec.name);
  // The kernel looks at the object's BTF even though the value is of its own.
  if (ops !== undefined) return asStructOps({ ...request, ...(context.btf && { btfFd: context.btf }) }, ops);
  const described = spec.keyTypeId !== 0 || spec.valueTypeId !== 0;
  if (context.btf === undefined || !described || withoutBtf.has(spec.type)) return request;
  return {
    ...request,
    btfFd: context.btf,
    btfKeyTypeId: spec.keyTypeId,
    btfValueTypeId: spec.valueTypeId,
  };
}

function flagsOf(spec: MapSpec, kernel: Kernel): number {
  const shareable = !isData(spec) || (spec.flags & BPF_F_MMAPABLE) === 0 || supports(arrayMmap, kernel);
  return shareable ? spec.flags : spec.flags & ~BPF_F_MMAPABLE;
}

/** The value of a struct_ops map is the kernel's struct, not the object's. */
function asStructOps(request: MapCreate, { valueSize, valueTypeId, module }: StructOpsValue): MapCreate {
  const typed = { ...request, valueSize, btfVmlinuxValueTypeId: valueTypeId };
  if (module === undefined) return typed;
  return { ...typed, valueTypeBtfObjFd: module.fd, flags: (request.flags ?? 0) | BPF_F_VTYPE_BTF_OBJ_FD };
}

/** Sizes the kernel insists on: a ring is a power of two of whole pages, a perf array has a slot a possible CPU. */
export function roundEntries(
  type: number,
  maxEntries: number,
  kernel: Pick<Kernel, 'pageSize' | 'possibleCpus'>,
): number {
  if (type === BPF_MAP_TYPE.PERF_EVENT_ARRAY && maxEntries === 0) return kernel.possibleCpus();
  if (!isRingBuffer(type) || maxEntries === 0) return maxEntries;
  let size = kernel.pageSize;
  while (size < maxEntries && size < 0x8000_0000) size *= 2;
  return size;
}

function isRingBuffer(type: number): boolean {
  return type === BPF_MAP_TYPE.RINGBUF || type === BPF_MAP_TYPE.USER_RINGBUF;
}

/** Global data, whose map has the section as its one value. */
export function isData({ origin }: MapSpec): boolean {
  return origin === 'data' || origin === 'kconfig';
}

/** True for sections the program may only read; freezing lets the verifier treat their contents as constants. */
export function isFrozen({ section, flags }: MapSpec): boolean {
  if (section === undefined) return false;
  return section.kind === 'rodata' || section.kind === 'kconfig' || (flags & BPF_F_RDONLY_PROG) !== 0;
}
