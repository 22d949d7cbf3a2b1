import { BpfError, printable } from '../errors.js';
import { type Insns, LD_IMM64, PseudoLoad } from '../insn.js';
import type { AssembledProgram } from './assemble.js';
import type { OpenObject } from './open-object.js';
import type { OpenProgram } from './open-program.js';
import { type AddressContext, downgradeHelpers, resolveAddresses } from './program-addresses.js';

/** Stands for the descriptor of a map that is not created yet: what a program's hash leaves out. */
const SOME_FD = 1;

/**
 * The programs that maps of an object are for alone, by the name of the map: the instructions as they will be loaded,
 * before there are maps (libbpf: bpf_prog_compute_hash). `assembled` gives a program that is loaded.
 */
export function exclusivePrograms(
  object: OpenObject,
  assembled: (program: OpenProgram) => AssembledProgram,
  context: Omit<AddressContext, 'maps'>,
): ReadonlyMap<string, Uint8Array> {
  const programs = new Map<string, Uint8Array>();
  const maps = [...object.maps.values()].map(({ autocreate }) => ({ fd: autocreate ? SOME_FD : undefined }));
  for (const { name, autocreate, exclusiveProgram: program } of object.maps.values()) {
    if (program === undefined || !autocreate) continue;
    if (!program.autoload) {
      throw new BpfError(
        'ERR_BPF_STATE',
        `create map "${printable(name)}": it is for program "${printable(program.name)}" alone, which is not loaded (autoload is false)`,
      );
    }
    const copy = assembled(program);
    resolveAddresses(copy, { ...context, maps });
    downgradeHelpers(copy, context.kernel);
    programs.set(name, hashed(copy.insns));
  }
  return programs;
}

/** As the kernel has it (kernel/bpf/core.c, bpf_prog_calc_tag): without descriptors of maps, and offsets into them. */
function hashed(insns: Insns): Uint8Array {
  for (let slot = 0; slot < insns.count; slot++) {
    if (insns.code(slot) !== LD_IMM64) continue;
    const source = insns.src(slot);
    if (source === PseudoLoad.MAP_FD || source === PseudoLoad.MAP_VALUE) insns.setImm64(slot, 0n);
    slot++;
  }
  return insns.bytes;
}
