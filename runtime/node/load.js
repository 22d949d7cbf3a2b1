// What Node imports: the modules of dist/bundle as one script, and beside it what V8 made of it when it was built.
// Parsing and compiling take two thirds of an import and half of a first load. V8 refuses code that another version
// made, and what other flags would make differently; it then compiles the script as any other.

// Not imports: a module of the file system takes Node 3 ms to make.
const { readFileSync } = process.getBuiltinModule('node:fs');
const { createRequire } = process.getBuiltinModule('node:module');
const { fileURLToPath } = process.getBuiltinModule('node:url');
const { Script } = process.getBuiltinModule('node:vm');

const pathOf = (name) => fileURLToPath(new URL(name, import.meta.url));

/** Where the code for this Node lies. */
export const codeFile = pathOf(`./code-${process.versions.v8}-${process.arch}`);

function storedCode() {
  try {
    return readFileSync(codeFile);
  } catch {
    // For most versions of Node nobody stored any.
    return undefined;
  }
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
