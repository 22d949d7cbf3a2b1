import { describe, expect, test } from 'vitest';
import { Btf } from '../../runtime/src/btf/btf.js';
import { CoreKind } from '../../runtime/src/core/kinds.js';
import { coreNames, relocateCore } from '../../runtime/src/core/relocate.js';
import { CoreTarget } from '../../runtime/src/core/target.js';
import { encodeInsns } from '../../runtime/src/insn.js';
import { BtfBuilder } from './btf-builder.js';

function vmlinux(): Btf {
  const b = new BtfBuilder();
  b.int('int', 4); // 1
  b.struct('sock', 8, []); // 2
  b.union('sock', 8, []); // 3
  b.struct('sock___2', 8, []); // 4
  b.struct('sock_common', 8, []); // 5
  b.enum('state', [['A', 1]]); // 6
  b.enum64('state', [['A', 1n]]); // 7
  b.struct('x', 8, []); // 8
  b.func('sock', b.prototype(0, [])); // 10
  return b.btf();
}

function module(base: Btf, name: string): Btf {
  const b = new BtfBuilder({ base });
  b.struct('sock', 16, []);
  b.struct(name, 16, [{ name: 'x', type: 1 }]);
  return b.btf();
}

describe('candidates', () => {
  test.each([
    ['struct', 'sock', [2, 4]],
    ['struct', 'sock___mine', [2, 4]],
    ['union', 'sock', [3]],
    ['struct', 'sock_common', [5]],
    ['enum', 'state', [6, 7]],
    ['enum64', 'state', [6, 7]],
    ['struct', 'x', [8]],
    ['int', 'int', [1]],
    ['struct', 'soc', []],
    ['struct', '', []],
  ] as const)('of %s %s have its kind and essential name', (kind, name, ids) => {
    expect(new CoreTarget(vmlinux()).candidates(name, kind).map(({ id }) => id)).toEqual(ids);
  });

  test('come from modules only when the kernel has none', () => {
    const base = vmlinux();
    const modules = [module(base, 'nf_conn'), module(base, 'xfs_inode')];
    let asked = 0;
    const target = new CoreTarget(base, () => {
      asked++;
      return modules;
    });
    expect(target.candidates('sock', 'struct').map(({ btf }) => btf)).toEqual([base, base]);
    expect(asked).toBe(0);
    expect(target.candidates('xfs_inode', 'struct')).toEqual([{ btf: modules[1], id: base.endId + 1 }]);
    expect(target.candidates('nf_conn', 'struct')).toEqual([{ btf: modules[0], id: base.endId + 1 }]);
    expect(target.candidates('nowhere', 'struct')).toEqual([]);
    expect(asked).toBe(1);
  });

  test('of a module may have their names in the strings of the kernel', () => {
    const base = vmlinux();
    const b = new BtfBuilder({ base });
    b.struct('unused', 4, []);
    const bytes = b.bytes();
    // The name of vmlinux's struct x, and the type it names is this module's.
    new DataView(bytes.buffer).setUint32(
      24,
      new DataView(base.bytes.buffer).getUint32(base.recordOffset(8), true),
      true,
    );
    const split = Btf.parse(bytes, { base });
    expect(new CoreTarget(split).candidates('x', 'struct').map(({ id }) => id)).toEqual([base.endId]);
  });
});

describe('the BTF of a kernel', () => {
  const local = new BtfBuilder();
  local.struct('sock', 8, []);
  const relocate = (kind: number, target: CoreTarget) =>
    relocateCore({
      insns: encodeInsns([{ code: 0xb7, imm: kind === CoreKind.TYPE_SIZE ? 8 : 1 }], true),
      relocations: [{ insn: 0, typeId: 1, access: '0', kind }],
      local: local.btf(),
      target,
    });

  test('is not read for local ids', () => {
    const target = new CoreTarget(() => {
      throw new Error('read');
    });
    expect(relocate(CoreKind.TYPE_ID_LOCAL, target)[0]?.value).toBe(1n);
    expect(() => relocate(CoreKind.TYPE_SIZE, target)).toThrow('read');
  });

  test('is read once', () => {
    let reads = 0;
    const target = new CoreTarget(() => {
      reads++;
      return vmlinux();
    });
    relocate(CoreKind.TYPE_SIZE, target);
    relocate(CoreKind.TYPE_EXISTS, target);
    expect(reads).toBe(1);
  });
});

test('the names to look for leave out local ids and ids that are wrong', () => {
  const b = new BtfBuilder();
  b.struct('a', 0, []);
  b.struct('b', 0, []);
  const at = (typeId: number, kind: number) => ({ insn: 0, typeId, access: '0', kind });
  const relocations = [
    at(1, CoreKind.TYPE_SIZE),
    at(2, CoreKind.TYPE_ID_LOCAL),
    at(0, 0),
    at(7, 0),
    at(-1, 0),
  ];
  expect([...coreNames(relocations, b.btf())]).toEqual(['a']);
});
