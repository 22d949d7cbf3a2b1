// Runs worker.mjs over the sources: in a process of its own, whose heap nothing else uses.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { root } from '../run/command.mjs';

const runtime = (path) => join(root, 'runtime/src', path);
const golden = join(root, 'test/golden');

/** A module with the exports of every golden skeleton, by the name of its case. */
function goldens() {
  const cases = readdirSync(golden, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const lines = cases.map(
    ({ name }) => `export * as ${name} from ${JSON.stringify(join(golden, name, 'expected.skel.ts'))};`,
  );
  return lines.join('\n');
}

async function bundled() {
  const bundle = await rolldown({
    input: join(root, 'test/space/worker.mjs'),
    platform: 'node',
    external: ['koffi', 'handlebars'],
    transform: { target: 'es2022' },
    resolve: {
      alias: {
        '@bpfskel/runtime/codegen/v1': runtime('codegen/v1.ts'),
        codecs: join(root, 'test/space/codecs.mjs'),
      },
    },
    plugins: [
      {
        name: 'goldens',
        resolveId: (id) => (id === 'goldens' ? '\0goldens' : null),
        load: (id) => (id === '\0goldens' ? goldens() : null),
      },
    ],
  });
  // Inside the repository, where its packages are found.
  const file = join(root, 'build/space.mjs');
  await bundle.write({ file, format: 'esm' });
  await bundle.close();
  return file;
}

/** All young objects of a round stay, and a codec is compiled when its calls are counted, not some time later. */
const flags = [
  '--expose-gc',
  '--min-semi-space-size=16',
  '--max-semi-space-size=16',
  '--single-threaded-gc',
  '--no-concurrent-recompilation',
];

/**
 * What every codec takes for each kind of bytes, in bytes of heap by call: to decode, of which its value remains, and to
 * encode that into memory which is there.
 * @param {readonly string[]} names parts of names; none is all
 * @returns {Promise<{ name: string, filling: string, length: number, decoding: number, value: number, encoding: number }[]>}
 */
export async function spaceOfCodecs(names = []) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, await bundled(), ...names], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  if (status !== 0) throw new Error(`what codecs take was not measured:\n${stderr}`);
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}
