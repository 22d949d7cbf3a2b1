import { BpfError, printable } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import { failAfter } from '../link/release.js';
import { refuseForeignRegisters } from './architecture.js';
import { assemble, type Placement } from './assemble.js';
import { contextArguments } from './context-arguments.js';
import { createMaps } from './create-maps.js';
import { exclusivePrograms } from './exclusive-map.js';
import { resolveExterns } from './externs.js';
import { KernelTypes } from './kernel-types.js';
import { LiveObject, Ownership } from './live-object.js';
import {
  liveData,
  liveMaps,
  livePrograms,
  liveStructOps,
  type MapShapes,
  type ProgramShapes,
} from './live-parts.js';
import { loadBtf } from './load-btf.js';
import { loadProgram } from './load-program.js';
import type { LoadedProgram } from './loaded-program.js';
import { fillProgramArrays } from './map-contents.js';
import type { OpenObject } from './open-object.js';
import type { OpenProgram } from './open-program.js';
import { relocateFunctions } from './relocate-functions.js';
import { resizedSections } from './resized-section.js';
import { fillStructOps, matchAllStructOps, structOpsTarget } from './struct-ops.js';

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
  /**
   * Gets a sentence for what load() can do without: a kernel module whose types cannot be read, BTF of the object that
   * the kernel does not take. Without it nobody is told.
   */
  readonly onWarning?: (sentence: string) => void;
}

/** What callers inside the runtime add. */
export interface InternalLoadOptions extends LoadOptions {
  readonly shapes?: MapShapes;
  /** What skeletons state of programs, by name. */
  readonly programs?: ProgramShapes;
  /** False neither uses nor makes pins of maps: nothing outlives the object, and nothing of others is written to. */
  readonly pinning?: boolean;
}

/**
 * Puts an object into a kernel in libbpf's order: BTF, maps (created, filled, frozen, pinned), programs, then the slots of
 * program arrays. All or nothing: when a step fails, everything made before is given back, and the object can be loaded
 * again.
 * @throws VerifierError, SyscallError, NotSupportedError, BpfError
 */
export function load(object: OpenObject, kernel: Kernel, options: InternalLoadOptions = {}): LiveObject {
  object.assertOpen('load');
  refuseForeignByteOrder(object, kernel);
  refuseForeignRegisters(object, kernel);
  const ownership = new Ownership(kernel, object.name);
  const types = new KernelTypes(kernel, options.kernelBtf, options.onWarning);
  try {
    const live = build(object, ownership, types, options);
    object.markLoaded();
    return live;
  } catch (error) {
    return failAfter(error, () => ownership.abandon());
  } finally {
    types.close();
  }
}

function build(
  object: OpenObject,
  ownership: Ownership,
  types: KernelTypes,
  options: InternalLoadOptions,
): LiveObject {
  const { kernel } = ownership;
  const { spec } = object;
  const kconfig = object.data.get('.kconfig');
  const externs = resolveExterns(spec, kernel, types, { kconfig, user: options.kconfig ?? '' });
  const structOps = matchAllStructOps(object, types, kernel);
  const wanted = [...object.progs.values()].filter((program) => program.autoload);
  const plans = wanted.map((open) => {
    const functions = assemble(spec, open.spec).placements.map(({ fn }) => fn);
    return { name: open.name, type: open.meaning?.rule.type ?? 0, functions };
  });
  const used = plans.flatMap(({ functions }) => functions);
  const relocated = relocateFunctions(spec, used, types);
  const contexts = contextArguments(spec, plans, kernel);
  const btf = loadBtf(contexts.spec, ownership, resizedSections(object), options.onWarning);
  const assembled = (open: OpenProgram) =>
    assemble(spec, open.spec, (fn) => relocated.get(fn)?.insns ?? fn.insns);
  const outcomesOf = ({ fn }: Placement) => relocated.get(fn)?.outcomes ?? [];
  const maps = createMaps(object, ownership, {
    btf,
    structOps,
    exclusive: exclusivePrograms(object, assembled, { kernel, spec, externs, outcomesOf }),
    pinRoot: options.pinning === false ? undefined : (options.pinRoot ?? '/sys/fs/bpf'),
  });
  const verifierLogs = new Map<string, string>();
  const programs = wanted.map((open): LoadedProgram => {
    const attach = structOpsTarget(open, structOps) ?? types.attachTarget(open);
    const fd = loadProgram(open, assembled(open), {
      kernel,
      spec,
      maps,
      externs,
      fdArray: types.fdArray(),
      btf,
      functionTypes: contexts.functions.get(open.name),
      attach,
      outcomesOf,
      logLevel: options.verifierLogLevel ?? 0,
      keepLog: (log) => verifierLogs.set(open.name, log),
    });
    return { open, fd: ownership.fd(fd), attach };
  });
  fillProgramArrays(object, kernel, maps, programs);
  fillStructOps(structOps, programs);
  return new LiveObject(object.name, ownership, {
    maps: liveMaps(maps, structOps, ownership, options.shapes ?? new Map()),
    data: liveData(maps, ownership),
    programs: livePrograms(programs, maps, ownership, options.programs ?? new Map()),
    declared: [...object.progs.keys()],
    structOps: liveStructOps(maps, structOps, ownership),
    verifierLogs,
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
