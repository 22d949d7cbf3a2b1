// Skeletons, runtime and command line under every Node that users may have: `node test/run/nodes.mjs`.
import { spawn } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root, run, tail } from './command.mjs';
import { whyNoBpf } from './host.mjs';
import { installReleases, releases } from './releases.mjs';
import { exampleSkeletons } from './skeletons.mjs';

const compiled = join(root, 'build/nodes');
const atOnce = 2;
/** Seconds after which a process that should have ended by itself has not. */
const patience = '240';

/** Every committed skeleton, seen from the root. */
function committedSkeletons() {
  return ['examples', 'test/golden'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true })
      .filter((path) => path.endsWith('.skel.ts'))
      .map((path) => join(folder, path))
      .sort(),
  );
}

/** Makes JavaScript of skeletons and programs, for Nodes that run no TypeScript. Returns the sentence of what went wrong. */
async function compile(skeletons) {
  rmSync(compiled, { recursive: true, force: true });
  const tsc = ['node_modules/.bin/tsc', '--pretty', 'false', '-p', 'test/nodes'];
  const { status, output } = await run('tsc', tsc);
  if (status !== 0) return `tsc -p test/nodes ended with status ${status}:\n${tail(output)}`;
  for (const path of skeletons) {
    const object = /^const ELF = new URL\('(.+)', import\.meta\.url\);$/m.exec(
      readFileSync(join(root, path), 'utf8'),
    );
    if (object === null) continue;
    const beside = join(dirname(path), object[1]);
    copyFileSync(join(root, beside), join(compiled, beside));
  }
  return undefined;
}

/** Whether a release takes the types out of TypeScript, without a flag; from 22.18 on it does. */
const strips = (version) => {
  const [major, minor] = version.split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 18);
};

/** Whether its V8 reads `using`, which stays when the types are taken out. */
const readsUsing = (version) => Number(version.split('.')[0]) >= 24;

/** The file that runs, seen from the root: TypeScript itself, or what the compiler made of it. */
const runnable = (path, itself) =>
  itself ? path : relative(root, join(compiled, path.replace(/\.ts$/, '.js')));

/** Runs a command to its end. Gives why it failed or did not print what was expected, undefined when it did. */
async function problemOf(label, command, expected) {
  const { status, output } = await run(label, ['timeout', '-k', '1', patience, ...command]);
  if (status === 0 && (expected === undefined || output === expected)) return undefined;
  const shown = command.slice(0, 5).join(' ');
  if (status === 124) return `${shown}\ndid not end within ${patience} s:\n${tail(output)}`;
  if (status !== 0) return `${shown}\nended with status ${status}:\n${tail(output)}`;
  return `${shown}\nprinted\n${tail(output)}\ninstead of\n${tail(expected)}`;
}

/** The committed skeletons of the examples, byte by byte, from the command line tool as it is published. */
async function generates({ version, program }) {
  const problems = [];
  for (const { folder, args, output } of exampleSkeletons()) {
    const objects = args.map((arg) => (arg.endsWith('.o') ? join(folder, arg) : arg));
    const command = [program, 'dist/bpfskel.cjs', ...objects];
    problems.push(await problemOf(version, command, readFileSync(output, 'utf8')));
  }
  return problems.find((why) => why !== undefined);
}

/** What takes yargs and ts-morph: a stale skeleton is told from its object, and the object is described, in the same words. */
async function answers({ version, program }) {
  const object = 'examples/execsnoop/execsnoop_kern.o';
  const stale = join(compiled, `stale-${version}.skel.ts`);
  const skeleton = readFileSync(join(root, 'examples/execsnoop/execsnoop.skel.ts'), 'utf8');
  writeFileSync(stale, skeleton.replaceAll('pid: number', 'pid: bigint'));
  for (const args of [
    ['check', stale, object],
    ['inspect', '--json', object],
  ]) {
    const [here, there] = await Promise.all(
      [process.execPath, program].map((node) => run(version, [node, 'dist/bpfskel.cjs', ...args])),
    );
    if (here.status === there.status && here.output === there.output) continue;
    return `bpfskel ${args.join(' ')} ends with ${there.status} instead of ${here.status}:\n${tail(there.output)}`;
  }
  return undefined;
}

/** The example prints the children of this process that it is asked for, and ends on Ctrl-C. */
async function traces({ program, file }) {
  const command = [program, file, '--ppid', `${process.pid}`];
  const child = spawn('test/run/private-mounts.sh', command, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
  const closed = new Promise((done) => {
    child.on('error', ({ message }) => done(message));
    child.on('close', (status, signal) => done(status ?? signal));
  });
  const end = setTimeout(() => child.kill('SIGKILL'), Number(patience) * 1000);
  const argument = `under-${child.pid}`;
  const seen = new RegExp(`^\\d\\d:\\d\\d:\\d\\d +\\d+ +\\d+ +${process.pid} .* /bin/true ${argument}$`, 'm');
  while (child.exitCode === null && child.signalCode === null && !seen.test(output)) {
    await new Promise((done) => spawn('/bin/true', [argument]).on('close', () => setTimeout(done, 50)));
  }
  child.kill('SIGINT');
  const status = await closed;
  clearTimeout(end);
  if (status === 0 && seen.test(output)) return undefined;
  return `${command.join(' ')} ended with ${status}:\n${tail(output)}`;
}

const waiting = 'test/kernel/map-streams.test.ts';

/** The tests of what a release may change in its event loop, and in how processes and threads end. */
function waits({ version, program }) {
  const vitest = [program, 'node_modules/vitest/vitest.mjs', 'run', '--project', 'kernel'];
  return problemOf(version, ['test/run/private-mounts.sh', ...vitest, '--reporter=dot', waiting]);
}

/** What takes its time. A new release breaks it first. */
const testsOfNewest = (release) => [
  { name: 'checks and inspects', why: () => answers(release) },
  { name: `passes ${waiting}`, kernel: true, why: () => waits(release) },
];

const required = `[require('@bpfskel/runtime').openObject, require('@bpfskel/runtime/codegen/v1').skeleton,
  require('@bpfskel/runtime/testing').fakeKernel].map((one) => typeof one).join()`;

/** What is tested of one release. */
function testsOf({ version, program, newest }, skeletons) {
  const itself = strips(version);
  const language = itself ? 'TypeScript' : 'JavaScript';
  const main = runnable('examples/execsnoop/main.ts', itself && readsUsing(version));
  const print = ['-p', '[process.version, process.features.typescript].join()'];
  return [
    {
      name: itself ? 'strips types' : 'runs no TypeScript',
      why: () => problemOf(version, [program, ...print], `v${version},${itself ? 'strip' : ''}\n`),
    },
    {
      name: `opens every skeleton as ${language}`,
      why: () => {
        const files = ['test/nodes/skeletons.ts', ...skeletons].map((path) => runnable(path, itself));
        return problemOf(version, [program, ...files], `${skeletons.length} skeletons\n`);
      },
    },
    {
      name: 'gives the runtime to CommonJS',
      why: () => problemOf(version, [program, '-p', required], 'function,function,function\n'),
    },
    { name: 'generates the same skeletons', why: () => generates({ version, program }) },
    {
      name: `loads, attaches and reads records as ${language}`,
      kernel: true,
      why: () => {
        const command = [program, '--expose-gc', runnable('test/nodes/records.ts', itself)];
        return problemOf(version, ['test/run/private-mounts.sh', ...command], 'records read\n');
      },
    },
    { name: `runs ${main}`, kernel: true, why: () => traces({ program, file: main }) },
    ...(newest ? testsOfNewest({ version, program }) : []),
  ].map(({ name, ...rest }) => ({ name: `Node ${version} ${name}`, ...rest }));
}

/** Each test of each release: its name and, when it fails, why; `skipped` when this process may not load programs. */
export async function runEverywhere() {
  const problem = await installReleases();
  if (problem !== undefined) return [{ name: 'other releases of Node', why: problem }];
  const skeletons = committedSkeletons();
  const refused = await compile(skeletons);
  if (refused !== undefined) return [{ name: 'skeletons as JavaScript', why: refused }];
  const noKernel = whyNoBpf() !== undefined;
  const results = [];
  // The newest first: it has most to do.
  const left = releases()
    .map((one, at, all) => ({ ...one, newest: at === all.length - 1 }))
    .reverse();
  const work = async () => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) {
      for (const { name, kernel, why } of testsOf(one, skeletons)) {
        results.push(kernel && noKernel ? { name, skipped: true } : { name, why: await why() });
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return results.sort((a, b) => (a.name < b.name ? -1 : 1));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const results = await runEverywhere();
  for (const { name, why, skipped } of results) {
    console.log(why === undefined ? `${name}: ${skipped ? 'skipped' : 'passed'}` : `${name}: failed\n${why}`);
  }
  process.exitCode = results.some(({ why }) => why !== undefined) ? 1 : 0;
}
