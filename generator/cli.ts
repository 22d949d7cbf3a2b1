#!/usr/bin/env node
import { existsSync } from 'node:fs';
import module from 'node:module';
import { fileURLToPath } from 'node:url';
import type { plainGen } from './plain.js';

// Where Node can keep compiled modules (22.1), starting takes less time.
if ('enableCompileCache' in module && typeof module.enableCompileCache === 'function')
  module.enableCompileCache();

const args = process.argv.slice(2);
process.exitCode = genStatus() ?? (await (await import('./run.js')).run(args));

/** The exit status of a plain `gen`, which the build has put into one file (prepare.ts). */
function genStatus(): number | undefined {
  const bundle = fileURLToPath(new URL('./gen-bundle.cjs', import.meta.url));
  if (args[0] !== 'gen' || !existsSync(bundle)) return undefined;
  const loaded: { plainGen: typeof plainGen } = module.createRequire(import.meta.url)(bundle);
  return loaded.plainGen(args.slice(1));
}
