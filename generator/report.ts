import { isBpfError, printable } from '@bpfskel/runtime/inspect';
import { writeAll } from './files.js';
import { UsageError } from './usage.js';

/** Puts what was attempted in front of an error's message. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/** Runs `action`; what it throws for the input's sake gets `what` in front. */
export function within<T>(what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw explained(what, error);
  }
}

/** `error` as a sentence that begins with what was attempted. */
export function explained(what: string, error: unknown): unknown {
  if (error instanceof UsageError || isBrokenPipe(error)) return error;
  if (isBpfError(error)) return new CommandError(`${printable(what)}: ${error.message}`, { cause: error });
  const code = errorCode(error);
  if (code === undefined) return error;
  return new CommandError(`${printable(what)}: ${systemReason(code, error)}`, { cause: error });
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or folder',
  EACCES: 'permission denied',
  EISDIR: 'is a folder, not a file',
  ENOTDIR: 'a folder of the path is a file',
  ENOSPC: 'no space left',
  EROFS: 'the file system is read-only',
};

function systemReason(code: string, error: unknown): string {
  const text = error instanceof Error ? printable(error.message.replace(/^[A-Z]+: /, '')) : code;
  const reason = reasons[code];
  return reason === undefined ? `${text} (${code})` : reason;
}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && 'syscall' in error && typeof error.code === 'string'
    ? error.code
    : error instanceof Error && 'code' in error && error.code === 'EISDIR'
      ? 'EISDIR'
      : undefined;
}

function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPIPE';
}

/** One sentence on standard error, and the exit status. */
export function report(error: unknown): number {
  // The reader has what it wanted.
  if (isBrokenPipe(error)) return 0;
  if (error instanceof UsageError) return complain(error.message, 2);
  if (error instanceof CommandError || isBpfError(error)) return complain(error.message, 1);
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return complain(`internal error, please report it: ${text}`, 1);
}

function complain(message: string, status: number): number {
  try {
    writeAll(2, `bpfskel: ${printable(message, 2000)}\n`);
  } catch (error) {
    if (!isBrokenPipe(error)) throw error;
  }
  return status;
}
