import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { comment, propertyAccess, propertyKey, quote } from '../../generator/quote.js';
import { hostile } from './hostile-names.js';
import { statementsOf, ts } from './parse-typescript.js';

describe('quote', () => {
  test('gives a literal with exactly the value, and nothing else', () => {
    fc.assert(
      fc.property(hostile, (name) => {
        const [statement, ...more] = statementsOf(`(${quote(name)});`);
        expect(more).toEqual([]);
        const literals: string[] = [];
        const visit = (node: ts.Node): void => {
          if (ts.isStringLiteral(node)) literals.push(node.text);
          ts.forEachChild(node, visit);
        };
        if (statement !== undefined) visit(statement);
        expect(literals).toEqual([name]);
      }),
    );
  });

  test('shows no character that hides or reorders others', () => {
    expect(quote('a\u202eb\u200bc\ufeffd\x1be')).toBe("'a\\u202eb\\u200bc\\ufeffd\\u001be'");
  });
});

describe('comment', () => {
  test('stays one comment that holds no tag or directive', () => {
    fc.assert(
      fc.property(hostile, (name) => {
        const text = `/** ${comment(name)} */ const probe = 1;`;
        const [statement, ...more] = statementsOf(text);
        expect(more).toEqual([]);
        expect(statement?.getText()).toBe('const probe = 1;');
        expect(ts.getLeadingCommentRanges(text, 0)).toHaveLength(1);
        expect(comment(name)).not.toMatch(/[@\n\r\u2028\u2029\u202a-\u202e\u2066-\u2069]/);
      }),
    );
  });
});

describe('a property', () => {
  test('has the name it was given, in a literal and when accessed', () => {
    fc.assert(
      fc.property(hostile, (name) => {
        const text = `const o = { ${propertyKey(name)}: 1 }; ${propertyAccess('o', name)};`;
        expect(statementsOf(text)).toHaveLength(2);
        // Our own text, just proven to be two statements.
        const [object, value] = new Function(`${text} return [o, ${propertyAccess('o', name)}];`)();
        expect(Object.keys(object)).toEqual([name]);
        expect(value).toBe(1);
      }),
    );
  });

  test.each([
    ['plain', 'plain', 'x.plain'],
    ['class', 'class', 'x.class'],
    ['a-b', "'a-b'", "x['a-b']"],
    ['__proto__', "['__proto__']", "x['__proto__']"],
    ['', "''", "x['']"],
  ])('%j is written %s and read %s', (name, key, access) => {
    expect([propertyKey(name), propertyAccess('x', name)]).toEqual([key, access]);
  });
});
