// The phases of `npm test`. Each gives { passed, failed, skipped } or says why it is left out.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root, run, tail } from './command.mjs';
import { find, whyNoBpf } from './host.mjs';
import { runEverywhere } from './nodes.mjs';
import { checkSkeletons } from './skeletons.mjs';
import { compileEverywhere } from './typescript.mjs';
import { readReport, vitest } from './vitest.mjs';

const reports = join(root, 'build/reports');

/** An empty place for one phase's files. */
function workspace(name) {
  const path = join(reports, name);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  return path;
}

/** A command that passes or fails as one test. */
async function oneTest(name, command) {
  const { status, output } = await run(name, command);
  return status === 0 ? { passed: [name], failed: [], skipped: [] } : failedAlone(command.join(' '), output);
}

function failedAlone(name, output) {
  return { passed: [], skipped: [], failed: [{ name, why: tail(output, 60) }] };
}

/** Tests that need neither root nor a kernel. */
async function anywhere(project) {
  const folder = workspace(project);
  const report = join(folder, 'report.json');
  const result = readReport(
    report,
    await run(project, vitest(project, report), { log: join(folder, 'log') }),
  );
  // These need nothing from the machine: there is no reason to skip one.
  return nothingSkipped(result);
}

function nothingSkipped(result) {
  const failed = result.skipped.map((name) => ({ name, why: 'skipped, but nothing may be skipped here' }));
  return { ...result, skipped: [], failed: [...result.failed, ...failed] };
}

async function objects() {
  for (const [program, name] of [
    ['clang-19', 'clang-19'],
    ['llvm-strip-19', 'llvm-19'],
  ]) {
    if (!find(program)) return { leftOut: `needs ${program} (Debian package ${name})` };
  }
  const built = await oneTest('objects', ['test/testdata/build.sh', '--check']);
  // The build is done by then, but clang may compile for this machine as well.
  const layout = await oneTest('layout', [process.execPath, 'test/conformance/layout.mjs']);
  return {
    passed: [...built.passed, ...layout.passed],
    failed: [...built.failed, ...layout.failed],
    skipped: [],
  };
}

function eachAsTest(all) {
  return {
    passed: all.filter(({ why, skipped }) => why === undefined && !skipped).map(({ name }) => name),
    failed: all.filter(({ why }) => why !== undefined),
    skipped: all.filter(({ skipped }) => skipped).map(({ name }) => name),
  };
}

async function bundlers() {
  // Bundlers themselves: they are there once packages are installed.
  const { bundleEverywhere } = await import('./bundlers.mjs');
  return eachAsTest(await bundleEverywhere());
}

/** The README's first command: installs, builds, generates, and as root sees the kernel's greetings. */
function demo() {
  return oneTest('demo', ['npm', 'run', '--silent', 'demo']);
}

async function kernelHere() {
  const why = whyNoBpf();
  if (why) return { leftOut: why };
  const folder = workspace('kernel');
  const report = join(folder, 'report.json');
  const command = ['test/run/private-mounts.sh', ...vitest('kernel', report)];
  return readReport(report, await run('kernel', command, { log: join(folder, 'log') }));
}

/**
 * What this kernel shows as well as an older one would, and takes minutes in an emulated machine: the examples, but for
 * those with a kprobe and with security hooks, and the event loop.
 */
const notEmulated = ['test/kernel/example-!(hello|openguard).test.ts', 'test/kernel/kernel-poller.test.ts'];

/** Emulation is ten to twenty times slower than the machine itself: more time for each test, and one process for all. */
const emulated = ['--testTimeout=240000', '--hookTimeout=240000', '--no-isolate'];

async function kernelEmulated(version) {
  const share = workspace(`kernel-${version}`);
  const machine = ['test/vm/run.sh', '-k', version];
  const prepared = await run(version, [...machine, '-p']);
  if (prepared.status === 126) return { leftOut: prepared.output.trim().split('\n').at(-1) };
  // Compiling takes long in there. What goes wrong here, the test that needs it says.
  await run(version, [process.execPath, 'test/conformance/oracle.mjs']);
  const left = notEmulated.map((files) => `--exclude=${files}`);
  const tests = vitest('kernel', '/vmshare/report.json', ...emulated, ...left);
  const command = [...machine, '-t', '2400', '-s', share, '--', ...tests];
  const ran = await run(version, command, { log: join(share, 'log') });
  return readReport(join(share, 'report.json'), ran);
}

/** What no kernel of Debian has, in one that is compiled for it. Compiling takes minutes, once. */
async function kernelBuilt() {
  // Asked for alone, it is the first to need one.
  const build = await oneTest('build', ['npm', 'run', '--silent', 'build']);
  if (build.failed.length > 0) return build;
  const share = workspace('kernel-built');
  const machine = ['test/vm/run.sh', '-k', 'built'];
  const prepared = await run('building a kernel', [...machine, '-p'], { log: join(share, 'build.log') });
  // It was asked for by name: that it cannot be had is a failure, not something to leave out.
  if (prepared.status !== 0) return failedAlone('a kernel of our own configuration', prepared.output);
  const tests = vitest('kernel-built', '/vmshare/report.json', ...emulated);
  const ran = await run('built', [...machine, '-t', '1200', '-s', share, '--', ...tests], {
    log: join(share, 'log'),
  });
  return nothingSkipped(readReport(join(share, 'report.json'), ran));
}

/**
 * Phases of one row run side by side. `kernel` marks those that run test/kernel; what is `asked` runs only when it is
 * named.
 */
export const rows = [
  [{ name: 'build', run: () => oneTest('build', ['npm', 'run', '--silent', 'build']), essential: true }],
  [{ name: 'lint', run: () => oneTest('lint', ['node_modules/.bin/biome', 'check', '.']) }],
  [{ name: 'unit', run: () => anywhere('unit') }],
  [{ name: 'thorough', run: () => anywhere('thorough') }],
  [{ name: 'objects', run: objects }],
  [{ name: 'skeletons', run: async () => eachAsTest(checkSkeletons()) }],
  [{ name: 'typescript', run: async () => eachAsTest(await compileEverywhere()) }],
  [
    { name: 'bundlers', run: bundlers },
    { name: 'node', run: async () => eachAsTest(await runEverywhere()) },
  ],
  [{ name: 'demo', run: demo }],
  [{ name: 'kernel', run: kernelHere, kernel: true }],
  ['6.1', '6.12'].map((version) => ({
    name: `kernel-${version}`,
    run: () => kernelEmulated(version),
    kernel: true,
  })),
  [{ name: 'kernel-built', run: kernelBuilt, asked: true }],
];
