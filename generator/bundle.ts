import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Script } from 'node:vm';
import type { plainGen } from './plain.js';

/** What the one file made by prepare.ts exports. */
export interface GenBundle {
  readonly plainGen: typeof plainGen;
}

/**
 * Tells apart the builds of Node that cannot run each other's compiled code. V8 itself compares its version and its
 * flags, but not what releases of Node change in it: with the code of Node 20.20, 20.19 is killed by SIGSEGV.
 */
const build = JSON.stringify([
  process.version,
  process.arch,
  Object.entries(process.config.variables).filter(([name]) => name.startsWith('v8_')),
]);

function storedCode(cache: string): Buffer | undefined {
  if (!existsSync(cache)) return undefined;
  const bytes = readFileSync(cache);
  const end = Math.max(0, bytes.length - build.length);
  return bytes.toString('latin1', end) === build ? bytes.subarray(0, end) : undefined;
}

/** Stores what V8 has made of a script, and behind it for which Node it is. */
export function storeCode(script: Script, cache: string): void {
  writeFileSync(cache, Buffer.concat([script.createCachedData(), Buffer.from(build, 'latin1')]));
}

/**
 * Loads the bundle, with the compiled code that lies beside it when this very build of Node made it. Also gives the
 * script, whose code can be stored after it ran.
 */
export function loadBundle(file: string, cache: string): { bundle: GenBundle; script: Script } {
  const cachedData = storedCode(cache);
  // As Node itself would run CommonJS that requires nothing but Node's own modules, without Node's loader of modules: to
  // load that takes longer than to load the bundle's code.
  const wrapped = `(function (exports, require, module, __filename, __dirname) {${readFileSync(file, 'utf8')}\n})`;
  const script = new Script(wrapped, { filename: file, ...(cachedData && { cachedData }) });
  // What the bundle exports is what prepare.ts made it export.
  const target = { exports: {} as GenBundle };
  script.runInThisContext()(target.exports, process.getBuiltinModule, target, file, dirname(file));
  return { bundle: target.exports, script };
}
