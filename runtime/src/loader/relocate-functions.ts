import { type CoreOutcome, CoreRelocationError, relocateCore } from '../core/relocate.js';
import { BpfError, printable } from '../errors.js';
import type { FunctionSpec, ObjectSpec } from '../object/spec.js';
import type { KernelTypes } from './kernel-types.js';

/** A function's instructions after CO-RE, and what became of each relocation. */
export interface RelocatedFunction {
  readonly insns: Uint8Array;
  readonly outcomes: readonly CoreOutcome[];
}

/**
 * CO-RE for `used` functions, once a function however many programs use it. Those without relocations are left out: an
 * object that has none loads on kernels without BTF.
 * @throws BpfError naming what is relocated, and the C line
 */
export function relocateFunctions(
  spec: ObjectSpec,
  used: Iterable<FunctionSpec>,
  types: KernelTypes,
): ReadonlyMap<FunctionSpec, RelocatedFunction> {
  const { btf: local, byteOrder } = spec;
  const relocated = new Map<FunctionSpec, RelocatedFunction>();
  const functions = new Set([...used].filter((fn) => fn.coreRelocations.length > 0));
  if (local === undefined || functions.size === 0) return relocated;
  const target = types.coreTarget(spec, functions);
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
