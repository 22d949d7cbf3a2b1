import { describe, expect, test } from 'vitest';
import { Btf } from '../../runtime/src/btf/btf.js';
import { fixUpBtf } from '../../runtime/src/loader/btf-fixup.js';
import {
  btfDatasec,
  btfDeclTag,
  btfEnum64,
  btfFloat,
  btfFunc,
  btfFuncGlobal,
  btfQuestionMark,
  btfTypeTag,
  type Feature,
} from '../../runtime/src/loader/features.js';
import type { FunctionSpec } from '../../runtime/src/object/spec.js';
import { BtfBuilder } from './btf-builder.js';
import { fakeHost } from './fake-host.js';

function hidden(name: string): FunctionSpec {
  return {
    name,
    section: '.text',
    offset: 0,
    insns: new Uint8Array(0),
    linkage: 'global',
    hidden: true,
    weak: false,
    relocations: [],
    funcInfo: [],
    lineInfo: [],
    coreRelocations: [],
  };
}

/** Fixes up what `make` writes, for a kernel that lacks some features. */
function fixUp(
  make: (b: BtfBuilder) => void,
  lacking: readonly Feature[] = [],
  functions: FunctionSpec[] = [],
) {
  const b = new BtfBuilder();
  make(b);
  const before = b.btf();
  const original = before.bytes.slice();
  const asked = new Set<Feature>();
  const bytes = fixUpBtf({ btf: before, functions }, fakeHost().kernel, (feature) => {
    asked.add(feature);
    return !lacking.includes(feature);
  });
  expect(before.bytes, 'the object stays as it is').toEqual(original);
  return { before, after: Btf.parse(bytes), asked: [...asked].map(({ name }) => name) };
}

test('types that need nothing come out as they are, and no feature is asked for', () => {
  const { before, after, asked } = fixUp((b) => {
    const int = b.int('int', 4);
    b.struct('s', 8, [{ name: 'a', type: int }]);
    b.enum('e', [['A', 1]]);
  });
  expect(after.bytes).toEqual(before.bytes);
  expect(asked).toEqual([]);
});

test('only features that the types use are asked for', () => {
  const { asked } = fixUp((b) => {
    b.float('float', 4);
    b.func('f', b.prototype(0, []));
  });
  expect(asked).toEqual([btfFloat, btfFunc, btfFuncGlobal].map(({ name }) => name));
});

test('hidden global functions become static, others stay', () => {
  const { after } = fixUp(
    (b) => {
      const prototype = b.prototype(0, []);
      b.func('hidden', prototype);
      b.func('shown', prototype);
      b.func('hidden', prototype, 0);
    },
    [],
    [hidden('hidden')],
  );
  expect([2, 3, 4].map((id) => after.type(id))).toMatchObject([
    { name: 'hidden', linkage: 'static' },
    { name: 'shown', linkage: 'global' },
    { linkage: 'static' },
  ]);
});

describe('.ksyms becomes a section of ints', () => {
  const ksyms = (b: BtfBuilder) => {
    const int = b.int('int', 4); // 1
    const ptr = b.ptr(0); // 2
    const prototype = b.prototype(int, [
      ['', ptr],
      ['named', int],
      ['', 0],
    ]); // 3
    const variable = b.variable('bpf_prog_active', b.const(int), 2); // 5, type 4
    const kfunc = b.func('bpf_kfunc', prototype, 2); // 6
    const other = b.func('bpf_other', prototype, 2); // 7
    b.section('.ksyms', 0, [
      [variable, 0, 0],
      [kfunc, 0, 0],
      [other, 0, 0],
    ]); // 8
  };
  const { before, after } = fixUp(ksyms);

  test('with an entry of 4 bytes for each symbol, functions all sharing a dummy', () => {
    expect(after.endId).toBe(before.endId + 1);
    const dummy = before.endId;
    expect(after.type(8)).toMatchObject({
      size: 12,
      vars: [
        { type: 5, offset: 0, size: 4 },
        { type: dummy, offset: 4, size: 4 },
        { type: dummy, offset: 8, size: 4 },
      ],
    });
    expect(after.type(dummy)).toMatchObject({ kind: 'var', name: 'dummy_ksym', type: 1, linkage: 'global' });
  });

  test('of defined symbols', () => {
    expect(after.type(5)).toMatchObject({ name: 'bpf_prog_active', type: 1, linkage: 'global' });
    expect(after.type(6)).toMatchObject({ name: 'bpf_kfunc', type: 3, linkage: 'global' });
  });

  test('whose parameters have names, but for the one that means varargs', () => {
    const type = after.type(3);
    expect(type.kind === 'func_proto' && type.params.map(({ name }) => name)).toEqual([
      'dummy_ksym',
      'named',
      '',
    ]);
  });

  test('with an int of its own when the object has none', () => {
    const { after } = fixUp((b) => {
      const variable = b.variable('x', b.ptr(0), 2);
      b.section('.ksyms', 0, [[variable, 0, 0]]);
    });
    expect(after.type(4)).toMatchObject({ kind: 'int', name: 'int', size: 4 });
    expect(after.type(2)).toMatchObject({ type: 4 });
  });

  test('and must hold variables and functions only', () => {
    expect(() => fixUp((b) => void b.section('.ksyms', 0, [[b.ptr(0), 0, 0]]))).toThrow('.ksyms holds a ptr');
  });
});

describe('on a kernel without', () => {
  const variables = (name: string) => (b: BtfBuilder) => {
    const int = b.int('int', 4); // 1
    const [a, c] = [b.variable('a', int), b.variable('c', int)]; // 2, 3
    b.section(name, 8, [
      [a, 0, 4],
      [c, 4, 4],
    ]); // 4
  };

  test('sections, they become structs and variables bytes', () => {
    const { after } = fixUp(variables('.data.x'), [btfDatasec, btfQuestionMark]);
    expect(after.type(4)).toMatchObject({
      kind: 'struct',
      name: '_data_x',
      size: 8,
      members: [
        { name: 'a', type: 2, bitOffset: 0 },
        { name: 'c', type: 3, bitOffset: 32 },
      ],
    });
    expect(after.type(2)).toMatchObject({ kind: 'int', name: 'a', size: 1, bits: 8 });
  });

  test('question marks, they become underscores', () => {
    const { after } = fixUp(variables('?.struct_ops'), [btfQuestionMark]);
    expect(after.type(4)).toMatchObject({ kind: 'datasec', name: '_.struct_ops' });
    expect(fixUp(variables('?.struct_ops')).after.type(4)).toMatchObject({ name: '?.struct_ops' });
  });

  const functions = (b: BtfBuilder) => {
    b.int('int', 4); // 1
    const prototype = b.prototype(1, [
      ['x', 1],
      ['', 1],
    ]); // 2
    b.func('f', prototype); // 3
  };

  test('functions, they become typedefs of enums', () => {
    const { after } = fixUp(functions, [btfFunc]);
    expect(after.type(3)).toMatchObject({ kind: 'typedef', name: 'f', type: 2 });
    expect(after.type(2)).toMatchObject({
      kind: 'enum',
      size: 4,
      values: [{ name: 'x' }, { name: 'unnamed' }],
    });
  });

  test('global functions, they become static', () => {
    expect(fixUp(functions, [btfFuncGlobal]).after.type(3)).toMatchObject({
      kind: 'func',
      linkage: 'static',
    });
  });

  test('floats, they become empty structs', () => {
    const { after } = fixUp((b) => void b.float('double', 8), [btfFloat]);
    expect(after.type(1)).toEqual({ kind: 'struct', id: 1, name: '', size: 8, members: [] });
  });

  test('declaration tags, they become bytes', () => {
    const { after } = fixUp((b) => void b.declTag('tag', b.int('int', 4)), [btfDeclTag]);
    expect(after.type(2)).toMatchObject({ kind: 'int', size: 1, bits: 8 });
  });

  test('type tags, they become qualifiers', () => {
    const { after } = fixUp((b) => void b.typeTag('user', b.int('int', 4)), [btfTypeTag]);
    expect(after.type(2)).toEqual({ kind: 'const', id: 2, name: '', type: 1 });
  });

  test('64-bit enums, they become unions, and signed enums lose their sign', () => {
    const { before, after } = fixUp(
      (b) => {
        b.enum64('wide', [
          ['A', 1n << 40n],
          ['B', 2n],
        ]);
        b.enum('low', [['C', -1]], { signed: true });
      },
      [btfEnum64],
    );
    const placeholder = before.endId;
    expect(after.type(1)).toMatchObject({
      kind: 'union',
      name: 'wide',
      size: 8,
      members: [
        { name: 'A', type: placeholder, bitOffset: 0 },
        { name: 'B', type: placeholder, bitOffset: 0 },
      ],
    });
    expect(after.type(2)).toMatchObject({ kind: 'enum', signed: false });
    expect(after.type(placeholder)).toMatchObject({ kind: 'int', name: 'enum64_placeholder', size: 1 });
  });
});

test('an object without BTF has none to give', () => {
  expect(() => fixUpBtf({ functions: [] }, fakeHost().kernel)).toThrow('the object has no BTF');
});
