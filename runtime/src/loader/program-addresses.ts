import type { CoreOutcome } from '../core/relocate.js';
import { BpfError, printable } from '../errors.js';
import { CALL, type Insns, PseudoCall, PseudoLoad } from '../insn.js';
import type { Fd, Kernel } from '../kernel/kernel.js';
import type { ObjectSpec } from '../object/spec.js';
import type { AssembledProgram, Placement } from './assemble.js';
import type { ResolvedExtern } from './externs.js';
import { probeReadKernel, supports } from './features.js';

/** What instructions refer to, on this kernel. */
export interface AddressContext {
  readonly kernel: Kernel;
  readonly spec: ObjectSpec;
  /** The maps of `spec`, in its order. */
  readonly maps: readonly { readonly fd: Fd | undefined }[];
  /** What the externs of `spec` are on this kernel, in its order. */
  readonly externs: readonly ResolvedExtern[];
  /** CO-RE results of each function of the program. */
  outcomesOf(placement: Placement): readonly CoreOutcome[];
}

// Calls that no kernel has, as libbpf writes them: what they stand for must be dead code.
export const MAP_POISON = 2_001_000_000;
export const KFUNC_POISON = 2_002_000_000;

/** Puts this kernel's descriptors and addresses into the instructions (libbpf: bpf_object__relocate_data). */
export function resolveAddresses({ insns, placements }: AssembledProgram, context: AddressContext): void {
  for (const { fn, start } of placements) {
    for (const relocation of fn.relocations) {
      const at = start + relocation.insn;
      switch (relocation.kind) {
        case 'map':
          loadMap(insns, at, relocation.map, PseudoLoad.MAP_FD, context);
          break;
        case 'data':
          insns.setImm(at + 1, relocation.offset);
          loadMap(insns, at, relocation.map, PseudoLoad.MAP_VALUE, context);
          break;
        case 'extern':
          loadExtern(insns, at, externAt(context, relocation.extern, fn.name), context);
          break;
        case 'kfunc':
          callKfunc(insns, at, relocation.extern, externAt(context, relocation.extern, fn.name));
          break;
      }
    }
  }
}

function loadMap(insns: Insns, at: number, map: number, meaning: number, { maps }: AddressContext): void {
  const fd = maps[map]?.fd;
  if (fd === undefined) {
    for (const slot of [at, at + 1]) insns.set(slot, { code: CALL, imm: MAP_POISON + map });
    return;
  }
  insns.setSrc(at, meaning);
  insns.setImm(at, fd);
}

function externAt({ externs }: AddressContext, index: number, fn: string): ResolvedExtern {
  const extern = externs[index];
  if (extern !== undefined) return extern;
  throw new BpfError(
    'ERR_BPF_MALFORMED',
    `relocate "${printable(fn)}": it refers to extern ${index}, which the object does not have`,
  );
}

function loadExtern(insns: Insns, at: number, extern: ResolvedExtern, context: AddressContext): void {
  switch (extern.kind) {
    case 'kconfig':
      insns.setImm(at + 1, extern.offset);
      loadMap(
        insns,
        at,
        context.spec.maps.findIndex(({ origin }) => origin === 'kconfig'),
        PseudoLoad.MAP_VALUE,
        context,
      );
      break;
    case 'typed':
      insns.setSrc(at, PseudoLoad.BTF_ID);
      insns.setImm(at, extern.btfId);
      insns.setImm(at + 1, extern.module?.fd ?? 0);
      break;
    case 'address':
      insns.setImm64(at, extern.address);
      break;
    case 'absent':
      insns.setImm64(at, 0n);
      break;
  }
}

function callKfunc(insns: Insns, at: number, index: number, extern: ResolvedExtern): void {
  if (extern.kind !== 'typed') {
    insns.set(at, { code: CALL, imm: KFUNC_POISON + index });
    return;
  }
  insns.setSrc(at, PseudoCall.KFUNC);
  insns.setImm(at, extern.btfId);
  insns.setOff(at, extern.module?.index ?? 0);
}

// enum bpf_func_id
const PROBE_READ = 4;
const PROBE_READ_STR = 45;
/** Helpers that came with Linux 5.5, and the older ones that read whichever memory there is. */
const olderHelper: ReadonlyMap<number, number> = new Map([
  [112, PROBE_READ], // probe_read_user
  [113, PROBE_READ], // probe_read_kernel
  [114, PROBE_READ_STR], // probe_read_user_str
  [115, PROBE_READ_STR], // probe_read_kernel_str
]);

/** Calls the helpers that kernels before 5.5 have instead (libbpf: bpf_object__sanitize_prog). */
export function downgradeHelpers({ insns }: AssembledProgram, kernel: Kernel): void {
  for (let slot = 0; slot < insns.count; slot++) {
    if (insns.code(slot) !== CALL || insns.src(slot) !== PseudoCall.HELPER) continue;
    const older = olderHelper.get(insns.imm(slot));
    if (older !== undefined && !supports(probeReadKernel, kernel)) insns.setImm(slot, older);
  }
}
