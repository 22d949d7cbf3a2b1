import { describe, expect, test } from 'vitest';
import type { BpfError } from '../../runtime/src/errors.js';
import { kernelMapName, libbpfMapName } from '../../runtime/src/object/maps.js';
import { parseObject } from '../../runtime/src/object/parse.js';
import type { FunctionSpec, MapSpec, ObjectSpec, Relocation } from '../../runtime/src/object/spec.js';
import { ObjectEditor, testObject } from './object-editor.js';

const [HASH, ARRAY, PROG_ARRAY, ARRAY_OF_MAPS, STRUCT_OPS, BLOOM, ARENA] = [1, 2, 3, 12, 26, 30, 33];
const [RDONLY_PROG, MMAPABLE, LINK] = [0x80, 0x400, 0x2000];

function named<T extends { readonly name: string }>(list: readonly T[], name: string): T {
  const found = list.find((item) => item.name === name);
  if (found === undefined) throw new Error(`no ${name} among ${list.map((item) => item.name)}`);
  return found;
}

/** What a relocation points to, by name. */
function target(spec: ObjectSpec, relocation: Relocation): string {
  switch (relocation.kind) {
    case 'map':
      return `map ${spec.maps[relocation.map]?.name}`;
    case 'data':
      return `data ${spec.maps[relocation.map]?.name}+${relocation.offset}`;
    case 'call':
    case 'function':
      return `${relocation.kind} ${spec.functions[relocation.function]?.name}`;
    case 'extern':
    case 'kfunc':
      return `${relocation.kind} ${spec.externs[relocation.extern]?.name}`;
  }
}

const targets = (spec: ObjectSpec, fn: FunctionSpec) =>
  fn.relocations.map((relocation) => target(spec, relocation));

describe.each([
  ['maps.o', 'little'],
  ['maps.eb.o', 'big'],
])('%s', (object, byteOrder) => {
  const spec = parseObject(testObject(object));

  test('states its byte order, licence and version', () => {
    expect(spec).toMatchObject({ byteOrder, license: 'Dual MIT/GPL', kernelVersion: 0x060c00, warnings: [] });
  });

  test('has its maps in the order of libbpf: declared ones, then sections of data', () => {
    expect(spec.maps.map(({ name }) => name)).toEqual([
      ...['first', 'second', 'outer', 'calls', 'typed', 'sized', 'bloom'],
      ...['.rodata', '.data', '.data.custom', '.data.shy', '.rodata.text', '.bss', '.bss.scratch'],
    ]);
  });

  test.each<[string, Partial<MapSpec>]>([
    ['typed', { type: HASH, keySize: 8, valueSize: 16, maxEntries: 1024, flags: 1, pinByName: false }],
    [
      'sized',
      { type: ARRAY, keySize: 4, valueSize: 16, keyTypeId: 0, valueTypeId: 0, numaNode: 1, pinByName: true },
    ],
    ['bloom', { type: BLOOM, keySize: 0, valueSize: 4, mapExtra: 3n, origin: 'btf', autocreate: true }],
    ['outer', { type: ARRAY_OF_MAPS, keySize: 4, valueSize: 4, maxEntries: 5, valueTypeId: 0 }],
    ['calls', { type: PROG_ARRAY, keySize: 4, valueSize: 4, maxEntries: 3 }],
    ['.rodata', { type: ARRAY, keySize: 4, valueSize: 19, maxEntries: 1, flags: MMAPABLE | RDONLY_PROG }],
    ['.bss', { type: ARRAY, keySize: 4, valueSize: 20, flags: MMAPABLE, origin: 'data' }],
    ['.data.custom', { flags: MMAPABLE }],
    ['.data.shy', { flags: 0 }],
  ])('declares %s', (name, expected) => expect(named(spec.maps, name)).toMatchObject(expected));

  test('knows the types of keys and values', () => {
    const { keyTypeId, valueTypeId } = named(spec.maps, 'typed');
    expect([spec.btf?.name(keyTypeId), spec.btf?.name(valueTypeId)]).toEqual(['key', 'stats']);
  });

  test('knows the shape of inner maps, and what C puts into slots', () => {
    const outer = named(spec.maps, 'outer');
    expect(outer.inner).toMatchObject({
      name: 'outer.inner',
      type: ARRAY,
      keySize: 4,
      valueSize: 8,
      maxEntries: 4,
    });
    expect(outer.slots).toEqual([
      { index: 1, kind: 'map', name: 'first' },
      { index: 4, kind: 'map', name: 'second' },
    ]);
    expect(named(spec.maps, 'calls').slots).toEqual([{ index: 2, kind: 'program', name: 'tail' }]);
  });

  test.each([
    ['.rodata', ['target_pid 0+4 global', 'target 4+8 global', 'entry.____fmt 12+7 static']],
    ['.bss', ['seen 0+8 global', 'secret 8+8 static', 'hidden_count 16+4 static']],
    ['.data.shy', ['shy 0+4 static']],
  ])('places the variables of %s', (name, expected) => {
    const variables = named(spec.maps, name).section?.variables ?? [];
    expect(variables.map((v) => `${v.name} ${v.offset}+${v.size} ${v.linkage}`)).toEqual(expected);
  });

  test('has the initial bytes', () => {
    const custom = [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11];
    if (byteOrder === 'big') custom.reverse();
    expect([...(named(spec.maps, '.data.custom').section?.bytes ?? [])]).toEqual(custom);
    expect([...(named(spec.maps, '.bss.scratch').section?.bytes ?? [])]).toEqual([0, 0, 0, 0, 0]);
  });

  test('relocates programs to maps and data', () => {
    expect(targets(spec, named(spec.programs, 'tail'))).toEqual([
      'data .bss+0',
      'data .bss+8',
      'data .data+0',
    ]);
    expect(targets(spec, named(spec.programs, 'entry'))).toEqual([
      ...['data .rodata+0', 'data .rodata+4', 'map typed', 'map sized', 'map outer', 'data .data.custom+0'],
      ...['data .data.shy+0', 'data .bss+16', 'map bloom', 'data .bss.scratch+0', 'data .rodata.text+0'],
      ...['data .rodata+12', 'map calls'],
    ]);
  });

  test('has two programs in one section', () => {
    expect(
      spec.programs.map(({ name, section, offset, insns }) => [name, section, offset, insns.length]),
    ).toEqual([
      ['tail', 'tc', 0, 120],
      ['entry', 'tc', 120, 656],
    ]);
  });
});

describe.each([['functions.o'], ['functions.eb.o']])('%s', (object) => {
  const spec = parseObject(testObject(object));

  test.each([
    ['first', { sec: 'kprobe/do_unlinkat', autoload: true }],
    ['second', { sec: 'kprobe/do_unlinkat', exceptionCallback: 'on_exception' }],
    ['optional', { section: '?raw_tp/sys_enter', sec: 'raw_tp/sys_enter', autoload: false }],
    ['ops_update', { sec: 'struct_ops/update' }],
  ])('has program %s', (name, expected) => expect(named(spec.programs, name)).toMatchObject(expected));

  test.each([
    ['global_sum', { section: '.text', linkage: 'global', hidden: false, weak: false }],
    ['twice', { linkage: 'static' }],
    ['weak_sum', { linkage: 'global', weak: true }],
    ['hidden_sum', { linkage: 'global', hidden: true }],
  ])('has subprogram %s', (name, expected) => expect(named(spec.functions, name)).toMatchObject(expected));

  test.each([
    ['first', ['map numbers', 'function visit', 'call global_sum', 'call hidden_sum']],
    ['global_sum', ['call twice']],
    ['visit', ['call twice']],
    ['hidden_sum', ['extern LINUX_KERNEL_VERSION']],
    ['optional', ['extern bpf_prog_active', 'extern init_task_untyped']],
  ])('resolves what %s refers to', (name, expected) => {
    expect(targets(spec, named([...spec.programs, ...spec.functions], name))).toEqual(expected);
  });

  test('tells a call of a kfunc from the question whether it exists', () => {
    expect(targets(spec, named(spec.programs, 'second')).slice(0, 3)).toEqual([
      'kfunc bpf_rcu_read_lock',
      'extern bpf_rcu_read_unlock',
      'kfunc bpf_rcu_read_unlock',
    ]);
  });

  test('counts the instructions of source lines and CO-RE relocations from the function', () => {
    const second = named(spec.programs, 'second');
    expect(second.offset).toBe(264);
    expect(second.funcInfo).toMatchObject([{ insn: 0 }]);
    expect(second.lineInfo[0]?.insn).toBe(0);
    expect(second.lineInfo.every(({ insn }) => insn < second.insns.length / 8)).toBe(true);
    const first = named(spec.programs, 'first');
    expect(first.coreRelocations.map(({ insn, access, kind }) => [insn, access, kind])).toEqual([
      [9, '0:1', 0],
      [16, '0:0', 0],
    ]);
  });

  test('lays out .kconfig by alignment, size and name', () => {
    const kconfig = spec.externs.filter(({ kind }) => kind === 'kconfig');
    expect(kconfig.map(({ name, dataOffset, size, weak }) => [name, dataOffset, size, weak])).toEqual([
      ['CONFIG_HZ', 0, 8, true],
      ['CONFIG_IPV6', 8, 4, true],
      ['LINUX_KERNEL_VERSION', 12, 4, false],
      ['CONFIG_BPF', 16, 1, false],
      ['CONFIG_CC_VERSION_TEXT', 17, 30, true],
    ]);
    const map = named(spec.maps, '.kconfig');
    expect(map).toMatchObject({ origin: 'kconfig', valueSize: 47, flags: MMAPABLE | RDONLY_PROG });
    const section = spec.btf?.type(map.valueTypeId);
    expect(section).toMatchObject({
      kind: 'datasec',
      size: 47,
      vars: [{ offset: 0 }, { offset: 8 }, {}, {}, {}],
    });
  });

  test.each([
    ['bpf_prog_active', 'typed_ksym', false],
    ['init_task_untyped', 'ksym', true],
    ['bpf_rcu_read_lock', 'kfunc', false],
    ['bpf_rcu_read_unlock', 'kfunc', true],
  ])('needs %s of the kernel, a %s', (name, kind, weak) => {
    expect(named(spec.externs, name)).toMatchObject({ kind, weak });
  });

  test('has struct_ops maps last', () => {
    expect(spec.maps.slice(-2)).toMatchObject([
      {
        name: 'ops',
        type: STRUCT_OPS,
        valueSize: 40,
        flags: LINK,
        autocreate: true,
        origin: 'struct_ops',
        slots: [{ index: 1, kind: 'program', name: 'ops_update' }],
      },
      { name: 'spare', flags: 0, autocreate: false, slots: [{ index: 0 }, { index: 1 }] },
    ]);
    expect(spec.maps.at(-2)?.section?.bytes.subarray(20, 25)).toEqual(new TextEncoder().encode('mine\0'));
  });
});

test('variables of an arena belong to the arena', () => {
  const spec = parseObject(testObject('arena.o'));
  expect(spec.maps).toMatchObject([
    {
      name: 'arena',
      type: ARENA,
      mapExtra: 0x100000000000n,
      origin: 'arena',
      section: {
        kind: 'arena',
        variables: [
          { name: 'total', offset: 0 },
          { name: 'last', offset: 8 },
        ],
      },
    },
  ]);
  expect(targets(spec, named(spec.programs, 'touch'))).toEqual(['data arena+8', 'data arena+0']);
});

test('SEC("maps") is read, with types where the source tells them', () => {
  const spec = parseObject(testObject('legacy.o'));
  expect(spec.maps).toMatchObject([
    {
      name: 'plain',
      type: HASH,
      keySize: 4,
      valueSize: 8,
      maxEntries: 16,
      flags: 1,
      keyTypeId: 0,
      origin: 'legacy',
    },
    { name: 'annotated', type: ARRAY, keySize: 4, valueSize: 8, maxEntries: 2, flags: 0, origin: 'legacy' },
  ]);
  const { keyTypeId, valueTypeId } = named(spec.maps, 'annotated');
  expect([spec.btf?.name(keyTypeId), spec.btf?.name(valueTypeId)]).toEqual(['__u32', '__u64']);
  expect(targets(spec, named(spec.programs, 'count'))).toEqual(['map plain', 'map annotated']);
});

test('functions beside programs are subprograms, and programs can be called', () => {
  const spec = parseObject(testObject('beside.o'));
  expect(spec.programs.map(({ name }) => name)).toEqual(['called', 'caller']);
  expect(spec.functions.map(({ name }) => name)).toEqual(['beside', 'apart', 'called']);
  expect(spec.functions[2]).toBe(spec.programs[0]);
  expect(targets(spec, named(spec.programs, 'caller'))).toEqual(['call called', 'call beside', 'call apart']);
});

test.each([
  ['as the second half of a 64-bit load is none', [9], ['call called', 'call apart']],
  [
    'behind a second half that looks like a load is one',
    [8, 9],
    ['call called', 'call beside', 'call apart'],
  ],
])('a call %s', (_, loads, calls) => {
  const editor = new ObjectEditor('beside.o');
  for (const slot of loads) editor.word('tc', slot * 8, 0x18);
  const spec = parseObject(editor.bytes);
  expect(targets(spec, named(spec.programs, 'caller'))).toEqual(calls);
});

test('the address of a function needs a relocation, unless it is the second half of a load', () => {
  const editor = new ObjectEditor('beside.o').word('tc', 9 * 8, 0x4018);
  expect(() => parseObject(editor.bytes)).toThrow(
    'function "caller": instruction 2 loads the address of a function, without a relocation that says which',
  );
  expect(parseObject(editor.word('tc', 8 * 8, 0x18).bytes).programs).toHaveLength(2);
});

test('literals without BTF are a map without type, read-only and not mapped', () => {
  const map = named(parseObject(testObject('layout.o')).maps, '.rodata.str1.1');
  expect(map).toMatchObject({
    flags: RDONLY_PROG,
    valueTypeId: 0,
    section: { variables: [], mmapable: false },
  });
});

test('the bytes given are not changed, even if they are a Buffer', () => {
  const buffer = Buffer.from(testObject('maps.o'));
  const before = Buffer.from(buffer);
  const spec = parseObject(buffer);
  expect(buffer.equals(before)).toBe(true);
  expect(Buffer.isBuffer(spec.programs[0]?.insns)).toBe(false);
});

test('the same bytes give the same result', () => {
  expect(parseObject(testObject('functions.o'))).toEqual(parseObject(testObject('functions.o')));
});

test('zeros of .bss are not made before they are asked for', () => {
  const before = process.memoryUsage().arrayBuffers;
  const { bytes } = new ObjectEditor('maps.o').headerWord('.bss.scratch', 32, 0x7fffffff);
  expect(named(parseObject(bytes).maps, '.bss.scratch').valueSize).toBe(0x7fffffff);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20);
});

test('no section of data is larger than a value can be', () => {
  const { bytes } = new ObjectEditor('maps.o').headerWord('.bss.scratch', 32, 0x80000000);
  expect(() => parseObject(bytes)).toThrow(expect.objectContaining({ code: 'ERR_BPF_TOO_BIG' }) as BpfError);
});

describe('names', () => {
  const { maps } = parseObject(testObject('maps.o'));
  const kconfig = named(parseObject(testObject('functions.o')).maps, '.kconfig');
  test.each([
    [named(maps, '.rodata'), 'hello_kern', 'hello_ke.rodata', 'hello_ke.rodata'],
    [named(maps, '.bss'), 'hello_kern', 'hello_ke.bss', 'hello_ke.bss'],
    [named(maps, '.bss'), 'a', 'a.bss', 'a.bss'],
    [named(maps, '.data'), 'with-dash', 'with_das.data', 'with_das.data'],
    [kconfig, 'hello_kern', 'hello_k.kconfig', 'hello_k.kconfig'],
    [named(maps, '.data.custom'), 'hello', '.data.custom', '.data.custom'],
    [
      { ...named(maps, '.rodata.text'), name: '.rodata.abracadabra' },
      'hello',
      '.rodata.abracad',
      '.rodata.abracadabra',
    ],
    [
      { ...named(maps, '.bss.scratch'), name: '.bss.MASK_NESTED' },
      'hello',
      '.bss.MASK_NESTE',
      '.bss.MASK_NESTE',
    ],
    [named(maps, 'typed'), 'hello', 'typed', 'typed'],
  ])('of %o in %s', (map, object, kernel, shown) => {
    expect([kernelMapName(object, map), libbpfMapName(object, map)]).toEqual([kernel, shown]);
  });
});

describe('refused, with a reason', () => {
  const edited = (object: string, change: (editor: ObjectEditor) => unknown) => {
    const editor = new ObjectEditor(object);
    change(editor);
    return editor.bytes;
  };
  const noBtf = (object: string) => edited(object, (e) => e.rename('.BTF', '.xxx'));
  test.each([
    [
      'maps without BTF',
      noBtf('maps.o'),
      'ERR_BPF_NO_BTF',
      /no BTF, and SEC\("\.maps"\) needs it; compile with clang -g/,
    ],
    [
      'maps with broken BTF',
      edited('maps.o', (e) => e.word('.BTF', 0, 0)),
      'ERR_BPF_MALFORMED',
      /malformed \.BTF at byte 0/,
    ],
    [
      'an unknown member',
      edited('maps.o', (e) => e.text('.BTF', 'numa_node', 'numa_nod')),
      'ERR_BPF_NOT_SUPPORTED',
      /map "sized": its definition has a member "numa_nod"/,
    ],
    [
      'two maps of one name',
      edited('maps.o', (e) => e.text('.BTF', 'second', 'first').text('.strtab', 'second', 'first')),
      'ERR_BPF_MAP_DEFINITION',
      /two maps "first"|has no symbol/,
    ],
    [
      'a variable without a symbol',
      edited('maps.o', (e) => e.text('.strtab', 'level', 'levee')),
      'ERR_BPF_MALFORMED',
      /variable "level" of "\.data" has no symbol/,
    ],
    [
      'an extern without declaration',
      edited('functions.o', (e) => e.text('.strtab', 'CONFIG_HZ', 'CONFIG_HX')),
      'ERR_BPF_EXTERN',
      /extern "CONFIG_HX" has no declaration/,
    ],
    [
      'an extern that somebody else defines',
      edited('functions.o', (e) => e.text('.BTF', '.ksyms', '.elsew')),
      'ERR_BPF_NOT_SUPPORTED',
      /is extern in section "\.elsew"/,
    ],
    [
      'struct_ops without BTF for it',
      edited('functions.o', (e) => e.text('.BTF', '.struct_ops.link', '.struct_ops.lin_')),
      'ERR_BPF_MALFORMED',
      /describes section "\.struct_ops\.lin_", which is missing/,
    ],
    [
      'a version of 8 bytes',
      edited('maps.o', (e) => e.headerWord('version', 32, 3)),
      'ERR_BPF_MALFORMED',
      /malformed version at byte 0: it has 3 bytes instead of 4/,
    ],
    [
      'a legacy map with fields of iproute2',
      edited('legacy.o', (e) => e.word('maps', 24, 2)),
      'ERR_BPF_MAP_DEFINITION',
      /map "plain": .* only iproute2 knows/,
    ],
    [
      'a program that is cut',
      edited('maps.o', (e) => e.headerWord('tc', 32, 640)),
      'ERR_BPF_MALFORMED',
      /malformed tc at byte 120: function "entry"/,
    ],
    [
      'a relocation of no instruction',
      edited('maps.o', (e) => e.word('.reltc', 0, 4)),
      'ERR_BPF_RELOCATION',
      /relocates byte 4, where no instruction is/,
    ],
    [
      'a relocation of an addition',
      edited('maps.o', (e) => e.word('.reltc', 0, 0)),
      'ERR_BPF_RELOCATION',
      /function "tail": instruction 0 .* neither a call nor a 64-bit load/,
    ],
    [
      'a relocation of no symbol',
      edited('maps.o', (e) => e.word('.reltc', 12, 9999)),
      'ERR_BPF_RELOCATION',
      /names symbol 9999, which does not exist/,
    ],
    [
      'a call into nowhere',
      edited('beside.o', (e) => e.word('tc', 32 + 12, 1000)),
      'ERR_BPF_RELOCATION',
      /function "called": instruction 1 refers to instruction 1006 of "tc", where no function begins/,
    ],
  ])('%s', (_, bytes, code, message) => {
    expect(() => parseObject(bytes)).toThrow(expect.objectContaining({ code }) as BpfError);
    expect(() => parseObject(bytes)).toThrow(message);
  });

  test('broken BTF that nothing needs is only a warning', () => {
    const spec = parseObject(edited('beside.o', (e) => e.word('.BTF', 0, 0)));
    expect(spec.btf).toBeUndefined();
    expect(spec.programs).toHaveLength(2);
    expect(spec.warnings).toEqual([expect.stringMatching(/^BTF is ignored: malformed \.BTF at byte 0/)]);
  });

  test('broken .BTF.ext is only a warning', () => {
    const spec = parseObject(edited('maps.o', (e) => e.word('.BTF.ext', 0, 0)));
    expect(spec.programs[0]?.lineInfo).toEqual([]);
    expect(spec.warnings).toEqual([expect.stringMatching(/^\.BTF\.ext is ignored/)]);
  });
});
