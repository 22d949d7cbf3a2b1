import type { CoreOutcome } from '../core/relocate.js';
import { BpfError, isBpfError, printable } from '../errors.js';
import { CALL, type Insns, PseudoCall, PseudoLoad } from '../insn.js';
import type { Fd, Kernel, ProgLoad } from '../kernel/kernel.js';
import type { ObjectSpec } from '../object/spec.js';
import { unknownSection } from '../program/kinds.js';
import { BPF_F_SLEEPABLE, BPF_F_XDP_HAS_FRAGS, BPF_PROG_TYPE } from '../uapi.js';
import type { AssembledProgram, Placement } from './assemble.js';
import type { CreatedMap } from './create-maps.js';
import { explain } from './diagnose.js';
import type { ResolvedExtern } from './externs.js';
import { btfFunc, expectedAttachType, progName, supports } from './features.js';
import type { AttachTarget } from './kernel-types.js';
import type { OpenProgram } from './open-object.js';
import { type Poison, type SourceLine, verifierError } from './verifier-report.js';

/** What loading one program needs besides its instructions. */
export interface ProgramContext {
  readonly kernel: Kernel;
  readonly spec: ObjectSpec;
  readonly maps: readonly CreatedMap[];
  /** What the externs of `spec` are on this kernel, in its order. */
  readonly externs: readonly ResolvedExtern[];
  /** BTF of modules that calls of kfuncs refer to by index. */
  readonly fdArray: Int32Array | undefined;
  /** The object's BTF in the kernel, if it took it. */
  readonly btf: Fd | undefined;
  /** For kinds that attach to a kernel type or function: its BTF id, and the module's BTF when it is not vmlinux's. */
  readonly attach: AttachTarget | undefined;
  /** CO-RE results of each function of the program. */
  outcomesOf(placement: Placement): readonly CoreOutcome[];
  /** 0 keeps the verifier quiet; its log is asked for when it refuses. */
  readonly logLevel: number;
  /** Takes what the verifier said of a program it accepted, with a `logLevel` above 0. */
  keepLog(log: string): void;
}

/** Loads one assembled program and returns its descriptor. */
export function loadProgram(open: OpenProgram, assembled: AssembledProgram, context: ProgramContext): Fd {
  const { kernel, spec } = context;
  const { meaning } = open;
  const name = printable(open.name);
  if (meaning === undefined) {
    throw new BpfError('ERR_BPF_SECTION', `load program "${name}": ${unknownSection(open.section)}`);
  }
  resolveAddresses(assembled, context);
  const { rule } = meaning;
  const request: ProgLoad = {
    type: rule.type,
    insns: assembled.insns.bytes,
    license: spec.license,
    kernelVersion: spec.kernelVersion === 0 ? kernel.version : spec.kernelVersion,
    flags: (rule.sleepable ? BPF_F_SLEEPABLE : 0) | (rule.frags ? BPF_F_XDP_HAS_FRAGS : 0),
  };
  if (supports(progName, kernel)) request.name = open.name;
  if (rule.attachType && (!rule.attachTypeOptional || supports(expectedAttachType, kernel))) {
    request.expectedAttachType = rule.attachType;
  }
  if (rule.attachBtf || rule.type === BPF_PROG_TYPE.STRUCT_OPS) {
    if (context.attach === undefined) {
      const why = rule.attachBtf
        ? `SEC("${printable(open.section)}") does not say what to attach to; write SEC("${printable(open.section)}/NAME")`
        : 'no struct_ops map that is created uses it';
      throw new BpfError('EINVAL', `load program "${name}": ${why}`, { errno: 22 });
    }
    const { btfId, btfObjFd, expectedAttachType: member } = context.attach;
    request.attachBtfId = btfId;
    if (btfObjFd !== undefined) request.attachBtfObjFd = btfObjFd;
    if (member !== undefined) request.expectedAttachType = member;
  }
  if (context.fdArray !== undefined) request.fdArray = context.fdArray;
  if (context.btf !== undefined && supports(btfFunc, kernel)) {
    Object.assign(request, { btfFd: context.btf }, debugInfo(assembled, spec));
  }
  return submit(kernel, request, open, assembled, context);
}

/** Bytes. Kernels before 5.18 take less than 16 MiB; later ones keep the end of what does not fit. */
const logSizes = [64 << 10, 1 << 20, (16 << 20) - 1, 128 << 20];

/**
 * Loads as quietly as was asked; when refused, again with a log that grows until it holds what the verifier says
 * (libbpf: bpf_object_load_prog). The errno that counts is the first: a short log turns it into ENOSPC.
 */
function submit(
  kernel: Kernel,
  request: ProgLoad,
  open: OpenProgram,
  assembled: AssembledProgram,
  context: ProgramContext,
): Fd {
  const { logLevel } = context;
  let refused: { cause: unknown; log: string; truncated: boolean } | undefined;
  if (logLevel === 0) {
    try {
      return kernel.progLoad(request);
    } catch (cause) {
      refused = { cause, log: '', truncated: false };
    }
  }
  // Statistics alone (level 4) do not say why a program is refused.
  const levels = logLevel === 4 ? [4, 5] : [Math.max(logLevel, 1)];
  for (const level of levels) {
    for (const size of logSizes) {
      const log = { level, buffer: new Uint8Array(size) };
      try {
        const fd = kernel.progLoad({ ...request, log });
        if (logLevel > 0) context.keepLog(logText(log.buffer));
        return fd;
      } catch (error) {
        const truncated = isFull(error);
        const said = logText(log.buffer);
        const known = refused === undefined || isFull(refused.cause) ? error : refused.cause;
        // A kernel that does not take a buffer of this size says nothing: what the last one held is all there is.
        if (said === '' && refused !== undefined && refused.log !== '') break;
        refused = { cause: known, log: said, truncated };
        if (!truncated) break;
      }
    }
  }
  throw refusal(kernel, open, assembled, context, refused);
}

function isFull(error: unknown): boolean {
  return isBpfError(error) && error.code === 'ENOSPC';
}

function logText(buffer: Uint8Array): string {
  const end = buffer.indexOf(0);
  return new TextDecoder().decode(end < 0 ? buffer : buffer.subarray(0, end));
}

function refusal(
  kernel: Kernel,
  open: OpenProgram,
  assembled: AssembledProgram,
  context: ProgramContext,
  refused: { cause: unknown; log: string; truncated: boolean } | undefined,
): BpfError {
  const { name: program } = open;
  const { cause, log = '', truncated = false } = refused ?? {};
  const head = `load program "${printable(program)}"`;
  if (!isBpfError(cause)) return new BpfError('ERR_BPF_PROG_LOAD', `${head}: ${String(cause)}`, { cause });
  const { code, errno = 0, syscall } = cause;
  if (log.trim() !== '') {
    const lines = sourceLines(assembled);
    return verifierError({
      program,
      code,
      errno,
      log,
      truncated,
      lines,
      poisons: poisons(assembled, context),
      cause,
    });
  }
  const hint = explain(kernel, cause, { program: { type: open.meaning?.rule.type ?? 0, name: program } });
  return new BpfError(code, `${head}: ${cause.message}${hint ? `; ${hint}` : ''}`, {
    errno,
    syscall,
    hint,
    cause,
  });
}

/** Puts this kernel's descriptors and addresses into the instructions (libbpf: bpf_object__relocate_data). */
function resolveAddresses({ insns, placements }: AssembledProgram, context: ProgramContext): void {
  for (const { fn, start } of placements) {
    for (const relocation of fn.relocations) {
      const at = start + relocation.insn;
      switch (relocation.kind) {
        case 'map':
        case 'data': {
          const fd = context.maps[relocation.map]?.fd;
          if (relocation.kind === 'data') insns.setImm(at + 1, relocation.offset);
          if (fd === undefined) poisonMapLoad(insns, at, relocation.map);
          else setLoad(insns, at, relocation.kind === 'map' ? PseudoLoad.MAP_FD : PseudoLoad.MAP_VALUE, fd);
          break;
        }
        case 'extern':
          resolveExtern(insns, at, context.externs[relocation.extern], context);
          break;
        case 'kfunc':
          resolveKfunc(insns, at, relocation.extern, context.externs[relocation.extern]);
          break;
      }
    }
  }
}

function setLoad(insns: Insns, at: number, meaning: number, imm: number): void {
  insns.setSrc(at, meaning);
  insns.setImm(at, imm);
}

function resolveExtern(
  insns: Insns,
  at: number,
  extern: ResolvedExtern | undefined,
  context: ProgramContext,
): void {
  if (extern?.kind === 'kconfig') {
    const index = context.spec.maps.findIndex(({ origin }) => origin === 'kconfig');
    const fd = context.maps[index]?.fd;
    insns.setImm(at + 1, extern.offset);
    if (fd === undefined) poisonMapLoad(insns, at, index);
    else setLoad(insns, at, PseudoLoad.MAP_VALUE, fd);
  } else if (extern?.kind === 'typed') {
    setLoad(insns, at, PseudoLoad.BTF_ID, extern.btfId);
    insns.setImm(at + 1, extern.module?.fd ?? 0);
  } else {
    insns.setImm64(at, extern?.kind === 'address' ? extern.address : 0n);
  }
}

/** A call of a weak kfunc that is absent must be dead code: it becomes one that no kernel has (2002000000 + extern). */
function resolveKfunc(insns: Insns, at: number, index: number, extern: ResolvedExtern | undefined): void {
  if (extern?.kind !== 'typed') {
    insns.set(at, { code: CALL, imm: 2_002_000_000 + index });
    return;
  }
  insns.setSrc(at, PseudoCall.KFUNC);
  insns.setImm(at, extern.btfId);
  insns.setOff(at, extern.module?.index ?? 0);
}

/** A use of a map that was left out must be dead code: both halves become a call that no kernel has (2001000000 + map). */
function poisonMapLoad(insns: Insns, at: number, map: number): void {
  for (const slot of [at, at + 1]) insns.set(slot, { code: CALL, imm: 2_001_000_000 + map });
}

/** func_info and line_info of a program and the subprograms behind it, moved to where they came to lie. */
function debugInfo(
  { placements }: AssembledProgram,
  spec: ObjectSpec,
): Pick<ProgLoad, 'funcInfo' | 'lineInfo'> {
  const little = spec.byteOrder === 'little';
  const funcs = placements.flatMap(({ fn, start }) =>
    fn.funcInfo.map(({ insn, raw }) => ({ insn: start + insn, raw })),
  );
  const lines = placements.flatMap(({ fn, start }) =>
    fn.lineInfo.map(({ insn, raw }) => ({ insn: start + insn, raw })),
  );
  // The kernel wants one record a function, beginning with instruction 0: all of them or none.
  if (funcs.length !== placements.length || funcs[0]?.insn !== 0) return {};
  const funcInfo = records(funcs, little);
  if (lines.length === 0 || lines[0]?.insn !== 0) return { funcInfo };
  return { funcInfo, lineInfo: records(lines, little) };
}

function records(list: readonly { insn: number; raw: Uint8Array }[], little: boolean) {
  const recordSize = list[0]?.raw.length ?? 0;
  const bytes = new Uint8Array(list.length * recordSize);
  const view = new DataView(bytes.buffer);
  list.forEach(({ insn, raw }, index) => {
    bytes.set(raw.subarray(0, recordSize), index * recordSize);
    view.setUint32(index * recordSize, insn, little);
  });
  return { recordSize, bytes };
}

function sourceLines({ placements }: AssembledProgram): SourceLine[] {
  return placements.flatMap(({ fn, start }) =>
    fn.lineInfo.map((info) => ({
      insn: start + info.insn,
      file: info.fileName,
      line: info.line,
      text: info.text,
    })),
  );
}

function poisons({ placements }: AssembledProgram, { outcomesOf }: ProgramContext): Poison[] {
  return placements.flatMap((placement) =>
    outcomesOf(placement).flatMap((outcome) =>
      outcome.poisoned ? [{ insn: placement.start + outcome.insn, what: outcome.text }] : [],
    ),
  );
}
