import { type CoreOutcome, CoreRelocationError, relocateCore } from '../core/relocate.js';
import { BpfError, printable } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import type { FunctionSpec } from '../object/spec.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { assemble, type Placement } from './assemble.js';
import { type CreatedMap, createMaps, word } from './create-maps.js';
import { resolveExterns } from './externs.js';
import { KernelTypes } from './kernel-types.js';
import { LiveObject, Ownership } from './live-object.js';
import {
  type LoadedProgram,
  liveData,
  liveMaps,
  livePrograms,
  liveStructOps,
  type MapShapes,
} from './live-parts.js';
import { loadBtf } from './load-btf.js';
import { loadProgram } from './load-program.js';
import type { OpenObject, OpenProgram } from './open-object.js';
import {
  adjustStructOpsPrograms,
  matchStructOps,
  type StructOpsMaps,
  structOpsTarget,
} from './struct-ops.js';

/** Settings of load(). */
export interface LoadOptions {
  /**
   * BTF that CO-RE relocates against instead of the running kernel's: a path or the bytes of raw BTF or of an ELF file
   * with a `.BTF` section. For kernels that have none of their own.
   */
  readonly kernelBtf?: string | Uint8Array;
  /** Directory of a BPF file system for maps declared LIBBPF_PIN_BY_NAME; `/sys/fs/bpf` by default. */
  readonly pinRoot?: string;
  /** Kernel configuration that goes before the kernel's own for `__kconfig` externs: lines such as `CONFIG_HZ=250`. */
  readonly kconfig?: string;
  /** Verifier log of programs that do load: 0 none (default), 1, 2, with 4 added for statistics. */
  readonly verifierLogLevel?: number;
}

/** What callers inside the runtime add. */
export interface InternalLoadOptions extends LoadOptions {
  readonly shapes?: MapShapes;
  /** False neither uses nor makes pins of maps: nothing outlives the object, and nothing of others is written to. */
  readonly pinning?: boolean;
}

/**
 * Puts an object into a kernel in libbpf's order: BTF, maps (created, filled, frozen), programs, then the slots of
 * program arrays. All or nothing: when a step fails, everything made before is given back.
 * @throws VerifierError, SyscallError, NotSupportedError, BpfError
 */
export function load(object: OpenObject, kernel: Kernel, options: InternalLoadOptions = {}): LiveObject {
  object.assertOpen('load');
  refuseForeignByteOrder(object, kernel);
  const ownership = new Ownership(kernel, object.name);
  try {
    const live = build(object, ownership, options);
    object.markLoaded();
    return live;
  } catch (error) {
    ownership.destroy();
    throw error;
  }
}

function build(object: OpenObject, ownership: Ownership, options: InternalLoadOptions): LiveObject {
  const types = new KernelTypes(ownership.kernel, options.kernelBtf);
  try {
    return buildWith(types, object, ownership, options);
  } finally {
    types.close();
  }
}

function buildWith(
  types: KernelTypes,
  object: OpenObject,
  ownership: Ownership,
  options: InternalLoadOptions,
): LiveObject {
  const { kernel } = ownership;
  const structOps = matchAllStructOps(object, types);
  const wanted = [...object.progs.values()].filter((program) => program.autoload);
  const kconfig = object.data.get('.kconfig');
  const externs = resolveExterns(object.spec, kernel, types, { kconfig, user: options.kconfig ?? '' });
  const relocated = relocateFunctions(object, wanted, types);
  const btf = loadBtf(object.spec, ownership);
  const created = createMaps(object, ownership, {
    btf,
    structOps,
    pinRoot: options.pinRoot ?? '/sys/fs/bpf',
    pinning: options.pinning ?? true,
  });
  const verifierLogs = new Map<string, string>();
  const programs = wanted.map((open) => {
    const assembled = assemble(object.spec, open.spec, (fn) => relocated.get(fn)?.insns ?? fn.insns);
    const fd = loadProgram(open, assembled, {
      kernel,
      spec: object.spec,
      maps: created,
      externs,
      fdArray: types.fdArray(),
      btf,
      attach: structOpsTarget(open, structOps) ?? types.attachTarget(open),
      outcomesOf: ({ fn }: Placement) => relocated.get(fn)?.outcomes ?? [],
      logLevel: options.verifierLogLevel ?? 0,
      keepLog: (log) => verifierLogs.set(open.name, log),
    });
    return { open, fd: ownership.fd(fd) };
  });
  fillProgramArrays(object, kernel, created, programs);
  fillStructOps(structOps, programs);
  return new LiveObject(object.name, ownership, {
    maps: liveMaps(created, ownership, options.shapes ?? new Map()),
    data: liveData(created, ownership),
    programs: livePrograms(programs, ownership),
    structOps: liveStructOps(created, structOps, ownership),
    verifierLogs,
  });
}

/** Struct_ops maps that are to be created, and which programs that makes load. */
function matchAllStructOps(object: OpenObject, types: KernelTypes): StructOpsMaps {
  adjustStructOpsPrograms(object);
  const maps = [...object.maps.values()].filter(
    ({ spec, autocreate }) => spec.origin === 'struct_ops' && autocreate,
  );
  return new Map(maps.map((map) => [map.name, matchStructOps(object, map, types)]));
}

interface RelocatedFunction {
  readonly insns: Uint8Array;
  readonly outcomes: readonly CoreOutcome[];
}

/** CO-RE for every function of the programs to load, once a function however many programs use it. */
function relocateFunctions(
  object: OpenObject,
  wanted: readonly OpenProgram[],
  types: KernelTypes,
): ReadonlyMap<FunctionSpec, RelocatedFunction> {
  const { btf: local, byteOrder } = object.spec;
  const relocated = new Map<FunctionSpec, RelocatedFunction>();
  if (local === undefined) return relocated;
  const used = wanted.flatMap(({ spec }) => assemble(object.spec, spec).placements.map(({ fn }) => fn));
  const functions = new Set(used.filter((fn) => fn.coreRelocations.length > 0));
  if (functions.size === 0) return relocated;
  const target = types.coreTarget(object.spec, functions);
  for (const fn of functions) {
    const insns = fn.insns.slice();
    const relocations = fn.coreRelocations;
    const littleEndian = byteOrder === 'little';
    try {
      const outcomes = relocateCore({ insns, relocations, local, target, littleEndian, program: fn.name });
      relocated.set(fn, { insns, outcomes });
    } catch (error) {
      throw error instanceof CoreRelocationError ? atSourceLine(error, fn) : error;
    }
  }
  return relocated;
}

/** Adds the C line that a CO-RE relocation belongs to. */
function atSourceLine(error: CoreRelocationError, fn: FunctionSpec): BpfError {
  const line = fn.lineInfo.findLast(({ insn }) => insn <= error.insn);
  if (line === undefined) return error;
  return new BpfError(error.code, `${error.message}, at ${printable(line.fileName)}:${line.line}`, {
    cause: error,
  });
}

function refuseForeignByteOrder(object: OpenObject, kernel: Kernel): void {
  const { byteOrder } = object.spec;
  if ((byteOrder === 'little') === kernel.littleEndian) return;
  throw new BpfError(
    'ERR_BPF_BYTE_ORDER',
    `load ${printable(object.name)}: the object is ${byteOrder}-endian and this host is ${kernel.littleEndian ? 'little' : 'big'}-endian; compile it with -target ${kernel.littleEndian ? 'bpfel' : 'bpfeb'}`,
  );
}

/** Descriptors of the programs into the values of struct_ops maps, which attaching hands over (bpf_map_prepare_vdata). */
function fillStructOps(maps: StructOpsMaps, programs: readonly LoadedProgram[]): void {
  for (const { value, callbacks } of maps.values()) {
    const view = new DataView(value.buffer);
    for (const { program, offset } of callbacks) {
      const fd = programs.find(({ open }) => open.name === program)?.fd;
      if (fd !== undefined) view.setBigUint64(offset, BigInt(fd), true);
    }
  }
}

/** Static initialisers of program arrays, which need the programs (libbpf: bpf_object_init_prog_arrays). */
function fillProgramArrays(
  object: OpenObject,
  kernel: Kernel,
  created: readonly CreatedMap[],
  programs: readonly LoadedProgram[],
): void {
  for (const { open, fd } of created) {
    if (fd === undefined || open.spec.type !== BPF_MAP_TYPE.PROG_ARRAY) continue;
    for (const slot of open.spec.slots) {
      if (slot.kind !== 'program') continue;
      const program = programs.find((candidate) => candidate.open.name === slot.name);
      if (program === undefined) {
        throw new BpfError(
          'ERR_BPF_STATE',
          `fill map "${printable(open.name)}": slot ${slot.index} wants program "${printable(slot.name)}", which is not loaded`,
          { errno: 9 },
        );
      }
      kernel.mapUpdate(fd, word(slot.index, object.spec), word(program.fd, object.spec));
    }
  }
}
