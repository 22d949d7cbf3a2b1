import {
  closeSync,
  fstatSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** All of a file, or of standard input for `-`. */
export function readInput(path: string): Uint8Array {
  if (path === '-') return readFileSync(0);
  const fd = openSync(path, 'r');
  try {
    // Reading a folder fails with EISDIR in words that name no file.
    if (fstatSync(fd).isDirectory()) throw Object.assign(new Error('is a directory'), { code: 'EISDIR' });
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Writes a whole file or nothing: the text goes to a temporary file beside it, which then takes its name. Devices and
 * pipes are written to as they are.
 */
export function writeOutput(path: string, text: string | Uint8Array): void {
  const target = existing(path);
  if (target !== undefined && !target.regular) {
    writeFileSync(path, text);
    return;
  }
  const final = target?.path ?? path;
  const temporary = join(dirname(final), `.${basename(final)}.${process.pid}.tmp`);
  try {
    writeFileSync(temporary, text, { flag: 'wx' });
    renameSync(temporary, final);
  } catch (error) {
    removeQuietly(temporary);
    throw error;
  }
}

/** What is there now, with symbolic links followed: the link stays, the file it names is replaced. */
function existing(path: string): { path: string; regular: boolean } | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats && { path: realpathSync(path), regular: stats.isFile() };
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}

/** Everything to a descriptor; waits while a pipe is full. */
export function writeAll(fd: number, content: string | Uint8Array): void {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
