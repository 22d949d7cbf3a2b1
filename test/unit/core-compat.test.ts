import { describe, expect, test } from 'vitest';
import { Budget } from '../../runtime/src/core/budget.js';
import { fieldsCompatible, typesCompatible, typesMatch } from '../../runtime/src/core/compat.js';
import { BtfBuilder } from './btf-builder.js';

type Make = (b: BtfBuilder) => number;
type Compare = typeof typesMatch;

function compare(how: Compare, local: Make, target: Make): boolean {
  const [a, b] = [new BtfBuilder(), new BtfBuilder()];
  const [localId, targetId] = [local(a), target(b)];
  return how({ local: a.btf(), target: b.btf(), budget: new Budget() }, localId, targetId);
}

const int: Make = (b) => b.int('int', 4);
const long: Make = (b) => b.int('long', 8);
const unsigned: Make = (b) => b.int('int', 4, 'unsigned');
const shifted: Make = (b) => b.int('int', 4, 'signed', 3);
const float: Make = (b) => b.float('float', 4);
const empty: Make = () => 0;
const struct =
  (name: string, ...members: [string, Make][]): Make =>
  (b) =>
    b.struct(
      name,
      8,
      members.map(([name, make]) => ({ name, type: make(b) })),
    );
const union =
  (name: string): Make =>
  (b) =>
    b.union(name, 8, []);
const ptr =
  (to: Make): Make =>
  (b) =>
    b.ptr(to(b));
const qualified =
  (to: Make): Make =>
  (b) =>
    b.const(b.volatile(b.typeTag('rcu', b.typedef('t', to(b)))));
const array =
  (of: Make, length: number): Make =>
  (b) =>
    b.array(of(b), length);
const enums =
  (name: string, ...values: string[]): Make =>
  (b) =>
    b.enum(
      name,
      values.map((value, i) => [value, i]),
    );
const enum64 =
  (name: string, ...values: string[]): Make =>
  (b) =>
    b.enum64(
      name,
      values.map((value, i) => [value, BigInt(i)]),
    );
const fwd =
  (name: string, isUnion = false): Make =>
  (b) =>
    b.fwd(name, isUnion);
const proto =
  (returns: Make, ...params: Make[]): Make =>
  (b) =>
    b.prototype(
      returns(b),
      params.map((make) => ['p', make(b)]),
    );

describe('a field can be read as another', () => {
  test.each<[string, Make, Make, boolean]>([
    ['struct for struct, whatever the name', struct('a'), struct('b'), true],
    ['struct for union', struct('a'), union('b'), true],
    ['int of another size and sign', int, (b) => b.int('u64', 8, 'unsigned'), true],
    ['int that does not start at bit 0', int, shifted, false],
    ['pointer to something else', ptr(int), ptr(struct('x')), true],
    ['array of another length', array(int, 2), array(long, 5), true],
    ['array of something else', array(int, 2), array(ptr(int), 2), false],
    ['array for its element', array(int, 2), int, false],
    ['int for float', int, float, false],
    ['float for float', float, (b) => b.float('double', 8), true],
    ['enum of the same name, another flavour', enums('e___x'), enums('e'), true],
    ['enum of another name', enums('e'), enums('f'), false],
    ['enum for an anonymous one', enums('e'), enums(''), true],
    ['enum for enum64', enums('e'), enum64('e'), true],
    ['enum for int', enums('e'), int, false],
    ['qualified for plain', qualified(int), int, true],
  ])('%s', (_, local, target, expected) => {
    expect(compare(fieldsCompatible, local, target)).toBe(expected);
  });
});

describe('a type answers for another', () => {
  test.each<[string, Make, Make, boolean]>([
    ['structs with nothing in common', struct('a', ['x', int]), struct('b'), true],
    ['struct and union', struct('a'), union('a'), false],
    ['struct and forward declaration', struct('a'), fwd('a'), false],
    ['ints of any size', int, (b) => b.int('x', 8), true],
    ['enum and enum64', enums('e'), enum64('e'), true],
    ['pointers to the same kind', ptr(struct('a')), ptr(struct('b')), true],
    ['pointers to other kinds', ptr(struct('a')), ptr(int), false],
    ['pointers to void', ptr(empty), ptr(empty), true],
    ['arrays of other lengths', array(int, 1), array(int, 9), true],
    ['typedefs of the same kind', (b) => b.typedef('t', int(b)), (b) => b.typedef('t', int(b)), true],
    ['typedef and what it stands for', (b) => b.typedef('t', int(b)), int, false],
    ['functions with the same signature', proto(int, ptr(int)), proto(int, ptr(int)), true],
    ['functions with another result', proto(int), proto(empty), false],
    ['functions with more parameters', proto(int, int), proto(int, int, int), false],
    ['functions with other parameters', proto(int, int), proto(int, ptr(int)), false],
    ['floats, which nothing asks for', float, float, false],
  ])('%s', (_, local, target, expected) => {
    expect(compare(typesCompatible, local, target)).toBe(expected);
  });
});

describe('a type matches another', () => {
  test.each<[string, Make, Make, boolean]>([
    ['when the kernel has more members', struct('a', ['x', int]), struct('a', ['w', int], ['x', int]), true],
    [
      'not when the kernel lacks a member',
      struct('a', ['x', int], ['y', int]),
      struct('a', ['x', int], ['z', int]),
      false,
    ],
    ['not when a member has another size', struct('a', ['x', int]), struct('a', ['x', long]), false],
    ['not when a member has another sign', struct('a', ['x', int]), struct('a', ['x', unsigned]), false],
    ['with members of another flavour', struct('a', ['x___old', int]), struct('a', ['x', int]), true],
    [
      'whatever is behind a pointer to a struct of that name',
      struct('a', ['p', ptr(struct('s', ['x', int]))]),
      struct('a', ['p', ptr(struct('s'))]),
      true,
    ],
    [
      'not when the pointer leads to another name',
      struct('a', ['p', ptr(struct('s'))]),
      struct('a', ['p', ptr(struct('t'))]),
      false,
    ],
    ['when the pointer leads to a declaration only', ptr(struct('s')), ptr(fwd('s')), true],
    ['when a declared struct is defined', ptr(fwd('s')), ptr(struct('s')), true],
    ['not when a declared struct is a union', ptr(fwd('s')), ptr(union('s')), false],
    ['when a declared union is a union', ptr(fwd('s', true)), ptr(union('s')), true],
    ['not for a declaration in place of a struct', struct('s'), fwd('s'), false],
    ['for equal declarations', fwd('s'), fwd('s'), true],
    ['for enums with more values', enums('e', 'A'), enums('e', 'B', 'A'), true],
    ['not for enums that lack a value', enums('e', 'A', 'B'), enums('e', 'A', 'C'), false],
    ['not for enums of another size', enums('e', 'A'), enum64('e', 'A'), false],
    ['for arrays of the same length', array(int, 3), array(int, 3), true],
    ['not for arrays of another length', array(int, 3), array(int, 4), false],
    [
      'for function pointers alike',
      ptr(proto(int, ptr(struct('s')))),
      ptr(proto(int, ptr(struct('s')))),
      true,
    ],
    ['not for function pointers with other parameters', ptr(proto(int, int)), ptr(proto(int, long)), false],
    [
      'for anonymous members',
      struct('a', ['', struct('', ['x', int])]),
      struct('a', ['', struct('', ['y', int])], ['', struct('', ['x', int])]),
      true,
    ],
    [
      'not for a named type in place of an anonymous one',
      struct('a', ['m', struct('', ['x', int])]),
      struct('a', ['m', struct('n', ['x', int])]),
      false,
    ],
    ['ignoring qualifiers', struct('a', ['x', qualified(int)]), struct('a', ['x', int]), true],
  ])('%s', (_, local, target, expected) => {
    expect(compare(typesMatch, local, target)).toBe(expected);
  });
});

describe('types made to be slow', () => {
  /** A function type whose parameters are all the function type before it: 2^depth comparisons. */
  const bush: Make = (b) => {
    let type = b.prototype(0, []);
    for (let i = 0; i < 30; i++)
      type = b.prototype(0, [
        ['a', type],
        ['b', type],
      ]);
    return type;
  };

  test.each([
    ['matched', typesMatch],
    ['compared', typesCompatible],
  ])('are given up when %s', (_, how) => {
    expect(() => compare(how, bush, bush)).toThrow('too complex');
  });

  test('are given up when they contain themselves', () => {
    const cycle: Make = (b) => b.struct('s', 8, [{ name: 'x', type: 1 }]);
    expect(() => compare(typesMatch, cycle, cycle)).toThrow('nest deeper than 32 levels');
    const ring: Make = (b) => b.array(1, 1);
    expect(() => compare(fieldsCompatible, ring, ring)).toThrow('nest deeper than 32 levels');
  });
});
