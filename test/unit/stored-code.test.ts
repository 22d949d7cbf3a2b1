import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadBundle, storeCode } from '../../generator/bundle.js';

const folder = mkdtempSync(join(tmpdir(), 'bpfskel-code-'));
afterAll(() => rmSync(folder, { recursive: true }));

const file = join(folder, 'bundle.cjs');
const cache = join(folder, 'bundle.cache');
writeFileSync(file, 'exports.plainGen = () => 7;');

/** What V8 says to the stored code, undefined when it is not given any, and what the bundle does. */
function load() {
  const { script, bundle } = loadBundle(file, cache);
  return { rejected: script.cachedDataRejected, status: bundle.plainGen([]) };
}

describe('the compiled code of the command line tool', () => {
  it('is used by the build of Node that made it, and kept from others, which V8 would let crash', () => {
    expect(load()).toEqual({ rejected: undefined, status: 7 });
    storeCode(loadBundle(file, cache).script, cache);
    expect(load()).toEqual({ rejected: false, status: 7 });
    const stored = readFileSync(cache, 'latin1');
    for (const other of [stored.replace(process.version, 'v20.0.0'), stored.slice(0, -1), 'no code', '']) {
      writeFileSync(cache, other, 'latin1');
      expect(load()).toEqual({ rejected: undefined, status: 7 });
    }
  });
});
