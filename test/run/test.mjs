// `npm test`: everything, from a fresh clone, in one command. `npm test -- unit kernel` runs only these phases, and
// `npm test -- kernel-built` the one that everything does not include, as it compiles a kernel first.
// Ends with one line `N passed, M failed` over all phases; the exit status says the same.

import { clearProgress, say } from './command.mjs';
import { checkNode, installNpm, installPackages } from './install.mjs';
import { rows } from './phases.mjs';

checkNode();
const known = rows.flat().map(({ name }) => name);
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`no phase ${unknown.join(', ')}; there is ${known.join(', ')}`);
  process.exit(2);
}

const results = new Map();
const leftOut = [];

function report(name, result, seconds) {
  const time = `${seconds.toFixed(1)} s`;
  if (result.leftOut !== undefined) {
    leftOut.push(`${name}: ${result.leftOut}`);
    say(`${name.padEnd(12)} left out`);
    return;
  }
  results.set(name, result);
  const skipped = result.skipped.length > 0 ? `, ${result.skipped.length} not for this kernel` : '';
  say(
    `${name.padEnd(12)} ${result.passed.length} passed, ${result.failed.length} failed${skipped}`.padEnd(60) +
      time,
  );
  for (const { name: test, why } of result.failed) {
    say(`  failed: ${test}${why === '' ? '' : `\n${why.replace(/^/gm, '    ')}`}`);
  }
  if (result.details) say(result.details.replace(/^/gm, '    '));
}

async function runPhase(phase) {
  const start = Date.now();
  const result = await phase.run();
  report(phase.name, result, (Date.now() - start) / 1000);
  return result.leftOut === undefined && result.failed.length > 0 && phase.essential === true;
}

/** A test that runs on no kernel at all tests nothing. Judged when every kernel ran. */
function skippedEverywhere() {
  const kernels = rows.flat().filter(({ kernel }) => kernel);
  const ran = kernels.flatMap(({ name }) => results.get(name) ?? []);
  if (ran.length < kernels.length) return [];
  const judged = new Set(ran.flatMap(({ passed, failed }) => [...passed, ...failed.map(({ name }) => name)]));
  return [...new Set(ran.flatMap(({ skipped }) => skipped))].filter((name) => !judged.has(name));
}

const problem = await installNpm();
if (problem !== undefined) {
  console.error(problem);
  say('0 passed, 1 failed');
  process.exit(1);
}
if (wanted.length === 0 || wanted.some((name) => !['build', 'lint', 'unit', 'thorough'].includes(name))) {
  for (const sentence of await installPackages()) say(`note: ${sentence}`);
}

for (const row of rows) {
  const chosen = row.filter(({ name, asked }) => (wanted.length === 0 ? !asked : wanted.includes(name)));
  const stop = await Promise.all(chosen.map(runPhase));
  if (stop.includes(true)) {
    say('nothing further runs without a build');
    break;
  }
}

const unseen = skippedEverywhere();
for (const name of unseen) say(`  failed: ${name}\n    skipped in every kernel`);
for (const sentence of leftOut) say(`left out: ${sentence}`);
clearProgress();
const all = [...results.values()];
const passed = all.reduce((sum, result) => sum + result.passed.length, 0);
const failed = all.reduce((sum, result) => sum + result.failed.length, unseen.length);
// Where everything should be there, something missing is a failure.
const silent = process.env.CI ? leftOut.length : 0;
console.log(`${passed} passed, ${failed + silent} failed`);
process.exitCode = failed + silent > 0 || passed === 0 ? 1 : 0;
