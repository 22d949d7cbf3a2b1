// Makes the published modules from what tsc compiled. Node takes 100 ms to find and read the hundred and thirty modules
// one by one.
//   dist/bundle   a module for each entry point and for what they share: for bundlers, Bun and Deno
//   dist/node     the same as one script, which Node loads with the code that V8 made of it: see node/load.js
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { rolldown } from 'rolldown';

const dist = join(import.meta.dirname, 'dist');
const names = ['index', 'codegen/v1', 'inspect', 'testing/index'];
const options = { platform: 'node', external: ['koffi', /^node:/] };

async function writeModules() {
  const input = Object.fromEntries(names.map((name) => [name, join(dist, `${name}.js`)]));
  const bundle = await rolldown({ ...options, input });
  await bundle.write({
    dir: join(dist, 'bundle'),
    format: 'esm',
    chunkFileNames: '[name].js',
    comments: false,
    minify: { compress: true, mangle: false, codegen: { removeWhitespace: true } },
  });
  await bundle.close();
}

async function writeScript(folder) {
  const input = join(folder, 'entries.js');
  const lines = names.map((name) => `export * as ${JSON.stringify(name)} from '../${name}.js';`);
  writeFileSync(input, lines.join('\n'));
  const bundle = await rolldown({ ...options, input });
  const { output } = await bundle.generate({ format: 'cjs', comments: false });
  await bundle.close();
  rmSync(input);
  // V8 keeps a text with one other character in two bytes each.
  const code = output[0].code.replace(
    /[^\0-\x7f]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  writeFileSync(join(folder, 'script.cjs'), `(function (exports, require, __filename) { ${code}\n})`);
}

/** An entry point: a module must name what it exports. */
async function writeEntry(folder, name) {
  const exported = Object.keys(await import(join(dist, 'bundle', `${name}.js`)));
  const file = join(folder, `${name}.js`);
  const load = relative(dirname(file), join(folder, 'load.js'));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(
    file,
    `import { entries } from '${load.startsWith('.') ? load : `./${load}`}';
export const { ${exported.join(', ')} } = entries[${JSON.stringify(name)}];
`,
  );
}

const folder = join(dist, 'node');
for (const made of [folder, join(dist, 'bundle')]) rmSync(made, { recursive: true, force: true });
mkdirSync(folder);
await writeModules();
await writeScript(folder);
copyFileSync(join(import.meta.dirname, 'node/load.js'), join(folder, 'load.js'));
for (const name of names) await writeEntry(folder, name);
