// Type tests, skeletons and the runtime's declarations under every TypeScript a user may have: `node test/run/typescript.mjs`.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root, run, tail } from './command.mjs';

const folder = join(root, 'test/types');
const compilers = join(folder, 'compilers');
const atOnce = 2;

function versions() {
  const { dependencies } = JSON.parse(readFileSync(join(compilers, 'package.json'), 'utf8'));
  return Object.keys(dependencies).map((name) => ({ name, version: name.replace('typescript-', '') }));
}

/** `npm ci` of the compilers when one is not there. Returns the sentence of what went wrong. */
async function install() {
  const wanted = versions().map(({ name }) => join(compilers, 'node_modules', name, 'bin/tsc'));
  if (wanted.every((path) => existsSync(path))) return undefined;
  const { status, output } = await run('npm ci', ['npm', 'ci', '--no-audit', '--no-fund'], {
    cwd: compilers,
  });
  return status === 0
    ? undefined
    : `npm ci in test/types/compilers ended with status ${status}:\n${tail(output)}`;
}

/** What a version says against them: one line each, of which there should be none. */
async function compile({ name, version }) {
  // What is not erasable, 5.8 was the first to refuse.
  const config = ['5.4', '5.5', '5.6', '5.7'].includes(version)
    ? 'tsconfig.oldest.json'
    : 'tsconfig.all.json';
  const tsc = join(compilers, 'node_modules', name, 'bin/tsc');
  const { status, output } = await run(version, [
    ...[process.execPath, tsc, '--pretty', 'false', '-p', join(folder, config)],
  ]);
  const title = `types under TypeScript ${version}`;
  return status === 0 ? { name: title } : { name: title, why: tail(output, 40) };
}

/** Each version as a test: its name and, when it refuses something, why. */
export async function compileEverywhere() {
  const problem = await install();
  if (problem !== undefined) return [{ name: 'compilers of other versions', why: problem }];
  const left = versions();
  const results = [];
  const work = async () => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) results.push(await compile(one));
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return results.sort((a, b) => (a.name < b.name ? -1 : 1));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const results = await compileEverywhere();
  for (const { name, why } of results)
    console.log(why === undefined ? `${name}: passed` : `${name}: failed\n${why}`);
  process.exitCode = results.some(({ why }) => why !== undefined) ? 1 : 0;
}
