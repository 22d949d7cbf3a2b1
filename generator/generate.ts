import { architectureOf, BpfError, type ObjectSpec, parseObject, printable } from '@bpfskel/runtime/inspect';
import { optionsText, sealed, slot, unsealed } from './header.js';
import { type SkeletonModel, skeletonModel } from './model.js';
import type { GenerateOptions } from './options.js';
import { comment, quote } from './quote.js';
import { render } from './render.js';
import { differences } from './same-api.js';
import { stripDebug } from './strip.js';
import { UsageError } from './usage.js';
import { version } from './version.js';

/** An object file among several of one skeleton. */
export interface ObjectFile {
  readonly bytes: Uint8Array;
  /** Node's name of the architecture that it is for. */
  readonly arch: string;
  /** As {@link GenerateOptions.source} and `objectPath`. */
  readonly source: string;
  readonly objectPath: string;
}

/** The skeleton of an object file, as text. The same bytes and options give the same text. */
export function generate(bytes: Uint8Array, options: GenerateOptions): string {
  return generateFile(bytes, options).toString();
}

/** The same as the bytes of a file. */
export function generateFile(bytes: Uint8Array, options: GenerateOptions): Buffer {
  const spec = parseObject(bytes);
  for (const warning of spec.warnings) options.warn?.(warning);
  const model = skeletonModel(spec, options);
  return fileOf(model, options, [embedded(bytes, options.objectPath, options)]);
}

/**
 * The skeleton of objects that were compiled from one source for several architectures: one API, and each object.
 * @throws BpfError ERR_BPF_ARCH for an object that was compiled for another architecture, ERR_BPF_LAYOUT when they differ in
 * what a skeleton states
 */
export function generateForEach(objects: readonly ObjectFile[], options: GenerateOptions): Buffer {
  const architectures = objects.map(({ arch }) => arch);
  const models = objects.map((object) => {
    const spec = parseObject(object.bytes);
    refuseForeign(object, spec);
    for (const warning of spec.warnings) options.warn?.(`${object.source}: ${warning}`);
    return skeletonModel(spec, { ...options, architectures });
  });
  const [first, ...others] = models;
  if (first === undefined) throw new UsageError('gen: no object is named');
  others.forEach((model, index) => {
    refuseDifferent(first, model, [objects[0], objects[index + 1]]);
  });
  const embedding = objects.map(({ bytes, objectPath }) => embedded(bytes, objectPath, options));
  return fileOf(first, options, embedding);
}

function fileOf(model: SkeletonModel, options: GenerateOptions, objects: readonly string[]): Buffer {
  const inline = options.embed === 'base64';
  const text = render({
    ...model,
    version,
    source: comment(options.source),
    options: optionsText(options),
    checksum: unsealed,
    objects: model.elves.map((elf, index) => ({
      elf,
      object: inline ? `'${slot}'` : (objects[index] ?? ''),
    })),
  });
  return sealed(text, inline ? objects : []);
}

/** What the constant of an object is initialised with: the text of a string, or an expression. */
function embedded(bytes: Uint8Array, path: string, { embed }: GenerateOptions): string {
  return embed === 'base64'
    ? base64(stripDebug(bytes))
    : `new URL(${quote(relativeUrl(path))}, import.meta.url)`;
}

function refuseForeign({ arch, source }: ObjectFile, { btf }: ObjectSpec): void {
  const compiled = btf && architectureOf(btf);
  if (compiled === undefined || compiled.arch === arch) return;
  throw new BpfError(
    'ERR_BPF_ARCH',
    `--arch ${arch}: ${printable(source)} has the registers of ${compiled.arch} in its struct ${compiled.struct}: it was compiled for that, or with headers of that`,
  );
}

/** How many differences are told. */
const TOLD = 5;

function refuseDifferent(
  one: SkeletonModel,
  other: SkeletonModel,
  objects: readonly [ObjectFile | undefined, ObjectFile | undefined],
): void {
  const [oneName, otherName] = objects.map((object) => printable(object?.source ?? ''));
  const found = differences(one, other, [oneName ?? '', otherName ?? '']);
  if (found.length === 0) return;
  const more = found.length > TOLD ? `; and ${found.length - TOLD} more` : '';
  throw new BpfError(
    'ERR_BPF_LAYOUT',
    `${oneName} and ${otherName} cannot share a skeleton: ${found.slice(0, TOLD).join('; ')}${more}`,
  );
}

function base64({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}

function relativeUrl(path: string): string {
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  return encoded.startsWith('../') ? encoded : `./${encoded}`;
}
