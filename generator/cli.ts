#!/usr/bin/env node
import { existsSync } from 'node:fs';
import module from 'node:module';
import { fileURLToPath } from 'node:url';
import { loadBundle } from './bundle.js';

// Where Node can keep compiled modules (22.1), starting takes less time.
if ('enableCompileCache' in module && typeof module.enableCompileCache === 'function')
  module.enableCompileCache();

const args = process.argv.slice(2);
process.exitCode = genStatus() ?? (await (await import('./run.js')).run(args));

/** The exit status of a plain `gen`, which the build has put into one file (prepare.ts). */
function genStatus(): number | undefined {
  const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  if (args[0] !== 'gen' || !existsSync(file('./gen-bundle.cjs'))) return undefined;
  const { bundle } = loadBundle(file('./gen-bundle.cjs'), file('./gen-bundle.cache'));
  return bundle.plainGen(args.slice(1));
}
