import { parseObject } from '@bpfskel/runtime/inspect';
import { optionsText, sealed, unsealed } from './header.js';
import { type SkeletonOptions, skeletonModel } from './model.js';
import { comment, quote } from './quote.js';
import { render } from './render.js';
import { stripDebug } from './strip.js';
import { version } from './version.js';

/** What `gen` is asked for. */
export interface GenerateOptions extends SkeletonOptions {
  /** How the object is called in the header; a file name, without a folder. */
  readonly source: string;
  /** `base64`: the object is part of the skeleton; `file`: the skeleton reads it from `objectPath`. */
  readonly embed: 'base64' | 'file';
  /** Where the object lies as seen from the skeleton, with `/` between folders; for `embed: 'file'`. */
  readonly objectPath: string;
}

/** The skeleton of an object file, as text. The same bytes and options give the same text. */
export function generate(bytes: Uint8Array, options: GenerateOptions): string {
  return generateFile(bytes, options).toString();
}

/** The same as the bytes of a file. */
export function generateFile(bytes: Uint8Array, options: GenerateOptions): Buffer {
  const spec = parseObject(bytes);
  const model = skeletonModel(spec, options);
  const text = render({
    ...model,
    version,
    source: comment(options.source),
    options: optionsText(options),
    checksum: unsealed,
    object:
      options.embed === 'base64'
        ? `'${base64(stripDebug(bytes))}'`
        : `new URL(${quote(relativeUrl(options.objectPath))}, import.meta.url)`,
  });
  return sealed(text);
}

function base64({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}

function relativeUrl(path: string): string {
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  return encoded.startsWith('../') ? encoded : `./${encoded}`;
}
