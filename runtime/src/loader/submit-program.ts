import { isBpfError, printable } from '../errors.js';
import type { Fd, Kernel, ProgLoad, VerifierLog } from '../kernel/kernel.js';
import { refusal } from '../link/attach-error.js';
import { explain } from './diagnose.js';
import { type Poison, type SourceLine, verifierError } from './verifier-report.js';

/** A program as the kernel is asked to take it, and what explains a refusal. */
export interface Submission {
  readonly kernel: Kernel;
  /** The C function's name. */
  readonly name: string;
  readonly request: ProgLoad;
  /** 0 keeps the verifier quiet; its log is asked for when it refuses. */
  readonly logLevel: number;
  /** Takes what the verifier said of a program it accepted, with a `logLevel` above 0. */
  keepLog(log: string): void;
  /** Where instructions come from, and which were made invalid. Asked for when the verifier refused. */
  explanations(): { readonly lines: readonly SourceLine[]; readonly poisons: readonly Poison[] };
}

/** BPF_LOG_STATS: statistics, without a word on why a program is refused. */
const STATISTICS = 4;

/** Bytes of the first log, and of the largest: what kernels before 5.18 take, and more than anybody reads. */
const SMALLEST_LOG = 64 << 10;
const LARGEST_LOG = (16 << 20) - 1;

/** How an attempt ended that did not load. */
interface Refused {
  readonly cause: unknown;
  readonly log: string;
  readonly truncated: boolean;
}

/**
 * Loads as quietly as was asked; when refused, again with a log that grows until it holds what the verifier says
 * (libbpf: bpf_object_load_prog). The errno that counts is the first: a short log turns it into ENOSPC.
 * @throws VerifierError when the verifier said why, else the kernel's refusal with the reason as far as this host shows it
 */
export function submit(submission: Submission): Fd {
  const { logLevel } = submission;
  let refused: Refused | undefined;
  if (logLevel === 0) {
    const quiet = attempt(submission);
    if (typeof quiet === 'number') return quiet;
    refused = quiet;
  }
  const levels = logLevel === STATISTICS ? [STATISTICS, STATISTICS | 1] : [Math.max(logLevel, 1)];
  for (const level of levels) {
    const loud = attemptLoudly(submission, level, refused);
    if (typeof loud === 'number') return loud;
    refused = loud;
  }
  throw explained(submission, refused);
}

/** One level of the log, in buffers that grow while the log does not fit. */
function attemptLoudly(submission: Submission, level: number, before: Refused | undefined): Fd | Refused {
  let refused = before;
  for (let size = SMALLEST_LOG; ; ) {
    const log: VerifierLog = { level, buffer: new Uint8Array(size) };
    const result = attempt(submission, log);
    if (typeof result === 'number') return result;
    const first = refused === undefined || isFull(refused.cause) ? result.cause : refused.cause;
    refused = { ...result, cause: first };
    if (!result.truncated || size >= LARGEST_LOG) return refused;
    // Kernels since 6.4 say what would fit, and keep the end of what does not.
    size = Math.min(Math.max(size + 1, log.trueSize || size * 16), LARGEST_LOG);
  }
}

function attempt({ kernel, request, logLevel, keepLog }: Submission, log?: ProgLoad['log']): Fd | Refused {
  try {
    const fd = kernel.progLoad(log === undefined ? request : { ...request, log });
    if (log !== undefined && logLevel > 0) keepLog(logText(log.buffer));
    return fd;
  } catch (cause) {
    if (!isBpfError(cause)) throw cause;
    return { cause, log: log === undefined ? '' : logText(log.buffer), truncated: isFull(cause) };
  }
}

function isFull(error: unknown): boolean {
  return isBpfError(error) && error.code === 'ENOSPC';
}

function logText(buffer: Uint8Array): string {
  const end = buffer.indexOf(0);
  return new TextDecoder().decode(end < 0 ? buffer : buffer.subarray(0, end));
}

function explained(submission: Submission, refused: Refused | undefined): Error {
  const { kernel, name: program, request } = submission;
  const { cause, log = '', truncated = false } = refused ?? {};
  if (isBpfError(cause) && log.trim() !== '') {
    const { code, errno = 0 } = cause;
    return verifierError({ program, code, errno, log, truncated, cause, ...submission.explanations() });
  }
  const asked = { program: { type: request.type, name: program } };
  const reason = isBpfError(cause) ? explain(kernel, cause, asked) : undefined;
  return refusal(`load program "${printable(program)}"`, cause, reason);
}
