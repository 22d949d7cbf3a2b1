#!/usr/bin/env node
// The build makes bpfskel.cjs of this (prepare.ts): starting a module takes Node 10 ms longer than a CommonJS file.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { loadBundle } from './bundle.js';

const args = process.argv.slice(2);
const status = genStatus();
// All is written. What ends by itself gives back its memory first, piece by piece.
if (status !== undefined) process.exit(status);
else {
  keepCompiled();
  import('./run.js')
    .then(({ run }) => run(args))
    .then((code) => {
      process.exitCode = code;
    });
}

/** Where Node can keep compiled modules (22.1), starting takes less time. */
function keepCompiled(): void {
  const module = process.getBuiltinModule('node:module');
  if ('enableCompileCache' in module && typeof module.enableCompileCache === 'function') {
    module.enableCompileCache();
  }
}

/** The exit status of a plain `gen`, which the build has put into one file (prepare.ts). */
function genStatus(): number | undefined {
  if (args[0] !== 'gen' || !isFresh()) return undefined;
  const { bundle } = loadBundle(file('./gen-bundle.cjs'), file('./gen-bundle.cache'));
  return bundle.plainGen(args.slice(1));
}

/** Is the bundle there, and not older than what a bare `tsc -b` has compiled since? */
function isFresh(): boolean {
  const made = modified('./gen-bundle.cjs');
  const compiled = ['./.tsbuildinfo', '../runtime/dist/.tsbuildinfo'].map(modified);
  return made !== undefined && compiled.every((time) => time === undefined || time <= made);
}

function modified(name: string): number | undefined {
  return statSync(file(name), { throwIfNoEntry: false })?.mtimeMs;
}

function file(name: string): string {
  return join(import.meta.dirname, name);
}
