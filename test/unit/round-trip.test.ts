import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'rolldown/experimental';
import { describe, expect, it } from 'vitest';
import * as imports from '../../generator/imports.js';
import * as keptFields from '../../generator/kept-fields.js';
import * as names from '../../generator/names.js';
import * as reach from '../../generator/reach.js';
import * as render from '../../generator/render.js';
import * as typeModel from '../../generator/type-model.js';
import * as types from '../../generator/types.js';
import { Btf } from '../../runtime/src/btf/btf.js';
import * as runtime from '../../runtime/src/codegen/v1.js';
import { parseElf } from '../../runtime/src/elf.js';

// A script for plain node, which has no types.
const { difference, roundTrips } = await import(
  new URL('../conformance/round-trip.mjs', import.meta.url).href
);

const root = fileURLToPath(new URL('../..', import.meta.url));
const generator = { ...imports, ...keptFields, ...names, ...reach, ...render, ...typeModel, ...types };
const transform = (text: string) => transformSync('types.ts', text).code;
const objects = ['test/testdata', 'test/golden', 'examples'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.o'))
    .map((path) => join(folder, path)),
);

function btfOf(path: string): Btf | undefined {
  const data = parseElf(readFileSync(join(root, path))).sections.find(({ name }) => name === '.BTF')?.data;
  return data && Btf.parse(data);
}

describe('random bytes', () => {
  it('go through every struct and union of the committed objects and come out the same', () => {
    const known = new Map();
    let structs = 0;
    for (const path of objects) {
      const btf = btfOf(path);
      if (btf === undefined) continue;
      const result = roundTrips(btf, { generator, runtime, transform, known });
      expect({ path, failed: result.failed }).toEqual({ path, failed: [] });
      structs += result.structs;
    }
    expect(structs).toBeGreaterThan(200);
  });
});

describe('what a round trip may change', () => {
  const text = [{ at: 8, bits: 24, as: 'text' }];
  const bool = [{ at: 0, bits: 8, as: 'bool' }];
  const float = [{ at: 0, bits: 32, as: 'float' }];
  const bits = [{ at: 1, bits: 2, as: 'exact' }];

  it.each([
    ['nothing of a member', [{ at: 0, bits: 8, as: 'exact' }], [1], [2], 'byte 0 was 1 and is 2'],
    ['the rest of a text', text, [0, 65, 0, 66], [0, 65, 0, 0], undefined],
    ['not the text', text, [0, 65, 0, 66], [0, 66, 0, 66], 'byte 1 was 65 and is 66'],
    ['not its NUL', text, [0, 65, 0, 66], [0, 65, 66, 66], 'byte 2 was 0 and is 66'],
    ['padding, to zero', text, [7, 65, 65, 65], [0, 65, 65, 65], undefined],
    ['padding, to nothing else', text, [7, 65, 65, 65], [7, 65, 65, 65], 'byte 0 was 7 and is 7'],
    ['true to true', bool, [2], [1], undefined],
    ['not true to false', bool, [2], [0], 'bool at 0'],
    ['NaN to NaN', float, [1, 0, 0xc0, 0x7f], [0, 0, 0xc0, 0x7f], undefined],
    ['not NaN to infinity', float, [1, 0, 0xc0, 0x7f], [0, 0, 0x80, 0x7f], 'NaN at 0'],
    ['no number', float, [1, 0, 0, 0], [0, 0, 0, 0], 'byte 0 was 1 and is 0'],
    ['bits around a bitfield', bits, [0xff], [0x06], undefined],
    ['not the bitfield', bits, [0xff], [0x02], 'byte 0 was 255 and is 2'],
    ['no length', [], [1], [0, 0], '2 bytes instead of 1'],
  ])('%s', (_, leaves, before, after, expected) => {
    expect(difference(leaves, Uint8Array.from(before), Uint8Array.from(after), true)).toBe(expected);
  });
});
