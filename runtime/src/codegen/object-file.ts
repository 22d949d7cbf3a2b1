import { NotSupportedError } from '../errors.js';

/** The bytes of an object file that lies beside a skeleton made with `--embed file`. */
export function readObjectFile(url: URL): Uint8Array {
  // Not an import: a skeleton must load where there are no files, as long as nobody opens it.
  if (typeof process !== 'object' || typeof process.getBuiltinModule !== 'function') {
    throw new NotSupportedError('files', `read ${url.href}: this platform has no files; use --embed base64`);
  }
  const { buffer, byteOffset, byteLength } = process.getBuiltinModule('node:fs').readFileSync(url);
  return new Uint8Array(buffer, byteOffset, byteLength);
}
