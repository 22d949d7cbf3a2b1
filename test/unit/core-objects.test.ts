import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { coreQuestion } from '../../runtime/src/core/kinds.js';
import { relocateCore } from '../../runtime/src/core/relocate.js';
import { CoreTarget } from '../../runtime/src/core/target.js';
import { userBtf } from '../../runtime/src/loader/kernel-btf.js';
import { parseObject } from '../../runtime/src/object/parse.js';

const read = (name: string) => readFileSync(new URL(`../testdata/${name}`, import.meta.url));

/** What every relocation of a program comes to, in the order of the instructions. */
function relocate(suffix: string, program: string) {
  const spec = parseObject(read(`core_fields${suffix}`));
  const { insns, coreRelocations } = spec.programs.find(({ name }) => name === program) ?? {};
  if (spec.btf === undefined || insns === undefined || coreRelocations === undefined)
    throw new Error(program);
  const outcomes = relocateCore({
    insns: new Uint8Array(insns),
    relocations: coreRelocations,
    local: spec.btf,
    target: new CoreTarget(userBtf(read(`core_kernel${suffix}`), { readFile: () => undefined })),
    program,
  });
  return outcomes.map(({ kind, text, value }) => `${coreQuestion(kind)} ${text} = ${value ?? 'poison'}`);
}

describe.each(['.o', '.eb.o'])('an object of clang (%s) is relocated', (suffix) => {
  test('by field', () => {
    expect(new Set(relocate(suffix, 'fields'))).toEqual(
      new Set([
        'offset of struct thing.count = 8',
        'offset of struct thing.where.y = 132',
        'offset of struct thing.path[2].y = 60',
        'offset of struct thing.next = 0',
        'offset of struct thing.hidden = 24',
        'offset of struct thing.tail[3] = 163',
        'size of struct thing.path = 96',
        'existence of struct thing___old.number = 0',
        'offset of struct thing___old.number = poison',
      ]),
    );
  });

  test('by bitfield', () => {
    const [high, negative] = suffix === '.o' ? [29, 57] : [30, 35];
    expect(new Set(relocate(suffix, 'bits'))).toEqual(
      new Set([
        'offset of struct thing.flags = 144',
        'offset of struct thing.flags.high = 152',
        'size of struct thing.flags.high = 8',
        `left shift of struct thing.flags.high = ${high}`,
        'right shift of struct thing.flags.high = 59',
        'signedness of struct thing.flags.high = 0',
        'offset of struct thing.flags.negative = 156',
        'size of struct thing.flags.negative = 4',
        `left shift of struct thing.flags.negative = ${negative}`,
        'right shift of struct thing.flags.negative = 60',
        'signedness of struct thing.flags.negative = 1',
      ]),
    );
  });

  test('by type', () => {
    const outcomes = relocate(suffix, 'types');
    expect(outcomes.filter((text) => !text.includes('id of'))).toEqual([
      'existence of struct thing = 1',
      'existence of struct gone = 0',
      'size of struct thing = 160',
      'size of struct gone = 0',
      'match of struct point = 1',
      'match of struct thing = 0',
    ]);
    expect(outcomes.filter((text) => text.includes('id of'))).toEqual([
      expect.stringMatching(/^id of point_t = \d+$/),
      expect.stringMatching(/^local id of point_t = \d+$/),
    ]);
  });

  test('by enumerator', () => {
    expect(relocate(suffix, 'enums')).toEqual([
      'existence of enum colour::GREEN = 1',
      'value of enum colour::GREEN = 20',
      'existence of enum colour::BLUE = 0',
      'value of enum wide::HUGE = 8589934592',
    ]);
  });
});
