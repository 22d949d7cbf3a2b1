import { readFileSync } from 'node:fs';
import { BpfError, printable } from '../errors.js';

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
};

/** A file of this host as bytes. Throws a BpfError with the system's code. */
export function readHostFile(path: string): Uint8Array {
  try {
    const file = readFileSync(path);
    return new Uint8Array(file.buffer, file.byteOffset, file.byteLength);
  } catch (error) {
    const code =
      error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'EIO';
    throw new BpfError(code, `read ${printable(path)}: ${reasons[code] ?? code}`, { cause: error });
  }
}
