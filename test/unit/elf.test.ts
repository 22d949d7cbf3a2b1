import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { eachRelocation, parseElf, SymbolType } from '../../runtime/src/elf.js';
import { type BpfError, MalformedError } from '../../runtime/src/errors.js';
import { ObjectEditor, testObject } from './object-editor.js';

describe.each([['functions.o'], ['functions.eb.o']])('%s', (name) => {
  const elf = parseElf(testObject(name));

  test('has sections with their bytes', () => {
    const license = elf.sections.find((section) => section.name === 'license');
    expect(license).toMatchObject({ type: 1, size: 4, data: Uint8Array.from([0x47, 0x50, 0x4c, 0]) });
  });

  test('has symbols with names, places and visibility', () => {
    const text = elf.sections.findIndex((section) => section.name === '.text');
    const functions = elf.symbols.filter(({ type, section }) => type === SymbolType.FUNC && section === text);
    expect(
      functions.map(({ name, value, size, binding, hidden }) => [name, value, size, binding, hidden]),
    ).toEqual(
      expect.arrayContaining([
        ['twice', 24, 40, 0, false],
        ['global_sum', 0, 24, 1, false],
        ['weak_sum', 64, 24, 2, false],
        ['hidden_sum', 88, 40, 1, true],
      ]),
    );
  });

  test('knows what it lacks', () => {
    const missing = elf.symbols.filter(({ undefinedExtern }) => undefinedExtern).map((symbol) => symbol.name);
    expect(missing.sort().slice(-4)).toEqual([
      'bpf_prog_active',
      'bpf_rcu_read_lock',
      'bpf_rcu_read_unlock',
      'init_task_untyped',
    ]);
  });

  test('has relocations', () => {
    const table = elf.sections.find((section) => section.name === '.rel.struct_ops.link');
    const found: [number, string | undefined][] = [];
    if (table !== undefined) {
      eachRelocation(elf, table, (offset, symbol) => found.push([offset, elf.symbols[symbol]?.name]));
    }
    expect(found[0]).toEqual([8, 'ops_update']);
  });
});

describe('files that are no BPF object', () => {
  const edit = (at: number, value: number) => {
    const { bytes } = new ObjectEditor('maps.o');
    bytes[at] = value;
    return bytes;
  };
  test.each([
    ['nothing', new Uint8Array(), 'ERR_BPF_NOT_ELF', 'not an ELF file: it is empty'],
    [
      'text',
      new TextEncoder().encode('#include'),
      'ERR_BPF_NOT_ELF',
      'not an ELF file: it does not begin with \\x7fELF',
    ],
    [
      'LLVM bitcode',
      Uint8Array.from([0x42, 0x43, 0xc0, 0xde]),
      'ERR_BPF_NOT_ELF',
      'not an ELF file: it is LLVM bitcode',
    ],
    [
      'an object for x86-64',
      edit(18, 62),
      'ERR_BPF_NOT_BPF',
      'not a BPF object (machine x86-64); compile it with clang --target=bpf',
    ],
    [
      'a 32-bit object',
      edit(4, 1),
      'ERR_BPF_NOT_BPF',
      'not a BPF object (32-bit); compile it with clang --target=bpf',
    ],
    [
      'an executable',
      edit(16, 2),
      'ERR_BPF_NOT_BPF',
      'not a BPF object file: its ELF type is 2, not 1 (relocatable)',
    ],
  ])('%s is told apart', (_, bytes, code, message) => {
    expect(() => parseElf(bytes)).toThrow(expect.objectContaining({ code, message }) as BpfError);
  });

  test('this very node is told apart', () => {
    const head = readFileSync(process.execPath).subarray(0, 4096);
    expect(() => parseElf(head)).toThrow(/not a BPF object|not an ELF file/);
  });
});

describe('damage', () => {
  const patched = (change: (editor: ObjectEditor) => unknown) => {
    const editor = new ObjectEditor('maps.o');
    change(editor);
    return editor.bytes;
  };
  const NAME = 0;
  const [OFFSET, SIZE, ENTRY] = [24, 32, 56];
  test.each([
    [
      'the identification alone',
      testObject('maps.o').subarray(0, 16),
      /malformed ELF header at byte 0: the file ends after 16 bytes/,
    ],
    ['an unknown byte order', patched(({ bytes }) => bytes.fill(3, 5, 6)), /byte 5: byte order 3/],
    ['no section headers', patched(({ bytes }) => bytes.fill(0, 40, 48)), /byte 40: it has no sections/],
    [
      'section headers of another size',
      patched(({ bytes }) => bytes.fill(56, 58, 59)),
      /section headers have 56 bytes/,
    ],
    ['section headers beyond the end', testObject('maps.o').subarray(0, -64), /section header table/],
    [
      'section headers at 2^60',
      patched(({ bytes }) => bytes.fill(16, 47, 48)),
      /not a plausible size or offset/,
    ],
    ['a section beyond the end', patched((e) => e.headerWord('.BTF', SIZE, 1e6)), /lies beyond the file's/],
    [
      'sections that overlap',
      patched((e) => e.headerWord('.BTF', OFFSET, e.start('.BTF.ext'))),
      /sections \d+ and \d+ overlap/,
    ],
    [
      'a section name outside its table',
      patched((e) => e.view.setUint32(e.header('.BTF') + NAME, 1e6, true)),
      /malformed section name table at byte/,
    ],
    [
      'names in no string table',
      patched(({ view }) => view.setUint16(62, 2, true)),
      /section 2 does not hold section names/,
    ],
    [
      'names in no section',
      patched(({ view }) => view.setUint16(62, 0xff00, true)),
      /there is no section 65280/,
    ],
    [
      'symbols of another size',
      patched((e) => e.headerWord('.symtab', ENTRY, 16)),
      /no table of 24-byte symbols/,
    ],
    ['half a symbol', patched((e) => e.headerWord('.symtab', SIZE, 25)), /no table of 24-byte symbols/],
    [
      'symbols named nowhere',
      patched((e) => e.view.setUint32(e.header('.symtab') + 40, 3, true)),
      /does not hold the names/,
    ],
  ])('%s names section and byte', (_, bytes, message) => {
    expect(() => parseElf(bytes)).toThrow(MalformedError);
    expect(() => parseElf(bytes)).toThrow(message);
  });

  test('no symbol table looks like a stripped object', () => {
    const bytes = patched((e) => e.view.setUint32(e.header('.symtab') + 4, 0, true));
    expect(() => parseElf(bytes)).toThrow(expect.objectContaining({ code: 'ERR_BPF_STRIPPED' }) as BpfError);
  });

  test('relocations of another size are refused', () => {
    const elf = parseElf(patched((e) => e.headerWord('.reltc', ENTRY, 24)));
    const table = elf.sections.find(({ name }) => name === '.reltc');
    expect(() => table && eachRelocation(elf, table, String)).toThrow(/malformed \.reltc at byte 0/);
  });
});
