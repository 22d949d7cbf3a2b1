import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { plainGenArguments } from '../../generator/plain.js';
import { isBpfError } from '../../runtime/src/errors.js';
import { skeletonText } from '../unit/skeleton-text.js';

const folder = fileURLToPath(new URL('.', import.meta.url));
const tsc = join(folder, '../../node_modules/.bin/tsc');

function compile(...args: string[]): string[] {
  const { stdout } = spawnSync(tsc, ['--pretty', 'false', ...args], { cwd: folder, encoding: 'utf8' });
  return stdout.split('\n').filter((line) => line !== '');
}

describe('golden and example skeletons compile', () => {
  test.each([
    ['with every strict option, and what must be refused is refused', []],
    ['without strict options', ['--strict', 'false', '--exactOptionalPropertyTypes', 'false']],
    ['for bundlers', ['--module', 'esnext', '--moduleResolution', 'bundler']],
  ])('%s', (_, args) => {
    // Without strict options some of what must be refused is not: only the skeletons count there.
    const lines = compile('-p', '.', ...args);
    expect(lines.filter((line) => args[0] !== '--strict' || !/test-d/.test(line))).toEqual([]);
  });

  test('to declarations', () => {
    const out = mkdtempSync(join(tmpdir(), 'bpfskel-types-'));
    try {
      const emit = [
        '--noEmit',
        'false',
        '--declaration',
        '--emitDeclarationOnly',
        '--allowImportingTsExtensions',
        'false',
      ];
      const lines = compile('-p', '.', ...emit, '--outDir', out, '--rootDir', '../..');
      expect(lines.filter((line) => !/test-d/.test(line))).toEqual([]);
      const declared = readFileSync(join(out, 'test/golden/globals/expected.skel.d.ts'), 'utf8');
      expect(declared).toContain('export declare const globals: Skeleton<OpenGlobals, Globals>;');
    } finally {
      rmSync(out, { recursive: true });
    }
  });
});

describe('skeletons of all other test objects compile', () => {
  const testdata = join(folder, '../testdata');
  const objects = readdirSync(testdata, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.o'),
  );

  test('with every strict option', () => {
    const build = join(folder, '../../build');
    mkdirSync(build, { recursive: true });
    // Inside the repository, where the compiler finds the runtime.
    const out = mkdtempSync(join(build, 'types-'));
    try {
      const refused = objects.filter((path) => !generateInto(out, path));
      expect(refused).toEqual([]);
      const config = { extends: join(folder, 'tsconfig.json'), include: ['*.ts'] };
      writeFileSync(join(out, 'tsconfig.json'), JSON.stringify(config));
      expect(compile('-p', out)).toEqual([]);
      expect(objects.length).toBeGreaterThan(50);
    } finally {
      rmSync(out, { recursive: true });
    }
  });

  /** False when there can be no skeleton of the object. */
  function generateInto(out: string, path: string): boolean {
    const given = plainGenArguments([join(testdata, path)]);
    if (given === undefined) return false;
    try {
      writeFileSync(join(out, `${path.replaceAll('/', '-')}.ts`), skeletonText(given));
      return true;
    } catch (error) {
      if (!isBpfError(error)) throw error;
      return false;
    }
  }
});
