import { CoreKind } from '../core/kinds.js';
import { CORE_POISON, type CoreOutcome } from '../core/relocate.js';
import { BpfError, isBpfError, printable } from '../errors.js';
import type { Fd, Kernel, ProgLoad } from '../kernel/kernel.js';
import { unknownSection } from '../program/kinds.js';
import type { SectionRule } from '../program/program.js';
import { BPF_ATTACH_TYPE, BPF_F_SLEEPABLE, BPF_F_XDP_HAS_FRAGS, BPF_PROG_TYPE } from '../uapi.js';
import type { AssembledProgram } from './assemble.js';
import type { CreatedMap } from './created-map.js';
import { debugInfo, sourceLines } from './debug-info.js';
import { btfFunc, expectedAttachType, progName, supports, uprobeMultiLink } from './features.js';
import type { AttachTarget } from './kernel-types.js';
import type { OpenMap } from './open-object.js';
import type { OpenProgram } from './open-program.js';
import {
  type AddressContext,
  downgradeHelpers,
  KFUNC_POISON,
  MAP_POISON,
  resolveAddresses,
} from './program-addresses.js';
import { submit } from './submit-program.js';
import type { Poison } from './verifier-report.js';

/** What loading one program needs besides its instructions. */
export interface ProgramContext extends AddressContext {
  readonly maps: readonly CreatedMap[];
  /** BTF of modules that calls of kfuncs refer to by index. */
  readonly fdArray: Int32Array | undefined;
  /** The object's BTF in the kernel, if it took it. */
  readonly btf: Fd | undefined;
  /** Types of functions that this program uses instead of the compiled ones, by id. */
  readonly functionTypes?: ReadonlyMap<number, number> | undefined;
  /** For kinds that attach to a kernel type or function: its BTF id, and the module's BTF when it is not vmlinux's. */
  readonly attach: AttachTarget | undefined;
  /** 0 keeps the verifier quiet; its log is asked for when it refuses. */
  readonly logLevel: number;
  /** Takes what the verifier said of a program it accepted, with a `logLevel` above 0. */
  keepLog(log: string): void;
}

/**
 * Loads one assembled program and returns its descriptor.
 * @throws BpfError for a section that means nothing, VerifierError and what else the kernel refuses with
 */
export function loadProgram(open: OpenProgram, assembled: AssembledProgram, context: ProgramContext): Fd {
  const { kernel, logLevel } = context;
  const { rule } = meaningOf(open);
  resolveAddresses(assembled, context);
  downgradeHelpers(assembled, kernel);
  const fd = submit({
    kernel,
    name: open.name,
    request: { ...requestOf(open, rule, assembled, context), ...attachmentOf(open, rule, context.attach) },
    logLevel,
    keepLog: (log) => context.keepLog(log),
    explanations: () => ({ lines: sourceLines(assembled), poisons: poisons(assembled, context) }),
  });
  bindConstants(fd, context);
  return fd;
}

function meaningOf(open: OpenProgram): { readonly rule: SectionRule } {
  if (open.meaning !== undefined) return open.meaning;
  throw new BpfError(
    'ERR_BPF_SECTION',
    `load program "${printable(open.name)}": ${unknownSection(open.section)}`,
  );
}

/**
 * What a program of the section is to be attached as, 0 for nothing in particular. That of USDT depends on the kernel
 * (libbpf_prepare_prog_load): where it has links of many uprobes, one link holds all places of a probe.
 */
export function attachTypeOf(rule: SectionRule, kernel: Kernel): number {
  if (rule.usdt && supports(uprobeMultiLink, kernel)) return BPF_ATTACH_TYPE.TRACE_UPROBE_MULTI;
  return rule.attachType ?? 0;
}

function requestOf(
  open: OpenProgram,
  rule: SectionRule,
  assembled: AssembledProgram,
  context: ProgramContext,
): ProgLoad {
  const { kernel, spec, btf, fdArray } = context;
  const request: ProgLoad = {
    type: rule.type,
    insns: assembled.insns.bytes,
    license: spec.license,
    kernelVersion: spec.kernelVersion === 0 ? kernel.version : spec.kernelVersion,
    flags: (rule.sleepable ? BPF_F_SLEEPABLE : 0) | (rule.frags ? BPF_F_XDP_HAS_FRAGS : 0),
  };
  if (supports(progName, kernel)) request.name = open.name;
  const attachType = attachTypeOf(rule, kernel);
  if (attachType !== 0 && (!rule.attachTypeOptional || supports(expectedAttachType, kernel))) {
    request.expectedAttachType = attachType;
  }
  if (fdArray !== undefined) request.fdArray = fdArray;
  if (btf === undefined || !supports(btfFunc, kernel)) return request;
  return { ...request, btfFd: btf, ...debugInfo(assembled, spec, context.functionTypes) };
}

/** The kernel type or function the program is verified against. */
function attachmentOf(
  { name, section }: OpenProgram,
  rule: SectionRule,
  attach: AttachTarget | undefined,
): Partial<ProgLoad> {
  if (!rule.attachBtf && rule.type !== BPF_PROG_TYPE.STRUCT_OPS) return {};
  if (attach === undefined) {
    const shown = printable(section);
    const why =
      rule.type === BPF_PROG_TYPE.EXT
        ? `SEC("${shown}") replaces a function of another program; set its attachTarget between open() and load()`
        : rule.attachBtf
          ? `SEC("${shown}") does not say what to attach to; write SEC("${shown}/NAME")`
          : 'no struct_ops map that is created uses it';
    throw new BpfError('EINVAL', `load program "${printable(name)}": ${why}`, { errno: 22 });
  }
  const { btfId: attachBtfId, btfObjFd: attachBtfObjFd, attachProgFd, expectedAttachType: member } = attach;
  return {
    attachBtfId,
    ...(attachBtfObjFd !== undefined && { attachBtfObjFd }),
    ...(attachProgFd !== undefined && { attachProgFd }),
    ...(member !== undefined && { expectedAttachType: member }),
  };
}

/**
 * Keeps `.rodata` with the program even where no instruction uses it, so that tools find what it says (libbpf does so
 * since Linux 5.10). A kernel that cannot do it loads the program as well.
 */
function bindConstants(prog: Fd, { kernel, maps }: ProgramContext): void {
  for (const { open, fd } of maps) {
    if (open.spec.section?.kind !== 'rodata' || fd === undefined) continue;
    try {
      kernel.progBindMap(prog, fd);
    } catch (error) {
      if (!isBpfError(error)) throw error;
    }
  }
}

/** The instructions that were made invalid because this kernel, or this load, lacks what they use. */
function poisons({ placements }: AssembledProgram, context: ProgramContext): Poison[] {
  return placements.flatMap((placement) => {
    const { fn, start } = placement;
    const core = context
      .outcomesOf(placement)
      .flatMap((outcome) => (outcome.poisoned ? [corePoison(outcome, start)] : []));
    const others = fn.relocations.flatMap((relocation): Poison[] => {
      const insn = start + relocation.insn;
      if (relocation.kind === 'map' || relocation.kind === 'data') {
        const map = context.maps[relocation.map];
        return map === undefined || map.fd !== undefined ? [] : [mapPoison(map.open, insn, relocation.map)];
      }
      if (relocation.kind !== 'kfunc') return [];
      const extern = context.spec.externs[relocation.extern];
      return extern === undefined || context.externs[relocation.extern]?.kind === 'typed'
        ? []
        : [kfuncPoison(extern.name, insn, relocation.extern)];
    });
    return [...core, ...others];
  });
}

function corePoison({ insn, kind, text, found, reason }: CoreOutcome, start: number): Poison {
  return {
    insn: start + insn,
    helper: CORE_POISON,
    why: found ? `CO-RE: ${text}: ${reason}` : `CO-RE: ${text} does not exist on this kernel (${reason})`,
    hint: found
      ? 'Declare it in the object as this kernel has it'
      : `Guard the access with ${guards[kind] ?? 'bpf_core_field_exists'}()`,
  };
}

const guards: Readonly<Record<number, string>> = {
  [CoreKind.TYPE_ID_TARGET]: 'bpf_core_type_exists',
  [CoreKind.TYPE_SIZE]: 'bpf_core_type_exists',
  [CoreKind.ENUMVAL_VALUE]: 'bpf_core_enum_value_exists',
};

function mapPoison({ name, autocreate }: OpenMap, insn: number, map: number): Poison {
  const helper = MAP_POISON + map;
  if (!autocreate) {
    const hint = 'Create the map, or leave the program out as well: autoload = false';
    return { insn, helper, why: `it uses map ${name}, which was left out (autocreate is false)`, hint };
  }
  // The only maps that are left out unasked.
  return {
    insn,
    helper,
    why: `it uses ${name}: kernels before 5.2 have no global variables`,
    hint: 'Use a map',
  };
}

function kfuncPoison(name: string, insn: number, extern: number): Poison {
  return {
    insn,
    helper: KFUNC_POISON + extern,
    why: `it calls kfunc ${name}, which this kernel does not have`,
    hint: 'Guard the call with bpf_ksym_exists()',
  };
}
