import { sectionIdentifier } from '@bpfskel/runtime/inspect';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { identifier, objectName, pascalCase, Scope } from '../../generator/names.js';
import { nearest } from '../../generator/nearest.js';
import { hostile } from './hostile-names.js';

describe('a name', () => {
  test('becomes an identifier of safe characters, whatever it was', () => {
    fc.assert(
      fc.property(hostile, (name) => {
        expect(identifier(name)).toMatch(/^[A-Za-z_]\w*$/);
        expect(pascalCase(name)).toMatch(/^[A-Z_a-z]\w*$/);
      }),
    );
  });

  test.each([
    ['tcp_info', 'TcpInfo'],
    ['event', 'Event'],
    ['__sk_buff', 'SkBuff'],
    ['FooBar', 'FooBar'],
    ['_1st', '_1st'],
    ['___', '_'],
    ['task_struct___old', 'TaskStructOld'],
  ])('%s is %s as a type', (name, expected) => {
    expect(pascalCase(name)).toBe(expected);
  });

  test.each([
    ['hello_kern.o', 'hello_kern'],
    ['hello.bpf.o', 'hello'],
    ['/some/where/my-prog.bpf.o', 'my_prog'],
    ['2fast.o', '_2fast'],
    ['noext', 'noext'],
  ])('of the file %s is %s', (file, expected) => {
    expect(objectName(file)).toBe(expected);
  });

  test.each([
    ['.data', 'data'],
    ['.data.foo', 'data_foo'],
    ['.rodata.str1.1', 'rodata_str1_1'],
    ['.kconfig', 'kconfig'],
  ])('of the section %s is %s', (section, expected) => {
    expect(sectionIdentifier({ name: section })).toBe(expected);
  });
});

describe('a scope', () => {
  test('never gives a name twice', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'a_2', 'a_2_2', 'class', 'class_', 'b')), (wanted) => {
        const scope = new Scope();
        const given = wanted.map((name) => scope.claim(name));
        expect(new Set(given).size).toBe(given.length);
      }),
    );
  });

  test.each(['class', 'await', 'Object', 'undefined', 'yield', 'eval'])('does not give out %s', (word) => {
    expect(new Scope().claim(word)).toBe(`${word}_`);
  });
});

describe('the nearest names', () => {
  test.each([
    ['evnt', ['event', 'stats'], ['event']],
    ['inspct', ['gen', 'build', 'inspect'], ['inspect']],
    ['zzzzzz', ['event', 'stats'], []],
    ['EVENT', ['event'], ['event']],
  ])('to %s are found', (wanted, names, expected) => {
    expect(nearest(wanted, names)).toEqual(expected);
  });
});
