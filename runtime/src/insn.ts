// `struct bpf_insn`: 8 bytes of code, registers, off (s16) and imm (s32); include/uapi/linux/bpf.h. Opcode parts have
// the kernel's names without `BPF_`.

/** Bytes of one instruction. `ld_imm64` takes two. */
export const INSN_SIZE = 8;

/** Low three bits of `code`. */
export const InsnClass = { LD: 0, LDX: 1, ST: 2, STX: 3, ALU: 4, JMP: 5, JMP32: 6, ALU64: 7 } as const;

/** Code of the two-slot load of a 64-bit constant. */
export const LD_IMM64 = 0x18;
/** Code of a call: of a helper, a subprogram or a kfunc, as `src` says. */
export const CALL = 0x85;
export const EXIT = 0x95;

/** What `src` of a `ld_imm64` says about its constant. */
export const PseudoLoad = {
  MAP_FD: 1,
  MAP_VALUE: 2,
  BTF_ID: 3,
  FUNC: 4,
  MAP_IDX: 5,
  MAP_IDX_VALUE: 6,
} as const;
/** What `src` of a call says about its `imm`. */
export const PseudoCall = { HELPER: 0, SUBPROGRAM: 1, KFUNC: 2 } as const;

/** One instruction, as {@link encodeInsns} takes it; what is absent is 0. */
export interface Insn {
  readonly code: number;
  readonly dst?: number;
  readonly src?: number;
  readonly off?: number;
  readonly imm?: number;
}

/**
 * Instructions in place: reads and patches bytes that somebody else owns. Slots count from 0, a `ld_imm64` fills two.
 * A slot that is not there is a RangeError: check untrusted numbers with {@link Insns.has}.
 */
export class Insns {
  readonly bytes: Uint8Array;
  /** Slots, whole ones only. */
  readonly count: number;
  readonly #view: DataView;
  readonly #little: boolean;

  constructor(bytes: Uint8Array, littleEndian: boolean) {
    this.bytes = bytes;
    this.count = Math.floor(bytes.length / INSN_SIZE);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#little = littleEndian;
  }

  /** True when `slot` exists, and its second half too when it begins a `ld_imm64`. */
  has(slot: number): boolean {
    if (!(Number.isInteger(slot) && slot >= 0 && slot < this.count)) return false;
    return this.code(slot) !== LD_IMM64 || slot + 1 < this.count;
  }

  code(slot: number): number {
    return this.#view.getUint8(slot * INSN_SIZE);
  }
  dst(slot: number): number {
    const registers = this.#view.getUint8(slot * INSN_SIZE + 1);
    return this.#little ? registers & 0xf : registers >> 4;
  }
  src(slot: number): number {
    const registers = this.#view.getUint8(slot * INSN_SIZE + 1);
    return this.#little ? registers >> 4 : registers & 0xf;
  }
  off(slot: number): number {
    return this.#view.getInt16(slot * INSN_SIZE + 2, this.#little);
  }
  imm(slot: number): number {
    return this.#view.getInt32(slot * INSN_SIZE + 4, this.#little);
  }
  /** The constant of the `ld_imm64` that begins at `slot`, unsigned. */
  imm64(slot: number): bigint {
    return (
      BigInt.asUintN(32, BigInt(this.imm(slot))) | (BigInt.asUintN(32, BigInt(this.imm(slot + 1))) << 32n)
    );
  }

  setCode(slot: number, code: number): void {
    this.#view.setUint8(slot * INSN_SIZE, code);
  }
  setDst(slot: number, dst: number): void {
    this.#setRegisters(slot, dst, this.src(slot));
  }
  setSrc(slot: number, src: number): void {
    this.#setRegisters(slot, this.dst(slot), src);
  }
  setOff(slot: number, off: number): void {
    this.#view.setInt16(slot * INSN_SIZE + 2, off, this.#little);
  }
  /** Keeps the low 32 bits of `imm`. */
  setImm(slot: number, imm: number): void {
    this.#view.setInt32(slot * INSN_SIZE + 4, imm, this.#little);
  }
  /** Keeps the low 64 bits of `imm`. */
  setImm64(slot: number, imm: bigint): void {
    this.setImm(slot, Number(BigInt.asIntN(32, imm)));
    this.setImm(slot + 1, Number(BigInt.asIntN(32, imm >> 32n)));
  }
  /** Replaces a whole slot. */
  set(slot: number, insn: Insn): void {
    this.setCode(slot, insn.code);
    this.#setRegisters(slot, insn.dst ?? 0, insn.src ?? 0);
    this.setOff(slot, insn.off ?? 0);
    this.setImm(slot, insn.imm ?? 0);
  }

  /** True for the first half of a 64-bit constant load. */
  isLoadImm64(slot: number): boolean {
    return this.code(slot) === LD_IMM64;
  }

  #setRegisters(slot: number, dst: number, src: number): void {
    this.#view.setUint8(slot * INSN_SIZE + 1, this.#little ? (src << 4) | dst : (dst << 4) | src);
  }
}

/** The bytes of `insns`, for programs that are written by hand (feature probes, tests). */
export function encodeInsns(insns: readonly Insn[], littleEndian: boolean): Uint8Array {
  const bytes = new Uint8Array(insns.length * INSN_SIZE);
  const out = new Insns(bytes, littleEndian);
  insns.forEach((insn, slot) => {
    out.set(slot, insn);
  });
  return bytes;
}

/** Bytes that a load or store of `code` moves. */
export function accessSize(code: number): 1 | 2 | 4 | 8 {
  switch (code & 0x18) {
    case 0x00:
      return 4;
    case 0x08:
      return 2;
    case 0x10:
      return 1;
    default:
      return 8;
  }
}

/** `code` moving `size` bytes instead, or undefined when no instruction moves that many. */
export function withAccessSize(code: number, size: number): number | undefined {
  const bits = { 1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18 }[size];
  return bits === undefined ? undefined : (code & ~0x18) | bits;
}
