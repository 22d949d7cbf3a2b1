import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, 'runtime/dist/node');
// Inside the package, so that a copy finds koffi.
const copy = mkdtempSync(join(root, 'runtime/dist/copy-'));
afterAll(() => rmSync(copy, { recursive: true, force: true }));

/** Runs a module in a Node of its own, where the packages are those that were built; what it prints as JSON. */
function run(module: string, ...flags: string[]): unknown {
  const args = [...flags, '--input-type=module', '-e', `${module}\nconsole.log(JSON.stringify(result));`];
  return JSON.parse(execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' }));
}

const entries = [
  '@bpfskel/runtime',
  ...['codegen/v1', 'inspect', 'testing'].map((x) => `@bpfskel/runtime/${x}`),
];
const resolved = `const result = [${entries.map((entry) => `import.meta.resolve('${entry}')`)}];`;
const paths = ['index.js', 'codegen/v1.js', 'inspect.js', 'testing/index.js'];
const urls = (kind: string) =>
  paths.map((path) => expect.stringMatching(new RegExp(`/dist/${kind}/${path}$`)));

describe('the runtime', () => {
  it('is one script for Node, and modules for others', () => {
    expect(run(resolved)).toEqual(urls('node'));
    // Bundlers have none of these conditions. Bun has the one of Node's addons, too.
    expect(run(resolved, '--no-addons')).toEqual(urls('bundle'));
    expect(run(resolved, '-C', 'bun')).toEqual(urls('bundle'));
    expect(run(resolved, '-C', 'deno')).toEqual(urls('bundle'));
  });

  it.each(entries)('exports the same as %s to both', (entry) => {
    const exported = `const result = Object.entries(await import('${entry}')).map(([n, v]) => [n, typeof v]);`;
    const names = run(exported) as unknown[];
    expect(names.length).toBeGreaterThan(0);
    expect(run(exported, '--no-addons')).toEqual(names);
  });

  it('is there once, whichever entry point gives it', () => {
    const result = run(`
      const [index, codegen] = await Promise.all([import('@bpfskel/runtime'), import('@bpfskel/runtime/codegen/v1')]);
      const result = [index.hash === codegen.hash, index.BpfError === (await import('@bpfskel/runtime')).BpfError];`);
    expect(result).toEqual([true, true]);
  });

  const works = (from: string) => `
    const { script } = await import('${from}/load.js');
    const { parseObject } = (await import('${from}/index.js'));
    const { readFileSync } = await import('node:fs');
    const spec = parseObject(readFileSync('examples/hello/hello_kern.o'));
    const result = [script.cachedDataRejected, spec.programs.length];`;

  it('comes with the code that this Node made of it', () => {
    expect(run(works(folder))).toEqual([false, 2]);
  });

  it('is compiled by a Node with other flags, and where the code is missing or broken', () => {
    expect(run(works(folder), '--max-lazy')).toEqual([true, 2]);
    cpSync(folder, copy, { recursive: true });
    const [code = ''] = readdirSync(copy).filter((name) => name.startsWith('code-'));
    writeFileSync(join(copy, code), 'no code');
    expect(run(works(copy))).toEqual([null, 2]);
    // What V8 takes, it runs unseen: code of another build of Node must not get there.
    const bytes = readFileSync(join(folder, code));
    writeFileSync(join(copy, code), bytes.toString('latin1').replace(process.version, 'v20.0.0'), 'latin1');
    expect(run(works(copy))).toEqual([null, 2]);
    rmSync(join(copy, code));
    expect(run(works(copy))).toEqual([null, 2]);
  });

  it('is a text of one byte a character', () => {
    const folder = join(root, 'runtime/dist/bundle');
    const modules = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.js'),
    );
    expect(modules.length).toBeGreaterThan(paths.length);
    for (const name of modules) {
      expect(
        readFileSync(join(folder, name)).every((byte) => byte < 0x80),
        name,
      ).toBe(true);
    }
  });

  it('keeps the names of functions, for stack traces', () => {
    const result = run(`
      import { parseObject } from '@bpfskel/runtime/inspect';
      let result;
      try { parseObject(new Uint8Array(3)); } catch (error) { result = error.stack; }`);
    expect(result).toMatch(/at parseObject /);
  });

  it('is loaded without what is for tests', () => {
    const loaded = (entry: string) => `
      await import('@bpfskel/runtime/${entry}');
      const { chunks } = await import('${folder}/load.js');
      const result = Object.keys(chunks);`;
    expect(run(loaded('codegen/v1'))).not.toContain('testing/index.js');
    expect(run(loaded('testing'))).toContain('testing/index.js');
  });
});
