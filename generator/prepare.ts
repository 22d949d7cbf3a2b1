import { rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import handlebars from 'handlebars';
import { rolldown } from 'rolldown';
import { templateOptions, templateSources } from './render.js';

// The last step of the build: everything a plain `bpfskel gen` needs, in one file. Finding and loading a hundred small
// modules takes Node longer than starting itself; the templates come along as code, without Handlebars' compiler.

const dist = (file: string) => fileURLToPath(new URL(file, import.meta.url));
const templates = [...templateSources()].map(
  ([name, text]) => `  ${JSON.stringify(name)}: ${handlebars.precompile(text, templateOptions)},`,
);
const entry = dist('./gen-entry.js');
writeFileSync(
  entry,
  `import handlebars from 'handlebars/dist/handlebars.runtime.min.js';
import { useTemplates } from './render.js';
export { plainGen } from './plain.js';
useTemplates(handlebars, {
${templates.join('\n')}
});
`,
);
const bundle = await rolldown({ input: entry, platform: 'node', external: ['handlebars'], treeshake: true });
await bundle.write({ file: dist('./gen-bundle.cjs'), format: 'cjs', minify: true });
await bundle.close();
rmSync(entry);
