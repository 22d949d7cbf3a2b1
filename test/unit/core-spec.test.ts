import { describe, expect, test } from 'vitest';
import { CoreKind } from '../../runtime/src/core/kinds.js';
import { parseSpec, specText } from '../../runtime/src/core/spec.js';
import { specTypes } from './core-types.js';

const { btf, ids } = specTypes();
const parse = (typeId: number, access: string, kind: number = CoreKind.FIELD_BYTE_OFFSET) =>
  parseSpec(btf, { insn: 0, typeId, access, kind });

describe('an access string is followed', () => {
  test.each([
    ['the root itself', ids.outer, '0', 'struct outer', 0],
    ['a further element of a pointer', ids.outer, '2', 'struct outer[2]', 2 * 64 * 8],
    ['a member', ids.outer, '0:0', 'struct outer.first', 0],
    ['a member of an anonymous struct', ids.outer, '0:1:0', 'struct outer.inside', 32],
    ['an element of an array', ids.outer, '0:2:3', 'struct outer.list[3]', (8 + 12) * 8],
    ['a member of an element', ids.outer, '0:3:1:1', 'struct outer.pairs[1].b', (24 + 8 + 4) * 8],
    ['an element of a flexible array', ids.outer, '0:4:1000', 'struct outer.tail[1000]', (64 + 4000) * 8],
    ['through a typedef', ids.alias, '0:0', 'outer_t.first', 0],
  ])('to %s', (_, typeId, access, text, bitOffset) => {
    const spec = parse(typeId, access);
    expect(specText(spec)).toBe(text);
    expect(spec.bitOffset).toBe(bitOffset);
  });

  test('to an enumerator', () => {
    expect(specText(parse(ids.colour, '1', CoreKind.ENUMVAL_VALUE))).toBe('enum colour::GREEN');
  });

  test('to a type', () => {
    const spec = parse(ids.outer, '0', CoreKind.TYPE_SIZE);
    expect([specText(spec), spec.accessors]).toEqual(['struct outer', []]);
  });
});

describe('an access string is refused', () => {
  const deep = `0${':0'.repeat(64)}`;
  test.each([
    ['when empty', '', 'no list of numbers'],
    ['with an empty index', '0::1', 'no list of numbers'],
    ['with a sign', '0:-1', 'no list of numbers'],
    ['with spaces', '0: 1', 'no list of numbers'],
    ['when it has 65 levels', deep, 'deeper than 64 levels'],
    ['when it is endless', '0:'.repeat(1e6), 'no list of numbers'],
    ['for an index beyond 31 bits', '0:2147483648', 'too large'],
    ['for a member that is not there', '0:9', 'no member 9'],
    ['for an element that is not there', '0:2:4', 'no element 4'],
    ['for a member of an int', '0:0:0', 'members in a int'],
    ['for more bits than 32 bits count', '2147483647:0', '512 MiB'],
  ])('%s', (_, access, why) => {
    expect(() => parse(ids.outer, access)).toThrow(why);
  });

  test.each([
    ['of a type that is not "0"', ids.outer, '1', CoreKind.TYPE_EXISTS, 'is "0"'],
    ['of an enumerator that is not there', ids.colour, '7', CoreKind.ENUMVAL_VALUE, 'no such enumerator'],
    ['of an enumerator with two indices', ids.colour, '0:0', CoreKind.ENUMVAL_VALUE, 'no such enumerator'],
    ['of an enumerator of a struct', ids.outer, '0', CoreKind.ENUMVAL_EXISTS, 'no such enumerator'],
    ['of a kind that is not known', ids.outer, '0', 13, 'kind 13 is not known'],
    ['of a type that is not there', 999, '0:0', CoreKind.FIELD_EXISTS, 'no type [999]'],
  ])('%s', (_, typeId, access, kind, why) => {
    expect(() => parse(typeId, access, kind)).toThrow(why);
  });
});
