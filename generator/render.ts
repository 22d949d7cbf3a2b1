import { readdirSync, readFileSync } from 'node:fs';
import type { SkeletonModel } from './model.js';

/** A model and what only the pipeline knows of the file. */
export interface RenderedModel extends SkeletonModel {
  readonly version: string;
  /** The object's file name, safe inside a comment. */
  readonly source: string;
  /** The options of `gen` that made it, unless they are the default. */
  readonly options: string;
  readonly checksum: string;
  /** The constants that hold the objects, and what they are initialised with. */
  readonly objects: readonly { readonly elf: string; readonly object: string }[];
}

type Template = (model: RenderedModel) => string;

let template: Template | undefined;

/** The text of a skeleton. */
export function render(model: RenderedModel): string {
  template ??= compileTemplates();
  return template(model);
}

/** Renders with templates that are code already: what the build makes of templates/*.hbs. */
export function useTemplates(
  handlebars: Pick<typeof import('handlebars'), 'template'>,
  specifications: Readonly<Record<string, TemplateSpecification>>,
): void {
  const compiled = Object.fromEntries(
    Object.entries(specifications).map(([name, spec]) => [name, handlebars.template(spec)] as const),
  );
  const { skeleton, ...partials } = compiled;
  template = skeleton && ((model) => skeleton(model, { partials }));
}

/** Compiles templates/*.hbs as they are now. */
export function compileTemplates(): Template {
  // Not imported: only this needs Node's loader of modules, which loads slowly.
  const require = process.getBuiltinModule('node:module').createRequire(import.meta.url);
  const handlebars: typeof import('handlebars') = require('handlebars');
  const own = handlebars.create();
  for (const [name, text] of templateSources()) {
    if (name !== 'skeleton') own.registerPartial(name, own.compile(text, templateOptions));
  }
  const text = templateSources().get('skeleton') ?? '';
  return own.compile(text, templateOptions);
}

/** No escaping: the model holds code. Strict: a name the model lacks is an error. No helpers of ours: names are the model's. */
export const templateOptions = { noEscape: true, strict: true, knownHelpersOnly: true };

/** templates/*.hbs and templates/partials/*.hbs by name. */
export function templateSources(): ReadonlyMap<string, string> {
  const folder = new URL('../templates/', import.meta.url);
  const partials = readdirSync(new URL('partials/', folder)).map((file) => `partials/${file}`);
  return new Map(
    ['skeleton.hbs', ...partials].map((file) => [
      file.replace(/^partials\/|\.hbs$/g, ''),
      readFileSync(new URL(file, folder), 'utf8'),
    ]),
  );
}
