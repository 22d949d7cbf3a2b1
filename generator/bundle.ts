import { existsSync, readFileSync } from 'node:fs';
import module from 'node:module';
import { dirname } from 'node:path';
import { Script } from 'node:vm';
import type { plainGen } from './plain.js';

/** What the one file made by prepare.ts exports. */
export interface GenBundle {
  readonly plainGen: typeof plainGen;
}

/**
 * Loads the bundle, with the compiled code that lies beside it when this very version of Node made it. Also gives the
 * script, whose code can be stored after it ran.
 */
export function loadBundle(file: string, cache: string): { bundle: GenBundle; script: Script } {
  const cachedData = existsSync(cache) ? readFileSync(cache) : undefined;
  const script = new Script(module.wrap(readFileSync(file, 'utf8')), {
    filename: file,
    ...(cachedData && { cachedData }),
  });
  // CommonJS, as Node itself would run it: what the bundle exports is what prepare.ts made it export.
  const target = { exports: {} as GenBundle };
  script.runInThisContext()(target.exports, module.createRequire(file), target, file, dirname(file));
  return { bundle: target.exports, script };
}
