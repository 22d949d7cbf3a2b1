import type { Btf } from '../btf/btf.js';
import { CALL, InsnClass, Insns, LD_IMM64, PseudoCall } from '../insn.js';
import type { FunctionSpec, ObjectSpec } from './spec.js';

/** Structs in which kprobes and uprobes find registers, by architecture (libbpf: bpf_tracing.h). */
const structs: ReadonlySet<string> = new Set(['pt_regs', 'user_pt_regs', 'user_regs_struct']);

/** Members that only the registers of one architecture have, by Node's name for it. */
const members: readonly (readonly [string, readonly string[]])[] = [
  ['x64', ['r15', 'r10', 'cs']],
  ['arm64', ['regs', 'pstate']],
  ['s390x', ['psw', 'gprs']],
  ['riscv64', ['ra', 't6']],
  ['ppc64', ['gpr', 'nip']],
  ['loong64', ['regs', 'csr_era']],
  ['mips64el', ['regs', 'cp0_status']],
  ['arm', ['uregs']],
];

/**
 * The architecture that an object was compiled for, by the registers in its BTF, and the struct that has them; undefined
 * where it names none: most objects run everywhere.
 */
export function architectureOf(btf: Btf): { readonly arch: string; readonly struct: string } | undefined {
  for (const struct of structs) {
    const id = btf.findOwn(struct, 'struct');
    if (id === undefined) continue;
    const names = memberNames(btf, id, 0);
    const found = members.find(([, wanted]) => wanted.every((name) => names.has(name)));
    if (found !== undefined) return { arch: found[0], struct };
  }
  return undefined;
}

/** Names of a struct's members, those of members without a name included. */
function memberNames(btf: Btf, id: number, depth: number): Set<string> {
  const type = btf.resolve(id);
  if ((type.kind !== 'struct' && type.kind !== 'union') || depth > 8) return new Set();
  return new Set(
    type.members.flatMap(({ name, type: member }) =>
      name === '' ? [...memberNames(btf, member, depth + 1)] : [name],
    ),
  );
}

/**
 * Does a probe read its context at an offset that was settled when it was compiled? Read in the order of the
 * instructions, as compilers write them: where the context goes into memory or to another function, it is taken to be
 * read there. Loads that CO-RE relocates find their field themselves.
 */
export function readsContext(fn: FunctionSpec, byteOrder: ObjectSpec['byteOrder']): boolean {
  const insns = new Insns(fn.insns, byteOrder === 'little');
  const relocated = new Set(fn.coreRelocations.map(({ insn }) => insn));
  const contexts = new Set([1]);
  for (let slot = 0; slot < insns.count; slot += insns.isLoadImm64(slot) ? 2 : 1) {
    const code = insns.code(slot);
    const [dst, src] = [insns.dst(slot), insns.src(slot)];
    const kind = code & 7;
    if (kind === InsnClass.LDX) {
      if (contexts.has(src) && !relocated.has(slot)) return true;
      contexts.delete(dst);
    } else if (kind === InsnClass.STX) {
      // Spilled, or in a struct.
      if (contexts.has(src)) return true;
    } else if (code === CALL) {
      if (src === PseudoCall.SUBPROGRAM && [1, 2, 3, 4, 5].some((register) => contexts.has(register)))
        return true;
      for (let register = 0; register <= 5; register++) contexts.delete(register);
    } else if (code === MOVE) {
      if (contexts.has(src)) contexts.add(dst);
      else contexts.delete(dst);
    } else if (code === LD_IMM64 || kind === InsnClass.ALU || kind === InsnClass.ALU64) {
      // The address of a register, for a helper to read from.
      if (code === ADD_CONSTANT && contexts.has(dst) && !relocated.has(slot)) return true;
      contexts.delete(dst);
    }
  }
  return false;
}

/** `dst = src` and `dst += imm`, of 64 bits. */
const MOVE = 0xbf;
const ADD_CONSTANT = 0x07;
