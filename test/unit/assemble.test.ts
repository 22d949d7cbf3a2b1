import { describe, expect, it } from 'vitest';
import {
  CALL,
  EXIT,
  encodeInsns,
  type Insn,
  LD_IMM64,
  PseudoCall,
  PseudoLoad,
} from '../../runtime/src/insn.js';
import { assemble } from '../../runtime/src/loader/assemble.js';
import type { FunctionSpec, ObjectSpec, ProgramSpec, Relocation } from '../../runtime/src/object/spec.js';

const mov = (imm: number): Insn => ({ code: 0xb7, imm });
const call: Insn = { code: CALL, src: PseudoCall.SUBPROGRAM, imm: -1 };
const exit: Insn = { code: EXIT };

function fn(name: string, insns: Insn[], relocations: Relocation[] = []): FunctionSpec {
  return {
    name,
    section: '.text',
    offset: 0,
    insns: encodeInsns(insns, true),
    linkage: 'static',
    hidden: false,
    weak: false,
    relocations,
    funcInfo: [],
    lineInfo: [],
    coreRelocations: [],
  };
}

function object(functions: FunctionSpec[]): ObjectSpec {
  const none = { license: 'GPL', kernelVersion: 0, maps: [], programs: [], externs: [], warnings: [] };
  return { byteOrder: 'little', functions, ...none };
}

function program(insns: Insn[], relocations: Relocation[], extra: Partial<ProgramSpec> = {}): ProgramSpec {
  return { ...fn('main', insns, relocations), sec: 'socket', autoload: true, ...extra };
}

const calls = (insn: number, index: number): Relocation => ({ kind: 'call', insn, function: index });
const names = (spec: ObjectSpec, main: ProgramSpec) =>
  assemble(spec, main).placements.map((placement) => `${placement.fn.name}@${placement.start}`);

describe('a program is laid out with its subprograms', () => {
  it('each once, where the first call of it is met, its own calls before the next', () => {
    const spec = object([
      fn('a', [call, exit], [calls(0, 1)]),
      fn('b', [mov(2), exit]),
      fn('c', [call, call, exit], [calls(0, 1), calls(1, 0)]),
    ]);
    const main = program([call, call, call, exit], [calls(0, 0), calls(1, 2), calls(2, 1)]);
    expect(names(spec, main)).toEqual(['main@0', 'a@4', 'b@6', 'c@8']);
  });

  it('with calls relative to the instruction behind the call', () => {
    const spec = object([fn('a', [call, exit], [calls(0, 1)]), fn('b', [mov(2), exit])]);
    const { insns } = assemble(spec, program([mov(0), call, exit], [calls(1, 0)]));
    expect([insns.imm(1), insns.imm(3)]).toEqual([3 - 1 - 1, 5 - 3 - 1]);
  });

  it('with the address of a function marked as such', () => {
    const spec = object([fn('callback', [mov(0), exit])]);
    const load = [{ code: LD_IMM64 }, { code: 0 }];
    const { insns } = assemble(spec, program([...load, exit], [{ kind: 'function', insn: 0, function: 0 }]));
    expect([insns.src(0), insns.imm(0)]).toEqual([PseudoLoad.FUNC, 2]);
  });

  it('when it calls itself through another', () => {
    const spec = object([fn('a', [call, exit], [calls(0, 1)]), fn('b', [call, exit], [calls(0, 0)])]);
    expect(names(spec, program([call, exit], [calls(0, 0)]))).toEqual(['main@0', 'a@2', 'b@4']);
  });

  it('with the exception callback last', () => {
    const spec = object([{ ...fn('oops', [mov(0), exit]), linkage: 'global' }, fn('a', [exit])]);
    const main = program([call, exit], [calls(0, 1)], { exceptionCallback: 'oops' });
    expect(names(spec, main)).toEqual(['main@0', 'a@2', 'oops@3']);
  });

  it('without touching the bytes of the object', () => {
    const spec = object([fn('a', [exit])]);
    const main = program([call, exit], [calls(0, 0)]);
    const before = main.insns.slice();
    assemble(spec, main).insns.setImm(0, 99);
    expect(main.insns).toEqual(before);
  });

  it('through ten thousand nested calls', () => {
    const depth = 10_000;
    const spec = object(
      Array.from({ length: depth }, (_, i) =>
        fn(`f${i}`, [call, exit], i + 1 < depth ? [calls(0, i + 1)] : []),
      ),
    );
    expect(assemble(spec, program([call, exit], [calls(0, 0)])).placements).toHaveLength(depth + 1);
  });
});

describe('a program is refused', () => {
  it('when it calls a subprogram that is not there', () => {
    expect(() => assemble(object([]), program([call, exit], [calls(0, 7)]))).toThrow(
      /relocate "main": instruction 0 calls subprogram 7, which the object does not have/,
    );
  });

  it.each([
    ['is not there', 'gone', {}, 'ENOENT', 'the object has no exception callback "gone"'],
    ['has no name', '', {}, 'EINVAL', 'its exception_callback tag names no function'],
    [
      'is static',
      'oops',
      { linkage: 'static' },
      'EINVAL',
      '"oops" is static; declare it as a global function',
    ],
    ['is hidden', 'oops', { linkage: 'global', hidden: true }, 'EINVAL', '"oops" is hidden; declare it'],
  ] as const)('when its exception callback %s', (_, exceptionCallback, more, code, why) => {
    const spec = object([{ ...fn('oops', [mov(0), exit]), ...more }]);
    const assembling = () => assemble(spec, program([exit], [], { exceptionCallback }));
    expect(assembling).toThrow(why);
    expect(assembling).toThrow(expect.objectContaining({ code }));
  });
});
