// What Node imports: one script that holds every entry point, and beside it what V8 made of it when it was built.
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

const filename = pathOf('./script.cjs');
// It is ASCII: bundle.js sees to that.
const source = readFileSync(filename, 'latin1');

export const script = new Script(source, { filename, cachedData: storedCode() });

/** By entry point, what it exports. */
export const entries = {};
script.runInThisContext()(entries, createRequire(import.meta.url), filename);
