import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { generate } from '../../generator/generate.js';
import type { GenerateOptions } from '../../generator/options.js';
import { isBpfError } from '../../runtime/src/errors.js';
import { hostile } from './hostile-names.js';
import { statementsOf, ts } from './parse-typescript.js';

const object = (name: string) =>
  new Uint8Array(readFileSync(fileURLToPath(new URL(`../golden/${name}/in.bpf.o`, import.meta.url))));
const options: GenerateOptions = {
  name: 'probe',
  source: 'probe.o',
  objectPath: 'probe.o',
  embed: 'base64',
  u64: 'bigint',
  records: new Map(),
  types: [],
};
const names = [
  ...new TextDecoder('latin1').decode(object('placeholders')).matchAll(/(?<!\w)placeholder_\w{12}(?!\w)/g),
]
  .map(([name]) => name)
  .filter((name, at, all) => all.indexOf(name) === at);

/** The object with other names of the same 24 bytes, cut or filled with NULs. */
function renamed(replacements: readonly (readonly [string, Uint8Array])[]): Uint8Array {
  const bytes = object('placeholders');
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const [name, other] of replacements) {
    for (let at = file.indexOf(name); at >= 0; at = file.indexOf(name, at + 1)) {
      bytes.fill(0, at, at + name.length);
      bytes.set(other.subarray(0, name.length), at);
    }
  }
  return bytes;
}

describe('a name from an object file', () => {
  test('is there to be replaced, in every role', () => {
    expect(names.length).toBeGreaterThanOrEqual(24);
  });

  test('never becomes code', () => {
    const kinds = new Set(statementsOf(generate(object('placeholders'), options)).map(({ kind }) => kind));
    const names24 = fc.oneof(
      hostile.map((name) => new TextEncoder().encode(name)),
      fc.uint8Array({ minLength: 1, maxLength: 24 }),
    );
    const replacing = fc
      .subarray(names, { minLength: 1 })
      .chain((chosen) => fc.tuple(...chosen.map((name) => names24.map((bytes) => [name, bytes] as const))));
    let generated = 0;
    fc.assert(
      fc.property(replacing, (replacements) => {
        const text = generatedOrRefused(renamed(replacements));
        if (text === undefined) return;
        generated++;
        // A type that lost its name may appear under another one, but no other kind of statement may.
        const now = statementsOf(text).map(({ kind }) => kind);
        expect(now.filter((kind) => !kinds.has(kind))).toEqual([]);
      }),
      { numRuns: 150 },
    );
    expect(generated).toBeGreaterThan(20);
  });

  test.each([
    ['a quote', "x'+alert(1)+'"],
    ['a comment end', 'x*/alert(1)/*'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: that is the attack
    ['a template', '${alert(1)}`'],
    ['a newline', 'x\nalert(1)'],
    ['__proto__', '__proto__'],
  ])('that holds %s is kept as the name of its program', (_, name) => {
    const text = generate(renamed([['placeholder_program_name', new TextEncoder().encode(name)]]), options);
    const keys: string[] = [];
    const visit = (node: ts.Node): void => {
      if (ts.isPropertyAssignment(node) && ts.isCallExpression(node.initializer)) {
        const called = node.initializer.expression.getText();
        const key = ts.isComputedPropertyName(node.name) ? node.name.expression : node.name;
        if (called === 'otherProgram' && 'text' in key) keys.push(String(key.text));
      }
      ts.forEachChild(node, visit);
    };
    for (const statement of statementsOf(text)) visit(statement);
    expect(keys).toEqual([name]);
  });
});

function generatedOrRefused(bytes: Uint8Array): string | undefined {
  try {
    return generate(bytes, options);
  } catch (error) {
    if (!isBpfError(error)) throw error;
    return undefined;
  }
}

describe('a broken object', () => {
  test('that ends anywhere is refused in words, or still whole', () => {
    const whole = object('bitfields');
    for (let length = 0; length < whole.length; length += 13) {
      const text = generatedOrRefused(whole.slice(0, length));
      if (text !== undefined) statementsOf(text);
    }
  });

  test('with any bytes changed is refused in words, or gives a file that parses', () => {
    const sources = [
      'anonymous',
      'arrays',
      'enums',
      'globals',
      'map_in_map',
      'tagged_union',
      'big_endian',
    ].map(object);
    const change = fc.tuple(fc.nat(), fc.nat(255));
    fc.assert(
      fc.property(
        fc.constantFrom(...sources),
        fc.array(change, { minLength: 1, maxLength: 8 }),
        (source, changes) => {
          const bytes = source.slice();
          for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
          const text = generatedOrRefused(bytes);
          if (text !== undefined) statementsOf(text);
        },
      ),
      { numRuns: 300 },
    );
  });
});
