// Whatever the bytes: a result or a BpfError, soon. Never another error, never a hang.
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { Btf } from '../../runtime/src/btf/btf.js';
import { validateBtf } from '../../runtime/src/btf/validate.js';
import { parseElf } from '../../runtime/src/elf.js';
import { BpfError } from '../../runtime/src/errors.js';
import { parseObject } from '../../runtime/src/object/parse.js';
import type { MapSpec, ObjectSpec } from '../../runtime/src/object/spec.js';
import { testObject } from '../unit/object-editor.js';

const names = ['maps.o', 'functions.o', 'layout.o', 'arena.o', 'legacy.o', 'beside.o', 'functions.eb.o'];
const contents = new Map(names.map((name) => [name, testObject(name)]));

function original(name: string): Uint8Array {
  return contents.get(name) ?? new Uint8Array();
}

/** Milliseconds of processor time one small object may take at most; parsing one takes less than one. */
const LIMIT = 1000;

/** expect() is too slow to be called a million times. */
function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

/** Runs `work`, which may refuse. */
function attempt<T>(what: string, work: () => T): T | undefined {
  const start = process.cpuUsage();
  try {
    return work();
  } catch (error) {
    if (!(error instanceof BpfError)) throw new Error(`${what}: ${error}`, { cause: error });
    must(!/\bundefined\b(?! symbol)|NaN|\[object/.test(error.message), `${what}: ${error.message}`);
    return undefined;
  } finally {
    must(process.cpuUsage(start).user < LIMIT * 1000, `${what} took too long`);
  }
}

/** Parses, and asks of the result what a loader and a generator would. */
function survive(what: string, bytes: Uint8Array): void {
  const spec = attempt(what, () => parseObject(bytes));
  if (spec === undefined) return;
  const { btf } = spec;
  for (const map of spec.maps) checkMap(what, spec, map);
  for (const fn of [...spec.programs, ...spec.functions]) {
    const count = fn.insns.length / 8;
    for (const { insn } of [...fn.relocations, ...fn.funcInfo, ...fn.lineInfo, ...fn.coreRelocations]) {
      must(insn >= 0 && insn < count, `${what}: instruction ${insn} of ${count}`);
    }
    for (const line of fn.lineInfo) attempt(what, () => line.fileName + line.text);
  }
  for (let id = 0; btf !== undefined && id < btf.endId; id++) ask(what, btf, id);
}

function ask(what: string, btf: Btf, id: number): void {
  const { kind } = btf.type(id);
  attempt(what, () => btf.resolve(id));
  // Errors are slow to make, and these kinds have neither size nor alignment.
  if (/void|func|fwd|tag|datasec/.test(kind)) return;
  attempt(what, () => btf.sizeOf(id));
  attempt(what, () => btf.alignOf(id));
}

function checkMap(what: string, { btf }: ObjectSpec, map: MapSpec): void {
  for (const id of [map.keyTypeId, map.valueTypeId]) {
    must(id === 0 || (btf !== undefined && id < btf.endId), `${what}: map ${map.name} of type [${id}]`);
  }
  const { section } = map;
  // Zeros are made when asked for, and may be many.
  const zeros = section?.kind === 'bss' || section?.kind === 'kconfig';
  const length = zeros ? map.valueSize : (section?.bytes.length ?? 0);
  for (const { name, offset, size } of section?.variables ?? []) {
    must(offset + size <= length, `${what}: variable ${name} of ${section?.name} ends after ${length}`);
  }
}

describe('a damaged object', () => {
  test.each(names)('%s, cut anywhere in its headers or after any 61st byte', (name) => {
    const bytes = original(name);
    for (let length = 0; length < bytes.length; length += length < 80 ? 1 : 61) {
      survive(`${name} cut at ${length}`, bytes.subarray(0, length));
    }
  });

  test.each(names)('%s, every byte of the ELF header replaced', (name) => {
    const bytes = original(name);
    for (let at = 0; at < 64; at++) {
      for (const value of [0, 1, 0xff]) {
        const copy = bytes.slice();
        copy[at] = value;
        survive(`${name} with ${value} at ${at}`, copy);
      }
    }
  });

  const object = fc.constantFrom(...names);
  // Words that are wrong in interesting ways, beside random ones.
  const word = fc.oneof(
    fc.constantFrom(0, 1, 2, 7, 8, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff),
    fc.integer({ min: 0, max: 0xffffffff }),
    fc.integer({ min: 0, max: 200 }),
  );
  const place = fc.integer({ min: 0, max: 0x7fffffff });
  const runs = { numRuns: 300 };

  test('with bits turned over', () => {
    fc.assert(
      fc.property(object, fc.array(place, { minLength: 1, maxLength: 8 }), (name, flips) => {
        const copy = original(name).slice();
        for (const flip of flips) {
          const at = (flip >> 3) % copy.length;
          copy[at] = (copy[at] ?? 0) ^ (1 << (flip & 7));
        }
        survive(`${name} flipped at ${flips}`, copy);
      }),
      runs,
    );
  });

  test('with words replaced', () => {
    const changes = fc.array(fc.tuple(place, word), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(object, changes, (name, list) => {
        const copy = original(name).slice();
        const view = new DataView(copy.buffer);
        for (const [at, value] of list)
          view.setUint32((at % (copy.length >> 2)) * 4, value, name !== 'functions.eb.o');
        survive(`${name} with ${list}`, copy);
      }),
      runs,
    );
  });

  // Most bytes of an object are code and names; here every change hits a structure.
  const sections = [
    '.BTF',
    '.BTF.ext',
    '.symtab',
    '.reltc',
    '.rel.maps',
    '.relkprobe/do_unlinkat',
    '.rel.struct_ops.link',
  ];
  test('with words of its tables replaced', () => {
    const changes = fc.array(fc.tuple(fc.constantFrom(...sections), place, word), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(object, changes, (name, list) => {
        const copy = original(name).slice();
        for (const section of parseElf(copy).sections) {
          const data = new DataView(section.data.buffer, section.data.byteOffset, section.data.byteLength);
          for (const [wanted, at, value] of list) {
            if (section.name !== wanted || section.size < 4) continue;
            data.setUint32((at % (section.size >> 2)) * 4, value, name !== 'functions.eb.o');
          }
        }
        survive(`${name} with ${list}`, copy);
      }),
      runs,
    );
  });
});

test('bytes that are no object are refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => survive(String(bytes), bytes)),
    { numRuns: 300 },
  );
});

test('random BTF is refused or can be walked', () => {
  const words = fc.array(
    fc.oneof(
      fc.integer({ min: 0, max: 30 }),
      fc.integer({ min: 0, max: 19 }).map((k) => (k << 24) | 1),
    ),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(words, (list) => {
      const bytes = new Uint8Array(24 + list.length * 4 + 8);
      const view = new DataView(bytes.buffer);
      const header = [0x0001eb9f, 24, 0, list.length * 4, list.length * 4, 8];
      for (const [i, value] of [...header, ...list].entries()) view.setUint32(i * 4, value, true);
      attempt(String(list), () => {
        const btf = Btf.parse(bytes);
        validateBtf(btf);
        for (let id = 0; id < btf.endId; id++) ask(String(list), btf, id);
      });
    }),
    { numRuns: 2000 },
  );
});
