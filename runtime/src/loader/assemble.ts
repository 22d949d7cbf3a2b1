import { BpfError, printable } from '../errors.js';
import { INSN_SIZE, Insns, PseudoLoad } from '../insn.js';
import { ERRNO } from '../kernel/errno.js';
import type { FunctionSpec, ObjectSpec, ProgramSpec, Relocation } from '../object/spec.js';

/** Where a function of the object came to lie in a program. */
export interface Placement {
  readonly fn: FunctionSpec;
  /** Instruction number of its first instruction. */
  readonly start: number;
}

/** A program with every subprogram it reaches behind it, calls resolved. Still without any address of this kernel. */
export interface AssembledProgram {
  readonly spec: ProgramSpec;
  /** In the object's byte order; the caller may patch them. */
  readonly insns: Insns;
  readonly placements: readonly Placement[];
}

/**
 * Lays a program and its subprograms out in libbpf's order (bpf_object__reloc_code): a subprogram is appended when the
 * first call of it is met, and its own calls are followed before the caller's next one. Each program gets its own copy.
 * `insnsOf` gives a function's instructions after CO-RE.
 */
export function assemble(
  spec: ObjectSpec,
  program: ProgramSpec,
  insnsOf: (fn: FunctionSpec) => Uint8Array = (fn) => fn.insns,
): AssembledProgram {
  const placements: Placement[] = [];
  const starts = new Map<FunctionSpec, number>();
  let length = 0;

  const place = (fn: FunctionSpec): void => {
    starts.set(fn, length);
    placements.push({ fn, start: length });
    length += fn.insns.length / INSN_SIZE;
  };
  // An explicit list of what is left to do: call chains in a hostile object may be long.
  const pending: { fn: FunctionSpec; calls: Relocation[] }[] = [];
  const enter = (fn: FunctionSpec): void => {
    place(fn);
    pending.push({ fn, calls: callsOf(fn) });
  };
  const follow = (): void => {
    for (let top = pending.at(-1); top !== undefined; top = pending.at(-1)) {
      const call = top.calls.shift();
      if (call === undefined) {
        pending.pop();
        continue;
      }
      const callee = calleeOf(spec, top.fn, call);
      if (callee !== undefined && !starts.has(callee)) enter(callee);
    }
  };
  enter(program);
  follow();
  const callback = exceptionCallback(spec, program);
  if (callback !== undefined && !starts.has(callback)) {
    enter(callback);
    follow();
  }

  const bytes = new Uint8Array(length * INSN_SIZE);
  for (const { fn, start } of placements) bytes.set(insnsOf(fn), start * INSN_SIZE);
  const insns = new Insns(bytes, spec.byteOrder === 'little');
  for (const { fn, start } of placements) {
    for (const call of callsOf(fn)) {
      const callee = calleeOf(spec, fn, call);
      const target = callee && starts.get(callee);
      if (target === undefined) continue;
      const at = start + call.insn;
      insns.setImm(at, target - at - 1);
      if (call.kind === 'function') insns.setSrc(at, PseudoLoad.FUNC);
    }
  }
  return { spec: program, insns, placements };
}

function callsOf(fn: FunctionSpec): Relocation[] {
  return fn.relocations
    .filter(({ kind }) => kind === 'call' || kind === 'function')
    .sort((a, b) => a.insn - b.insn);
}

function calleeOf(spec: ObjectSpec, fn: FunctionSpec, call: Relocation): FunctionSpec | undefined {
  if (call.kind !== 'call' && call.kind !== 'function') return undefined;
  const callee = spec.functions[call.function];
  if (callee === undefined) {
    throw new BpfError(
      'ERR_BPF_MALFORMED',
      `relocate "${printable(fn.name)}": instruction ${call.insn} calls subprogram ${call.function}, which the object does not have`,
    );
  }
  return callee;
}

/**
 * The verifier takes only a function that everybody may call (libbpf: bpf_prog_assign_exc_cb); a hidden one is static
 * to it.
 */
function exceptionCallback(spec: ObjectSpec, program: ProgramSpec): FunctionSpec | undefined {
  const name = program.exceptionCallback;
  if (name === undefined) return undefined;
  const refused = (code: 'EINVAL' | 'ENOENT', why: string) =>
    new BpfError(code, `load program "${printable(program.name)}": ${why}`, {
      errno: code === 'EINVAL' ? ERRNO.EINVAL : ERRNO.ENOENT,
    });
  if (name === '') throw refused('EINVAL', 'its exception_callback tag names no function');
  const callback = spec.functions.find((fn) => fn.name === name);
  const shown = printable(name);
  if (callback === undefined) throw refused('ENOENT', `the object has no exception callback "${shown}"`);
  if (callback.linkage === 'static' || callback.hidden) {
    const is = callback.linkage === 'static' ? 'static' : 'hidden';
    throw refused(
      'EINVAL',
      `its exception callback "${shown}" is ${is}; declare it as a global function, without ${is === 'static' ? 'static' : '__hidden'}`,
    );
  }
  return callback;
}
