// Makes the published modules from what tsc compiled. Node takes 100 ms to find and read the hundred and thirty modules
// one by one.
//   dist/bundle   a module for each entry point and for what they share: for bundlers, Bun and Deno
//   dist/node     how Node loads the same files as one script, with the code that V8 made of it: see node/load.js
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { rolldown } from 'rolldown';
import { parseAst } from 'rolldown/parseAst';

const dist = join(import.meta.dirname, 'dist');
const names = ['index', 'codegen/v1', 'inspect', 'testing/index'];

// What import.meta.url is called where a script cannot say it.
const HERE = '__moduleUrl';
// What a script calls the exports of all modules.
const CHUNKS = '__chunks';

async function bundle() {
  const made = await rolldown({
    input: Object.fromEntries(names.map((name) => [name, join(dist, `${name}.js`)])),
    platform: 'node',
    external: ['koffi', /^node:/],
    transform: { define: { 'import.meta.url': HERE } },
  });
  const { output } = await made.generate({
    format: 'esm',
    chunkFileNames: '[name].js',
    comments: { legal: false, jsdoc: false, annotation: true },
    // The names of functions and classes stay: they are what a stack trace says.
    minify: { compress: true, mangle: { toplevel: false }, codegen: { removeWhitespace: true } },
  });
  await made.close();
  return output;
}

// V8 keeps a text with one other character in two bytes each.
const ascii = (code) =>
  code.replace(/[^\0-\x7f]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);

const nameOf = (node) => (node.type === 'Literal' ? node.value : node.name);

/** What a module imports, does and exports. Throws for one that is not in this order. */
function split({ fileName, code }) {
  const { body } = parseAst(code);
  const imports = body.filter(({ type }) => type === 'ImportDeclaration');
  const exported = body.at(-1);
  const inside = body.slice(imports.length, -1);
  if (
    exported?.type !== 'ExportNamedDeclaration' ||
    exported.source ||
    inside.some(({ type }) => /^(Import|Export)/.test(type))
  ) {
    throw new Error(`${fileName}: not imports, then statements, then one export`);
  }
  if (code.includes(CHUNKS)) throw new Error(`${fileName}: says ${CHUNKS}`);
  return {
    imports: imports.map(({ source, specifiers }) => ({
      from: source.value,
      names: specifiers.map(({ imported, local }) => [nameOf(imported), local.name]),
    })),
    head: code.slice(0, imports.at(-1)?.end ?? 0),
    text: ascii(code.slice(imports.at(-1)?.end ?? 0, exported.start).trim()),
    tail: code.slice(exported.start).trim(),
    exports: exported.specifiers.map(({ local, exported: given }) => [nameOf(given), local.name]),
  };
}

const pairs = (list) => list.map(([a, b]) => (a === b ? a : `${a}:${b}`)).join(',');

/**
 * The module on three lines or more: imports, what it does, exports. A script has the second as the body of a function
 * between `opening` and `closing`, in `__chunks[fileName]`.
 */
function write(chunk) {
  const { imports, head, text, tail, exports } = split(chunk);
  const folder = dirname(chunk.fileName);
  const here = text.includes(HERE) ? `const ${HERE}=import.meta.url;` : '';
  const file = join(dist, 'bundle', chunk.fileName);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${head}${here}\n${text}\n${tail}\n`);
  const from = (path) =>
    path.startsWith('.')
      ? `${CHUNKS}[${JSON.stringify(join(folder, path))}]`
      : `require(${JSON.stringify(path)})`;
  const opening = imports.map((one) => `const{${pairs(one.names)}}=${from(one.from)};`).join('');
  return {
    file: chunk.fileName,
    needs: imports.filter((one) => one.from.startsWith('.')).map((one) => join(folder, one.from)),
    opening: `${CHUNKS}[${JSON.stringify(chunk.fileName)}]=(()=>{${opening}`,
    closing: `return{${pairs(exports)}}})();`,
  };
}

/** What each needs comes before it. */
function inOrder(chunks) {
  const done = new Set();
  const add = (chunk) => {
    if (done.has(chunk)) return;
    for (const file of chunk.needs) add(chunks.find((one) => one.file === file));
    done.add(chunk);
  };
  for (const chunk of chunks) add(chunk);
  return [...done].map(({ file, opening, closing }) => ({ file, opening, closing }));
}

/** An entry point for Node: a module must name what it exports. */
async function writeEntry(name) {
  const exported = Object.keys(await import(join(dist, 'bundle', `${name}.js`)));
  const file = join(dist, 'node', `${name}.js`);
  const load = relative(dirname(file), join(dist, 'node/load.js'));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(
    file,
    `import { chunkOf } from '${load.startsWith('.') ? load : `./${load}`}';
export const { ${exported.join(', ')} } = chunkOf('${name}.js');
`,
  );
}

/** Declarations that no entry point reaches are for this repository alone: npm is told to leave them out. */
function leaveOutDeclarations(all) {
  const reached = new Set();
  const follow = (path) => {
    if (reached.has(path)) return;
    reached.add(path);
    const text = readFileSync(join(dist, path), 'utf8');
    for (const [, one, other] of text.matchAll(/from '(\.[^']+)\.js'|import\("(\.[^"]+)\.js"\)/g)) {
      follow(join(dirname(path), `${one ?? other}.d.ts`));
    }
  };
  for (const name of names) follow(`${name}.d.ts`);
  writeFileSync(join(dist, '.npmignore'), all.filter((path) => !reached.has(path)).join('\n'));
}

for (const made of ['node', 'bundle']) rmSync(join(dist, made), { recursive: true, force: true });
const chunks = inOrder((await bundle()).map(write));
mkdirSync(join(dist, 'node'));
const isTesting = ({ file }) => file.startsWith('testing/');
const main = chunks.filter((chunk) => !isTesting(chunk));
writeFileSync(join(dist, 'node/chunks.json'), JSON.stringify({ main, testing: chunks.filter(isTesting) }));
copyFileSync(join(import.meta.dirname, 'node/load.js'), join(dist, 'node/load.js'));
for (const name of names) await writeEntry(name);
leaveOutDeclarations(readdirSync(dist, { recursive: true }).filter((path) => path.endsWith('.d.ts')));
