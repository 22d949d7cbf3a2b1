// Programs with skeletons, made into one file by the bundlers of users: `node test/run/bundlers.mjs`.
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { rolldown } from 'rolldown';
import { build as buildWithVite } from 'vite';
import { root, run, tail } from './command.mjs';

const folder = join(root, 'test/bundlers');
const tools = join(folder, 'tools');
const out = join(root, 'build/bundlers');
const compiled = join(out, 'compiled');
const object = 'test/golden/embed_file/in.bpf.o';

/** `npm ci` of the bundlers that this repository does not use itself. Returns the sentence of what went wrong. */
async function install() {
  const { dependencies } = JSON.parse(readFileSync(join(tools, 'package.json'), 'utf8'));
  const missing = Object.keys(dependencies).filter((name) => !existsSync(join(tools, 'node_modules', name)));
  if (missing.length === 0) return undefined;
  // The script of esbuild does no more than look for what npm has installed.
  const command = ['npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund'];
  const { status, output } = await run('npm ci', command, { cwd: tools });
  return status === 0
    ? undefined
    : `npm ci in test/bundlers/tools ended with status ${status}:\n${tail(output)}`;
}

/** Makes JavaScript of the programs, for the bundler that takes no TypeScript. Returns the sentence of what went wrong. */
async function compile() {
  rmSync(out, { recursive: true, force: true });
  const tsc = ['node_modules/.bin/tsc', '--pretty', 'false', '-p', 'test/bundlers'];
  const { status, output } = await run('tsc', tsc);
  if (status !== 0) return `tsc -p test/bundlers ended with status ${status}:\n${tail(output)}`;
  copyFileSync(join(root, object), join(compiled, object));
  return undefined;
}

const tool = (name) => createRequire(join(tools, 'package.json'))(name);
const source = (name) => join(folder, `${name}.ts`);
const platform = (name) => (name === 'page' ? 'browser' : 'node');
const external = ['koffi'];

const withRolldown = (format) => async (name, file) => {
  const bundle = await rolldown({ input: source(name), platform: platform(name), external });
  await bundle.write({ file, format });
  await bundle.close();
};

const withEsbuild = (format, more) => async (name, file) => {
  const options = { entryPoints: [source(name)], outfile: file, format, platform: platform(name), external };
  // To CommonJS it warns of import.meta, which is not there.
  await tool('esbuild').build({ ...options, ...more, bundle: true, logLevel: 'error' });
};

async function withVite(name, file) {
  const output = { entryFileNames: basename(file) };
  const build = { outDir: dirname(file), rolldownOptions: { output } };
  const input = name === 'page' ? { lib: { entry: source(name), formats: ['es'] } } : { ssr: source(name) };
  const server = { external, noExternal: true };
  await buildWithVite({
    ...{ root, configFile: false, logLevel: 'warn', ssr: server },
    build: { ...build, ...input },
  });
}

async function withWebpack(name, file) {
  const compiler = tool('webpack')({
    mode: 'production',
    target: name === 'page' ? 'web' : 'node20',
    entry: join(compiled, 'test/bundlers', `${name}.js`),
    output: { path: dirname(file), filename: basename(file), library: { type: 'module' } },
    // It takes fifteen seconds.
    optimization: { minimize: false },
    performance: { hints: false },
    experiments: { outputModule: true },
  });
  const stats = await promisify(compiler.run.bind(compiler))();
  await promisify(compiler.close.bind(compiler))();
  if (stats.hasErrors() || stats.hasWarnings()) throw new Error(stats.toString({ colors: false }));
}

const modules = { programs: ['program', 'embedded', 'page'], extension: 'mjs' };
// There an object beside the skeleton cannot be found: a file does not know where it is.
const commonJs = { programs: ['program'], extension: 'cjs' };

const bundlers = [
  { ...modules, name: 'rolldown', make: withRolldown('esm') },
  { ...commonJs, name: 'rolldown to CommonJS', make: withRolldown('cjs') },
  { ...modules, name: 'esbuild', make: withEsbuild('esm') },
  { ...modules, name: 'esbuild minified', make: withEsbuild('esm', { minify: true }) },
  { ...commonJs, name: 'esbuild to CommonJS', make: withEsbuild('cjs') },
  { ...modules, name: 'vite', make: withVite },
  { ...modules, name: 'webpack', make: withWebpack },
];

const printed = {
  program: '{ packets: 7n, bytes: 9n } 16\nthe kernel was asked\n',
  embedded: 'true\ntrue\n',
};

/** Runs it. Gives why it does not do what it should. */
async function problemOfRun(program, file) {
  // As on another machine than the one that made it.
  const here = pathToFileURL(root).href;
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll(here, 'file:///nowhere'));
  if (!existsSync(join(dirname(file), 'in.bpf.o')))
    copyFileSync(join(root, object), join(dirname(file), 'in.bpf.o'));
  const { status, output } = await run(basename(file), [process.execPath, file]);
  if (status === 0 && output === printed[program]) return undefined;
  return `ended with status ${status}:\n${tail(output)}`;
}

/** What needs a skeleton's types alone has nothing of the skeleton and the runtime in it. */
function problemOfPage(file) {
  const text = readFileSync(file, 'utf8');
  return text.length < 2000 && !/\b(import|require)\b|koffi|f0VMRg/.test(text)
    ? undefined
    : `there is more than the page needs:\n${tail(text)}`;
}

async function problemOf({ name, make, extension }, program) {
  const to = join(out, name.replaceAll(' ', '-'), program);
  mkdirSync(to, { recursive: true });
  const file = join(to, `main.${extension}`);
  try {
    await make(program, file);
    return program === 'page' ? problemOfPage(file) : await problemOfRun(program, file);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Each bundle as a test: its name and, when it fails, why. */
export async function bundleEverywhere() {
  const problem = (await install()) ?? (await compile());
  if (problem !== undefined) return [{ name: 'bundlers', why: problem }];
  const results = [];
  for (const bundler of bundlers) {
    for (const program of bundler.programs) {
      results.push({
        name: `${program} made by ${bundler.name}`,
        why: await problemOf(bundler, program),
      });
    }
  }
  return results;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const results = await bundleEverywhere();
  for (const { name, why } of results)
    console.log(why === undefined ? `${name}: passed` : `${name}: failed\n${why}`);
  process.exitCode = results.some(({ why }) => why !== undefined) ? 1 : 0;
}
