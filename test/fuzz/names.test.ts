// Names in an object are whatever its author wrote. They may be refused, but never become code, and what is generated from
// them fits the object they come from.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { generate } from '../../generator/generate.js';
import { readHeader } from '../../generator/header.js';
import { objectName } from '../../generator/names.js';
import type { GenerateOptions } from '../../generator/options.js';
import { plainGenArguments } from '../../generator/plain.js';
import { comment } from '../../generator/quote.js';
import * as codegen from '../../runtime/src/codegen/v1.js';
import { isBpfError } from '../../runtime/src/errors.js';
import { strangeThings } from '../unit/generated-code.js';
import { hostile } from '../unit/hostile-names.js';
import { ts } from '../unit/parse-typescript.js';
import { type Names, namesOf, renamed, renamedInPlace } from '../unit/renamed-object.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const paths = readdirSync(`${root}examples`, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.o'))
  .map((path) => `examples/${path}`)
  .concat(
    [
      'anonymous',
      'enums',
      'globals',
      'kconfig',
      'maps',
      'map_in_map',
      'prototype',
      'record_union',
      'struct_ops',
      'tagged_union',
    ].map((name) => `test/golden/${name}/in.bpf.o`),
  );
const objects = new Map(paths.map((path) => [path, new Uint8Array(readFileSync(root + path))]));

const contents = (path: string) => objects.get(path) ?? new Uint8Array();

const options: GenerateOptions = {
  name: 'probe',
  source: 'probe.o',
  objectPath: 'probe.o',
  embed: 'base64',
  u64: 'bigint',
  records: new Map(),
  types: [],
  unions: new Map(),
};

/** The skeleton, or undefined when the object is refused in words. */
function skeletonOf(bytes: Uint8Array): string | undefined {
  try {
    return generate(bytes, options);
  } catch (error) {
    if (!isBpfError(error)) throw error;
    return undefined;
  }
}

/** Runs generated code, and gives what it exports. */
function run(text: string): { open(): Disposable; objectName: string } {
  const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.CommonJS };
  const { outputText } = ts.transpileModule(text, { compilerOptions });
  const exports: Record<string, { open(): Disposable; objectName: string }> = {};
  new Function('exports', 'require', outputText)(exports, () => codegen);
  const { probe } = exports;
  if (probe === undefined) throw new Error('no export');
  return probe;
}

const encoded = (name: string) => new TextEncoder().encode(name.replaceAll('\0', ''));
const bytes = fc.uint8Array({ minLength: 1, maxLength: 40, min: 1 }).filter((name) => name.length > 0);
/** Names that every object has, that generated code uses itself, or that mean something to somebody. */
const taken = fc.constantFrom(
  ...['__proto__', 'constructor', 'toString', 'prototype', 'then', 'toJSON', 'type', 'undefined', 'Object'],
  ...[
    'Uint8Array',
    'Exclude',
    'Codec',
    'struct',
    'at',
    'hash',
    'description',
    'ELF',
    'probe',
    'Probe',
    'OpenProbe',
  ],
  ...['v', 'o', 'x', 'end', 'tag', 'maps', 'progs', 'load', 'attach', 'destroy'],
);
const long = fc
  .constantFrom('x', "'", '\\', '*/', '${', '\u202e', 'é')
  .map((one) => one.repeat(10_000 / one.length));
const name = fc.oneof(
  { weight: 6, arbitrary: hostile.map(encoded) },
  { weight: 2, arbitrary: bytes },
  { weight: 2, arbitrary: taken.map(encoded) },
  { weight: 1, arbitrary: long.map(encoded) },
);

/** An object and other names for some of what it names. */
const renaming = fc.constantFrom(...objects).chain(([path, bytes]) =>
  fc
    .subarray(namesOf(bytes), { minLength: 1, maxLength: 8 })
    .chain((old) => fc.tuple(...old.map((one) => name.map((other) => [one, other] as const))))
    .map((pairs) => ({ path, names: new Map(pairs) satisfies Names })),
);

describe('other names in the tables of real objects', () => {
  test('are put there: an object renamed to what it was generates the same', () => {
    for (const bytes of objects.values()) {
      const same = new Map(namesOf(bytes).map((name) => [name, new TextEncoder().encode(name)]));
      const head = (text: string | undefined) => text?.replace(/^(const ELF = |\/\/ checksum: ).*$/gm, '');
      expect(head(skeletonOf(renamed(bytes, same)))).toBe(head(skeletonOf(bytes)));
      expect(renamedInPlace(bytes, same)).toEqual(bytes);
    }
  });

  test.each([
    ['of the same length', renamedInPlace],
    ['of any length', renamed],
  ])('%s never become code, and what is generated opens its object', (_, rename) => {
    let generated = 0;
    fc.assert(
      fc.property(renaming, ({ path, names }) => {
        const text = skeletonOf(rename(contents(path), names));
        if (text === undefined) return;
        generated++;
        expect(strangeThings(text)).toEqual([]);
        try {
          run(text).open()[Symbol.dispose]();
        } catch (error) {
          // The generator and the loader refuse the same objects, but for what only a kernel needs.
          if (!isBpfError(error) || error.code === 'ERR_BPF_LAYOUT') throw error;
        }
      }),
      { numRuns: 60 },
    );
    expect(generated).toBeGreaterThan(20);
  });
});

describe('skeletons of objects with other names', () => {
  test('compile with every strict option', () => {
    const build = join(root, 'build');
    mkdirSync(build, { recursive: true });
    // Inside the repository, where the compiler finds the runtime.
    const folder = mkdtempSync(join(build, 'names-'));
    try {
      const texts = fc
        .sample(renaming, 60)
        .map(({ path, names }) => ({ path, text: skeletonOf(renamed(contents(path), names)) }));
      for (const [index, { path, text }] of texts.entries()) {
        if (text !== undefined) writeFileSync(join(folder, `${index}-${path.replaceAll('/', '-')}.ts`), text);
      }
      const config = { extends: join(root, 'test/types/tsconfig.json'), include: ['*.ts'] };
      writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
      const tsc = join(root, 'node_modules/.bin/tsc');
      const { stdout } = spawnSync(tsc, ['--pretty', 'false', '-p', folder], { encoding: 'utf8' });
      expect(stdout).toBe('');
      expect(texts.filter(({ text }) => text !== undefined).length).toBeGreaterThan(20);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the name of an object file', () => {
  const object = contents('test/golden/maps/in.bpf.o');
  const wellFormed = fc.oneof(hostile, long).map((text) => Buffer.from(text).toString());

  test('never becomes code, and is told by the header', () => {
    fc.assert(
      fc.property(wellFormed, fc.constantFrom('base64', 'file'), (source, embed) => {
        const text = generate(object, { ...options, embed, source, objectPath: source });
        expect(strangeThings(text)).toEqual([]);
        const header = readHeader(text);
        expect(header).toMatchObject({ source: comment(source), intact: true });
        // What another run needs to give the same name.
        const given = plainGenArguments(['x.o', ...(header?.options ?? [])]);
        expect(given?.name ?? objectName(header?.source ?? '')).toBe('probe');
        expect(given?.embed ?? 'base64').toBe(embed);
      }),
      { numRuns: 100 },
    );
  });
});

describe('the judge of generated code', () => {
  const text = generate(contents('test/golden/tagged_union/in.bpf.o'), options);

  test.each([
    ['a statement', 'alert(1);'],
    ['a call in a constant', 'const a = alert(1);'],
    ['an import', "import 'elsewhere';"],
    ['a hidden character', "const a = '\u202e';"],
    ['a directive', '// @ts-nocheck'],
  ])('finds %s', (_, more) => {
    expect(strangeThings(text)).toEqual([]);
    expect(strangeThings(`${text}\n${more}\n`)).not.toEqual([]);
  });
});
