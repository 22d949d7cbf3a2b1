// What Node imports: the modules of dist/bundle as one script, and beside it what V8 made of it when it was built.
// Parsing and compiling take two thirds of an import and half of a first load. Code that another build of Node made is
// left alone, and V8 refuses what other flags would make differently; the script is then compiled as any other.

// Not imports: a module of the file system takes Node 3 ms to make.
const { readFileSync, writeFileSync } = process.getBuiltinModule('node:fs');
const { createRequire } = process.getBuiltinModule('node:module');
const { fileURLToPath } = process.getBuiltinModule('node:url');
const { Script } = process.getBuiltinModule('node:vm');

const pathOf = (name) => fileURLToPath(new URL(name, import.meta.url));

/** Where the code for this Node lies. */
export const codeFile = pathOf(`./code-${process.version}-${process.arch}`);

/**
 * Tells apart the builds of Node that cannot run each other's code. V8 itself compares its version and its flags, but
 * not what releases of Node change in it: with code of Node 20.20, 20.19 is killed by SIGSEGV.
 */
const build = JSON.stringify([
  process.version,
  process.arch,
  Object.entries(process.config.variables).filter(([name]) => name.startsWith('v8_')),
]);

function storedCode() {
  let bytes;
  try {
    bytes = readFileSync(codeFile);
  } catch {
    // For most versions of Node nobody stored any.
    return undefined;
  }
  const end = Math.max(0, bytes.length - build.length);
  return bytes.toString('latin1', end) === build ? bytes.subarray(0, end) : undefined;
}

/** Stores what V8 has made of the script, and behind it for which Node it is. */
export function storeCode() {
  writeFileSync(codeFile, Buffer.concat([script.createCachedData(), Buffer.from(build, 'latin1')]));
}

const read = (name) => readFileSync(pathOf(name), 'latin1'); // ASCII: bundle.js sees to that

/** A module's text without the lines of its imports and exports. */
function body(file) {
  const text = read(`../bundle/${file}`);
  return text.slice(text.indexOf('\n'), text.lastIndexOf('\n', text.length - 2) + 1);
}

/** What the modules of dist/bundle export that were loaded, by file. */
export const chunks = {};
const require = createRequire(import.meta.url);

/** A script of modules, each after those it needs: what `chunks.json` says of them. */
function scriptOf(listed, cachedData) {
  const texts = listed.map(({ file, opening, closing }) => opening + body(file) + closing);
  const source = `(function (__chunks, require, __moduleUrl) { ${texts.join('\n')}\n})`;
  return new Script(source, { filename: pathOf(`../bundle/${listed.at(-1).file}`), cachedData });
}

function run(made) {
  made.runInThisContext()(chunks, require, import.meta.url);
}

const { main, testing } = JSON.parse(read('./chunks.json'));
export const script = scriptOf(main, storedCode());
run(script);

/** What the module of dist/bundle exports that is called `file`. That for tests is not loaded before it is asked for. */
export function chunkOf(file) {
  if (!(file in chunks)) run(scriptOf(testing));
  return chunks[file];
}
