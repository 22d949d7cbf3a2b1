// Whatever a user's program or library looks like: a result or a BpfError, soon. Never another error, never a hang.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BpfError, MalformedError } from '../../runtime/src/errors.js';
import { ElfFile, type FileBytes } from '../../runtime/src/link/elf-file.js';
import { symbolTables } from '../../runtime/src/link/elf-symbols.js';
import { readLinkage } from '../../runtime/src/link/elf-versions.js';
import { findFunction, findFunctions, matchFunctions } from '../../runtime/src/link/find-function.js';
import { encodeUsdtSpec, parseUsdtArguments, USDT_SPEC_SIZE } from '../../runtime/src/link/usdt-arguments.js';
import { readUsdtNotes } from '../../runtime/src/link/usdt-notes.js';
import {
  type FakeBinarySpec,
  type FakeSymbol,
  fakeBinary,
  fakeLayout,
} from '../../runtime/src/testing/index.js';

/** Milliseconds of processor time that one small file may take at most; it takes about one. */
const LIMIT = 1000;

/** Bytes that may be read of one file, as a multiple of its size: nothing is to be read again and again. */
const READ_LIMIT = 64;

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

function fileOf(bytes: Uint8Array): FileBytes {
  let left = READ_LIMIT * bytes.length + 65536;
  return {
    size: bytes.length,
    read(offset, length) {
      must(
        offset >= 0 && length >= 0 && offset + length <= bytes.length,
        `read ${length} bytes at ${offset}`,
      );
      left -= length;
      must(left >= 0, 'the file is read again and again');
      return bytes.subarray(offset, offset + length);
    },
  };
}

function attempt<T>(work: () => T): T | undefined {
  const start = process.cpuUsage();
  try {
    return work();
  } catch (error) {
    if (!(error instanceof BpfError)) throw error;
    must(!/\bundefined\b|NaN|\[object/.test(error.message), error.message);
    return undefined;
  } finally {
    must(process.cpuUsage(start).user < LIMIT * 1000, 'it took too long');
  }
}

/** Asks of the file what attaching asks. */
function survive(bytes: Uint8Array): void {
  const elf = attempt(() => new ElfFile(fileOf(bytes)));
  if (elf === undefined) return;
  attempt(() => findFunctions(elf, ['open', 'open@V_1', 'close@@V_2', 'nothing']));
  for (const { offset } of attempt(() => matchFunctions(elf, 'o*n')) ?? [])
    must(!Number.isNaN(offset), 'no place');
  attempt(() => readLinkage(elf));
  attempt(() => elf.segments());
  attempt(() => readUsdtNotes(elf));
  for (const table of attempt(() => symbolTables(elf)) ?? []) {
    attempt(() => {
      for (let index = 0; index < table.count; index++) table.version(index);
    });
  }
}

const seed: FakeBinarySpec = {
  exports: [
    'open',
    { name: 'close', version: 'V_1' },
    { name: 'close', version: 'V_2', offset: 90 },
    { name: 'read', imported: true, version: 'GLIBC_2.2.5', library: 'libc.so.6' },
    { name: 'write', imported: true, version: 'GLIBC_2.3', library: 'libc.so.6' },
    { name: 'data', type: 'object' },
  ],
  symbols: ['open', { name: 'main', binding: 'local' }, 'operator'],
  libraries: ['libc.so.6', 'libm.so.6'],
  usdt: [
    { provider: 'p', name: 'a', args: '-4@%eax 8@16(%rsp)', semaphore: 4 },
    { provider: 'p', name: 'b' },
  ],
};
const seeds = [64, 32].flatMap((bits) =>
  [false, true].map((bigEndian) => fakeBinary({ ...seed, bits: bits === 64 ? 64 : 32, bigEndian })),
);
/** Where anything stands: headers in front, tables behind the code and data. */
const places = (bytes: Uint8Array) =>
  fc.oneof(
    fc.nat(200),
    fc.integer({ min: fakeLayout.data.offset + fakeLayout.data.size, max: bytes.length - 1 }),
  );
const values = fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff));

describe('a binary of the host', () => {
  test('with any bytes changed is read, or refused in words', () => {
    const edits = fc
      .constantFrom(...seeds)
      .chain((bytes) =>
        fc.tuple(
          fc.constant(bytes),
          fc.array(fc.tuple(places(bytes), values), { minLength: 1, maxLength: 12 }),
        ),
      );
    fc.assert(
      fc.property(edits, ([bytes, changes]) => {
        const copy = bytes.slice();
        for (const [at, value] of changes) copy[at] = value;
        survive(copy);
      }),
      { numRuns: 500 },
    );
  });

  test('cut anywhere is read, or refused in words', () => {
    fc.assert(
      fc.property(fc.constantFrom(...seeds), fc.nat(20_000), (bytes, length) =>
        survive(bytes.slice(0, length)),
      ),
      { numRuns: 300 },
    );
  });

  test('of any bytes after an ELF identity is refused in words', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom(1, 2),
        fc.constantFrom(1, 2),
        (rest, bits, order) => {
          survive(Uint8Array.from([0x7f, 0x45, 0x4c, 0x46, bits, order, 1, ...rest]));
        },
      ),
      { numRuns: 500 },
    );
  });

  test('that claims to be larger than memory is refused before it is read', () => {
    const bytes = fakeBinary(seed);
    const view = new DataView(bytes.buffer);
    const table = Number(view.getBigUint64(40, true));
    for (let section = 1; section < view.getUint16(60, true); section++) {
      view.setBigUint64(table + section * 64 + 32, 2n ** 40n, true);
    }
    const sparse: FileBytes = {
      size: 2 ** 41,
      read(offset, length) {
        must(length <= 1 << 20, `${length} bytes were read`);
        return offset < bytes.length ? bytes.slice(offset, offset + length) : new Uint8Array(length);
      },
    };
    const elf = new ElfFile(sparse);
    expect(() => findFunction(elf, 'open')).toThrow(MalformedError);
    view.setBigUint64(table + 32, 2n ** 36n, true);
    view.setUint16(60, 0, true);
    expect(() => new ElfFile(sparse)).toThrow('it claims 68719476736 entries');
  });

  test('whose names all overlap is refused before it takes forever', () => {
    const symbols = Array.from({ length: 2000 }, (_, index) => `${'a'.repeat(100)}${index}`);
    const bytes = fakeBinary({ symbols });
    const elf = new ElfFile(fileOf(bytes));
    const [table] = symbolTables(elf);
    if (table === undefined) throw new Error('no symbols');
    // Every name begins at the first, and none ends but the last.
    const names = elf.sectionNamed('.strtab');
    const list = elf.sectionNamed('.symtab');
    if (names === undefined || list === undefined) throw new Error('no sections');
    bytes.fill(0x61, names.offset + 1, names.offset + names.size - 1);
    for (let at = list.offset + 24; at < list.offset + list.size; at += 24) bytes.set([1, 0, 0, 0], at);
    const hostile = new ElfFile(fileOf(bytes));
    expect(attempt(() => findFunction(hostile, 'open'))).toBeUndefined();
    expect(() => matchFunctions(hostile, '*b')).toThrow('its names overlap');
  });
});

describe('a function of a binary', () => {
  const binding = fc.constantFrom('local', 'global', 'weak');
  const name = fc.constantFrom('f', 'g', 'fg', 'f_', 'a_long_name');
  const symbol: fc.Arbitrary<FakeSymbol> = fc.record({
    name,
    binding,
    offset: fc.integer({ min: 1, max: 8 }),
    imported: fc.boolean(),
    type: fc.constantFrom('func', 'func', 'func', 'object', 'ifunc'),
  });
  const bits = fc.constantFrom(32 as const, 64 as const);

  /** libbpf's elf_find_func_offset, one symbol after the other. */
  function expected(exports: readonly FakeSymbol[], symbols: readonly FakeSymbol[], wanted: string) {
    for (const table of [exports, symbols]) {
      let found: { offset: number; weak: boolean } | undefined;
      for (const each of table) {
        if (each.type !== 'func' || each.name !== wanted || each.imported) continue;
        const offset = fakeLayout.code.offset + (each.offset ?? 0);
        const weak = each.binding === 'weak';
        if (found !== undefined && found.offset !== offset) {
          if (!found.weak && !weak) return 'ambiguous';
          if (weak) continue;
        }
        if (found?.offset !== offset) found = { offset, weak };
      }
      if (found !== undefined) return found.offset;
    }
    return undefined;
  }

  test('is the one that libbpf finds', () => {
    fc.assert(
      fc.property(
        fc.array(symbol),
        fc.array(symbol),
        name,
        bits,
        fc.boolean(),
        (exports, symbols, wanted, bits, bigEndian) => {
          const elf = new ElfFile(fileOf(fakeBinary({ exports, symbols, bits, bigEndian })));
          const found = findFunction(elf, wanted);
          const answer = found === undefined ? undefined : 'offset' in found ? found.offset : 'ambiguous';
          expect(answer).toBe(expected(exports, symbols, wanted));
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('arguments of a USDT probe', () => {
  const size = fc.constantFrom(1, 2, 4, 8, -1, -2, -4, -8);
  const register = fc.constantFrom('rax', 'ebx', 'r15w', 'sil', 'rsp');
  const number = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  const space = fc.constantFrom('', '', ' ');
  const operand = fc.oneof(
    register.map((name) => `%${name}`),
    number.map((value) => `$${value}`),
    fc.tuple(number, register, space).map(([value, name, gap]) => `${value}(${gap}%${name}${gap})`),
    register.map((name) => `(%${name})`),
    fc
      .tuple(number, register, register, fc.constantFrom(1, 2, 4, 8))
      .map(([value, base, index, scale]) => `${value}(%${base},%${index},${scale})`),
  );

  test('of every form that libbpf reads are read', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(size, operand), { maxLength: 12 }), (list) => {
        const args = parseUsdtArguments(list.map(([bytes, text]) => `${bytes}@${text}`).join(' '), 'x64');
        expect(args.map((each) => (each.signed ? -each.size : each.size))).toEqual(
          list.map(([bytes]) => bytes),
        );
        expect(encodeUsdtSpec(args, 0n, true).length).toBe(USDT_SPEC_SIZE);
      }),
      { numRuns: 300 },
    );
  });

  test('of any text are read, or refused in words', () => {
    const alphabet = fc.constantFrom(...'0123456789+-@%$()[], \taexrspiw#'.split(''));
    const text = fc.oneof(
      fc.string(),
      fc.array(alphabet, { maxLength: 60 }).map((chars) => chars.join('')),
    );
    fc.assert(
      fc.property(text, fc.constantFrom('x64', 'arm64', 'riscv64', 's390x'), (given, arch) => {
        attempt(() => encodeUsdtSpec(parseUsdtArguments(given, arch), 1n, true));
      }),
      { numRuns: 1000 },
    );
  });

  test('of megabytes are refused soon', () => {
    for (const text of ['4@$1 ', '4@(', '4 ', ' ', '9', '4@%eax(', '4@$9']) {
      attempt(() => parseUsdtArguments(text.repeat((1 << 20) / text.length), 'x64'));
      attempt(() => parseUsdtArguments(`4@$1${text.repeat(1 << 18)}`, 'arm64'));
    }
  });
});
