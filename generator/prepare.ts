import { rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { kindOf, knownSections, mapKindOf, mapKinds } from '@bpfskel/runtime/inspect';
import handlebars from 'handlebars';
import { rolldown } from 'rolldown';
import { loadBundle, storeCode } from './bundle.js';
import { templateOptions, templateSources } from './render.js';
import { version } from './version.js';

// The last step of the build: everything a plain `bpfskel gen` needs, in one file. Finding and loading a hundred small
// modules takes Node longer than starting itself. The templates come along as code, without Handlebars' compiler, and
// the kinds of maps and programs as tables of their names, without the classes.

/** Objects that together have what most objects have, so that little is left to compile for another. */
const samples = ['../examples/execsnoop/execsnoop_kern.o', '../examples/agent/agent_kern.o'];
const dist = (file: string) => fileURLToPath(new URL(file, import.meta.url));
const entry = dist('./gen-entry.js');
writeFileSync(entry, entrySource());
const bundle = await rolldown({
  input: entry,
  platform: 'node',
  external: ['handlebars'],
  // Its modules one by one, not as they are published: the plugin replaces two of them.
  resolve: { alias: { '@bpfskel/runtime/inspect': dist('../runtime/dist/inspect.js') } },
  plugins: [
    {
      name: 'what-is-known-now',
      load: (id) => {
        if (/[\\/]dist[\\/]version\.js$/.test(id))
          return `export const version = ${JSON.stringify(version)};`;
        if (/runtime[\\/]dist[\\/]program[\\/]kinds\.js$/.test(id)) return programTable();
        return /runtime[\\/]dist[\\/]map[\\/]kinds\.js$/.test(id) ? mapTable() : null;
      },
    },
  ],
});
const { output } = await bundle.generate({ format: 'cjs', minify: true });
await bundle.close();
writeFileSync(dist('./gen-bundle.cjs'), ascii(output[0].code));
rmSync(entry);
storeCompiledCode();

// What a user starts. Everything but `gen` lies where it was.
const command = await rolldown({ input: dist('./cli.js'), platform: 'node', external: './run.js' });
await command.write({ file: dist('./bpfskel.cjs'), format: 'cjs', comments: { jsdoc: false } });
await command.close();

/** V8 keeps a text with one other character in two bytes each. */
function ascii(code: string): string {
  return code.replace(/[^\0-\x7f]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** What V8 makes of the bundle while it generates skeletons. Other builds of Node ignore it. */
function storeCompiledCode(): void {
  const cache = dist('./gen-bundle.cache');
  rmSync(cache, { force: true });
  const { bundle, script } = loadBundle(dist('./gen-bundle.cjs'), cache);
  const output = dist('./sample.skel.ts');
  for (const sample of samples.map(dist)) {
    if (bundle.plainGen([sample, '-o', output]) !== 0) throw new Error(`no skeleton of ${sample}`);
  }
  rmSync(output);
  storeCode(script, cache);
}

function entrySource(): string {
  const templates = [...templateSources()].map(
    ([name, text]) => `${JSON.stringify(name)}: ${handlebars.precompile(text, templateOptions)}`,
  );
  return `import handlebars from 'handlebars/dist/handlebars.runtime.min.js';
import { useTemplates } from './render.js';
export { plainGen } from './plain.js';
useTemplates(handlebars, { ${templates.join(',\n')} });
`;
}

/** kindOf() as far as a skeleton needs it: the name of the kind, and whether its programs have a typed context. */
function programTable(): string {
  const sections = knownSections();
  const open = sections.filter((section) => section.endsWith('+')).map((section) => section.slice(0, -1));
  const overlap = sections.find((section) => open.some((prefix) => section.startsWith(`${prefix}/`)));
  if (overlap !== undefined) throw new Error(`SEC("${overlap}") has two rules: the table needs their order`);
  const names = sections.map((section) => {
    const prefix = section.replace(/\+$/, '');
    return [prefix, kindOf(prefix)?.kind.kindName ?? 'otherProgram'];
  });
  const typed = sections
    .map((section) => kindOf(section.replace(/\+$/, ''))?.kind)
    .flatMap((kind) => (kind?.typedContext ? [kind.kindName] : []));
  return `const kinds = new Map(${JSON.stringify(names)});
const typed = new Set(${JSON.stringify([...new Set(typed)])});
const open = new Set(${JSON.stringify(open)});
export function kindOf(section) {
  let kindName = kinds.get(section);
  for (let at = section.indexOf('/'); kindName === undefined && at >= 0; at = section.indexOf('/', at + 1)) {
    const prefix = section.slice(0, at);
    if (open.has(prefix)) kindName = kinds.get(prefix);
  }
  return kindName && { kind: { kindName, typedContext: typed.has(kindName) } };
}
export const knownSections = () => [...kinds.keys()];
`;
}

/** mapKindOf() as far as a skeleton needs it: the kinds without their classes. */
function mapTable(): string {
  const other = mapKindOf(0xffffffff);
  const table = mapKinds().flatMap(({ open: _open, ...kind }) =>
    kind.types.map((type) => ({ ...kind, type })),
  );
  const { open: _open, ...otherKind } = other;
  return `const kinds = ${JSON.stringify(table)};
const other = ${JSON.stringify(otherKind)};
export const mapKindOf = (type, flags = 0) =>
  kinds.find((kind) => kind.type === type && ((kind.flags ?? 0) & ~flags) === 0) ?? other;
export const mapKinds = () => kinds;
`;
}
