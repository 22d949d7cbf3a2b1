import { basename, dirname, relative, resolve, sep } from 'node:path';
import { printable } from '@bpfskel/runtime/inspect';
import { type ArchitectureObject, architectureObjects, commonName } from './architectures.js';
import { readInput, writeAll, writeOutput } from './files.js';
import { generateFile, generateForEach } from './generate.js';
import { identifier, objectName } from './names.js';
import type { GenerateOptions } from './options.js';
import { within } from './report.js';
import type { Wide } from './types.js';
import { UsageError } from './usage.js';

/** `bpfskel gen`, as given on the command line. */
export interface GenArguments {
  /** The object file, or `-` for standard input; empty with `arch`. */
  readonly object: string;
  /** `ARCH=OBJECT`, each: objects of one source for several architectures. */
  readonly arch?: readonly string[] | undefined;
  readonly output?: string | undefined;
  readonly name?: string | undefined;
  readonly u64?: string | undefined;
  readonly embed?: string | undefined;
  /** `MAP=TYPE`, each. */
  readonly record?: readonly string[] | undefined;
  /** `STRUCT=TAG`, each. */
  readonly union?: readonly string[] | undefined;
  /** `STRUCT.MEMBER`, each. */
  readonly bytes?: readonly string[] | undefined;
  readonly type?: readonly string[] | undefined;
  /** Is told of what the object has and the skeleton leaves out. */
  readonly warn?: ((warning: string) => void) | undefined;
}

/** Writes the skeleton of an object to a file, or to standard output. */
export function gen(given: GenArguments): void {
  const warn = (warning: string) => writeAll(2, `bpfskel: gen: ${printable(warning, 1000)}\n`);
  const skeleton = skeletonFile({ ...given, warn });
  if (given.output === undefined || given.output === '-') writeAll(1, skeleton);
  else writeSkeleton(given.output, skeleton);
}

function writeSkeleton(output: string, skeleton: Uint8Array): void {
  within(`write ${output}`, () => writeOutput(output, skeleton));
}

/** The skeleton that these arguments ask for, as the bytes of a file. */
export function skeletonFile(given: GenArguments): Buffer {
  if ((given.arch ?? []).length > 0) return fileForEach(given, architectureObjects(given.arch ?? []));
  const options = generateOptions(given);
  return generateFile(readInput(given.object), options);
}

function fileForEach(given: GenArguments, objects: readonly ArchitectureObject[]): Buffer {
  if (given.object !== '') {
    throw new UsageError(
      'gen: an object, or objects with --arch: give each with the architecture that it is for',
    );
  }
  const name = given.name ?? commonName(objects);
  if (name === undefined) {
    throw new UsageError('gen: the objects have no name in common; give the skeleton one with --name');
  }
  const files = objects.map(({ arch, path }) => ({
    arch,
    bytes: within(path, () => readInput(path)),
    source: basename(path),
    objectPath: objectPath({ ...given, object: path }),
  }));
  const options = generateOptions({ ...given, object: `${name}.o`, name: identifier(name) });
  return generateForEach(files, {
    ...options,
    source: files.map(({ source }) => source).join(' and '),
    arch: files.map(({ arch, source }) => `${arch}=${source}`),
  });
}

/** What these arguments ask for. Throws UsageError for what makes no sense. */
export function generateOptions(given: GenArguments): GenerateOptions {
  const fromStdin = given.object === '-';
  const embed = oneOf('--embed', given.embed ?? 'base64', ['base64', 'file']);
  const u64: Wide = oneOf('--u64', given.u64 ?? 'bigint', ['bigint', 'number']);
  if (fromStdin && given.name === undefined) {
    throw new UsageError('gen -: standard input has no file name; give the skeleton one with --name');
  }
  if (fromStdin && embed === 'file') {
    throw new UsageError('gen -: --embed file needs an object file, standard input is none');
  }
  if (given.name !== undefined && given.name !== identifier(given.name)) {
    throw new UsageError(`gen: --name ${JSON.stringify(given.name)} is not an identifier`);
  }
  const records = new Map((given.record ?? []).map(splitRecord));
  return {
    name: given.name ?? objectName(given.object),
    source: fromStdin ? 'standard input' : basename(given.object),
    objectPath: objectPath(given),
    embed,
    u64,
    records,
    unions: new Map((given.union ?? []).map(splitUnion)),
    bytes: (given.bytes ?? []).map(memberOfStruct),
    types: given.type ?? [],
    warn: given.warn,
  };
}

/** From the folder of the skeleton to the object. A skeleton on standard output is taken to lie beside it. */
function objectPath({ object, output }: GenArguments): string {
  if (output === undefined || output === '-') return basename(object);
  return relative(dirname(resolve(output)), resolve(object))
    .split(sep)
    .join('/');
}

function splitRecord(text: string): [string, string] {
  const [, map, type] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (map === undefined || type === undefined) {
    throw new UsageError(
      `gen: --record ${JSON.stringify(text)} is not MAP=TYPE, as in --record events=event`,
    );
  }
  return [map, type];
}

function splitUnion(text: string): [string, string] {
  const [, struct, tag] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (struct === undefined || tag === undefined) {
    throw new UsageError(`gen: --union ${JSON.stringify(text)} is not STRUCT=TAG, as in --union event=type`);
  }
  return [struct.trim(), tag.trim()];
}

function memberOfStruct(text: string): string {
  if (/^[^.]*[^.\s][^.]*\.[^.]*[^.\s]/.test(text)) return text;
  throw new UsageError(`gen: --bytes ${JSON.stringify(text)} is not STRUCT.MEMBER, as in --bytes event.data`);
}

function oneOf<T extends string>(option: string, value: string, choices: readonly T[]): T {
  const choice = choices.find((candidate) => candidate === value);
  if (choice === undefined) {
    throw new UsageError(`gen: ${option} takes ${choices.join(' or ')}, not ${JSON.stringify(value)}`);
  }
  return choice;
}
