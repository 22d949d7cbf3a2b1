import type { Btf } from '../btf/btf.js';
import type { CoreRelocation } from '../btf/ext.js';
import { BpfError, isBpfError, printable } from '../errors.js';
import { accessSize, CALL, InsnClass, Insns, withAccessSize } from '../insn.js';
import { CoreKind, coreQuestion } from './kinds.js';
import type { Resolution } from './resolution.js';
import { resolve } from './resolve.js';
import { type CoreSpec, coreError, parseSpec, specText, typeText } from './spec.js';
import type { CoreTarget } from './target.js';

/** Helper number that a relocation without an answer calls (0xbad2310, as libbpf's): no kernel has it. */
export const CORE_POISON = 195896080;

const MAX_INSN_OFFSET = 0x7fff;

/** What became of one relocation. */
export interface CoreOutcome {
  /** Instruction number, as in the relocation. */
  readonly insn: number;
  /** `enum bpf_core_relo_kind`. */
  readonly kind: number;
  /** What it refers to, in C: `struct task_struct.real_parent.tgid`. */
  readonly text: string;
  /** True when a type of the kernel fits; existence relocations answer 0 when not. */
  readonly found: boolean;
  /** True when the instruction was made invalid: fine in code that is never reached, refused by the verifier elsewhere. */
  readonly poisoned: boolean;
  /** Why it is poisoned or not found, for people; empty otherwise. */
  readonly reason: string;
  /** What the instruction held as compiled, and what it holds now (undefined when poisoned); unsigned 64 bits. */
  readonly local: bigint;
  readonly value: bigint | undefined;
}

/** A relocation that cannot be done. Says which one, and keeps the instruction for whoever knows its source line. */
export class CoreRelocationError extends BpfError {
  override readonly name = 'CoreRelocationError';
  /** Instruction number, as in the relocation. */
  readonly insn: number;

  constructor(insn: number, message: string, details: { code: string; cause: unknown }) {
    super(details.code, message, details);
    this.insn = insn;
  }
}

/** What {@link relocateCore} works on. */
export interface CoreRequest {
  /** A function as compiled; patched in place. */
  readonly insns: Uint8Array;
  /** Their `insn` counts in `insns`. */
  readonly relocations: readonly CoreRelocation[];
  /** The object's BTF. */
  readonly local: Btf;
  readonly target: CoreTarget;
  /** Byte order of `insns`; that of `local` unless said. */
  readonly littleEndian?: boolean;
  /** Name for errors. */
  readonly program?: string;
}

/**
 * Makes instructions fit the kernel's types, as libbpf's relo_core.c does. What the kernel does not have poisons the
 * instruction instead of failing, since it may stand behind a check and never run. Relocate every function once, in the
 * order of the object file, with one {@link CoreTarget}.
 * @returns one outcome for each relocation, in order
 * @throws CoreRelocationError for relocations that make no sense or have several answers
 */
export function relocateCore(request: CoreRequest): CoreOutcome[] {
  const { relocations, local, target } = request;
  const insns = new Insns(request.insns, request.littleEndian ?? local.littleEndian);
  target.budget.allow(relocations.length);
  target.want(coreNames(relocations, local));
  return relocations.map((relocation) => {
    try {
      const resolution = resolve(relocation, local, target);
      return new Outcome(relocation, resolution, patch(insns, relocation.insn, resolution));
    } catch (error) {
      throw inContext(error, relocation, request);
    }
  });
}

/** The root types that relocations will look for in the kernel, for {@link CoreTarget.want}. Ids that are wrong are left out. */
export function coreNames(relocations: readonly CoreRelocation[], local: Btf): Set<string> {
  const names = new Set<string>();
  for (const { typeId, kind } of relocations) {
    if (kind === CoreKind.TYPE_ID_LOCAL || typeId <= 0 || typeId >= local.endId) continue;
    names.add(local.name(typeId));
  }
  return names;
}

/** Knows its text when asked: most are never shown. */
class Outcome implements CoreOutcome {
  readonly insn: number;
  readonly kind: number;
  readonly found: boolean;
  readonly poisoned: boolean;
  readonly reason: string;
  readonly local: bigint;
  readonly value: bigint | undefined;
  readonly #spec: CoreSpec;

  constructor({ insn, kind }: CoreRelocation, resolution: Resolution, problem: string | undefined) {
    this.insn = insn;
    this.kind = kind;
    this.found = resolution.found;
    this.poisoned = problem !== undefined;
    this.reason = problem ?? resolution.missing;
    this.local = resolution.local.value;
    this.value = problem === undefined ? resolution.value : undefined;
    this.#spec = resolution.spec;
  }

  get text(): string {
    return specText(this.#spec);
  }
}

function inContext(error: unknown, relocation: CoreRelocation, { local, program }: CoreRequest): unknown {
  if (!isBpfError(error)) return error;
  const { insn, kind } = relocation;
  const where = program === undefined ? '' : ` of "${printable(program)}"`;
  const what = coreQuestion(kind) ?? 'unknown relation to';
  const message = `relocate instruction ${insn}${where} (${what} ${relocationText(relocation, local)}): ${error.message}`;
  return new CoreRelocationError(insn, message, { code: error.code, cause: error });
}

/** What a relocation refers to, as much of it as makes sense. */
export function relocationText(relocation: CoreRelocation, local: Btf): string {
  const attempts = [() => specText(parseSpec(local, relocation)), () => typeText(local, relocation.typeId)];
  for (const attempt of attempts) {
    try {
      return attempt();
    } catch (error) {
      // The error that is being reported says what is wrong with it.
      if (!isBpfError(error)) throw error;
    }
  }
  return `type ${relocation.typeId}`;
}

/** Patches one instruction; returns why it was poisoned, or undefined (libbpf: bpf_core_patch_insn). */
function patch(insns: Insns, slot: number, resolution: Resolution): string | undefined {
  if (!insns.has(slot)) throw coreError('there is no such instruction, or only half of it');
  switch (insns.code(slot) & 7) {
    case InsnClass.ALU:
    case InsnClass.ALU64:
      if ((insns.code(slot) & 8) !== 0) break;
      return patchImmediate(insns, slot, resolution);
    case InsnClass.LDX:
    case InsnClass.ST:
    case InsnClass.STX:
      return patchOffset(insns, slot, resolution);
    case InsnClass.LD:
      if (!isPlainLoadImm64(insns, slot)) break;
      return patchConstant(insns, slot, resolution);
  }
  throw coreError(
    `instructions like this one (code 0x${insns.code(slot).toString(16)}) have no place for it`,
  );
}

function patchImmediate(
  insns: Insns,
  slot: number,
  { value, local, missing }: Resolution,
): string | undefined {
  if (value === undefined) return poison(insns, slot, missing);
  checkLocal(local, BigInt(insns.imm(slot)));
  insns.setImm(slot, Number(BigInt.asIntN(32, value)));
  return undefined;
}

function patchConstant(
  insns: Insns,
  slot: number,
  { value, local, missing }: Resolution,
): string | undefined {
  if (value === undefined) return poison(insns, slot, missing);
  checkLocal(local, insns.imm64(slot));
  insns.setImm64(slot, value);
  return undefined;
}

function patchOffset(
  insns: Insns,
  slot: number,
  { value, local, missing, width }: Resolution,
): string | undefined {
  if (value === undefined) return poison(insns, slot, missing);
  checkLocal(local, BigInt(insns.off(slot)));
  if (value > MAX_INSN_OFFSET) {
    throw coreError(
      `its offset in the kernel is ${value}, and an instruction reaches ${MAX_INSN_OFFSET} at most`,
    );
  }
  const code = insns.code(slot);
  if (width !== undefined && !width.safe) {
    return poison(
      insns,
      slot,
      `it is ${width.to} bytes in the kernel and ${width.from} in the object, and only pointers and unsigned integers can be read at another size`,
    );
  }
  if (width !== undefined) {
    if (accessSize(code) !== width.from) {
      throw coreError(`the instruction moves ${accessSize(code)} bytes of a field that has ${width.from}`);
    }
    const changed = withAccessSize(code, width.to);
    if (changed === undefined)
      throw coreError(`no instruction moves the ${width.to} bytes it has in the kernel`);
    insns.setCode(slot, changed);
  }
  insns.setOff(slot, Number(value));
  return undefined;
}

/** A mismatch means that the relocation belongs to other code than it says. */
function checkLocal({ value, certain }: Resolution['local'], held: bigint): void {
  if (!certain || BigInt.asUintN(64, held) === value) return;
  throw coreError(
    `the instruction holds ${held}, and the object's own types say ${BigInt.asIntN(64, value)}`,
  );
}

function isPlainLoadImm64(insns: Insns, slot: number): boolean {
  if (!insns.isLoadImm64(slot) || insns.src(slot) !== 0 || insns.off(slot) !== 0) return false;
  const next = slot + 1;
  return insns.code(next) === 0 && insns.dst(next) === 0 && insns.src(next) === 0 && insns.off(next) === 0;
}

/** Makes an instruction one that the verifier refuses if it is ever reached. */
function poison(insns: Insns, slot: number, why: string): string {
  const slots = insns.isLoadImm64(slot) ? 2 : 1;
  for (let i = 0; i < slots; i++) insns.set(slot + i, { code: CALL, imm: CORE_POISON });
  return why;
}
