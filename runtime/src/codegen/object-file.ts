import { BpfError, NotSupportedError, printable } from '../errors.js';

/**
 * The bytes of an object file that lies beside a skeleton made with `--embed file`.
 * @throws BpfError ENOENT when it was not copied along; NotSupportedError where there are no files
 */
export function readObjectFile(url: URL): Uint8Array {
  // Not an import: a skeleton must load where there are no files, as long as nobody opens it.
  if (typeof process !== 'object' || typeof process.getBuiltinModule !== 'function') {
    throw new NotSupportedError('files', `read ${url.href}: this platform has no files; use --embed base64`);
  }
  try {
    const { buffer, byteOffset, byteLength } = process.getBuiltinModule('node:fs').readFileSync(url);
    return new Uint8Array(buffer, byteOffset, byteLength);
  } catch (cause) {
    const { code = 'ERR_BPF_ARGUMENT' } = cause as NodeJS.ErrnoException; // what node:fs throws
    if (code !== 'ENOENT') throw cause;
    throw new BpfError(
      code,
      `read ${printable(url.pathname)}: no such file; the skeleton was made with --embed file, so its object goes where the compiled skeleton goes: copy it there, or generate with --embed base64`,
      { cause },
    );
  }
}
