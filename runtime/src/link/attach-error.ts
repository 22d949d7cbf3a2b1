import { BpfError, isBpfError, NotSupportedError, printable } from '../errors.js';

/** Why an attachment was refused, as found on this host. */
export interface Reason {
  /** The cause, as a clause: `this kernel has no function do_foo`. */
  readonly why: string;
  /** What to do, as a sentence without its full stop. */
  readonly hint?: string | undefined;
  /** Set when the kernel lacks a feature altogether. */
  readonly unsupported?: { readonly feature: string; readonly since?: string };
}

/** What was to be attached, for the sentence. */
export interface Attachment {
  /** The C function's name. */
  readonly program: string;
  /** `kprobe do_unlinkat`, `xdp eth0`. */
  readonly target: string;
}

/**
 * The error of an attachment that `cause` refused. With a `reason` the sentence tells it, otherwise what the kernel
 * said. Code, errno and system call stay those of `cause`.
 */
export function attachError(attachment: Attachment, cause: unknown, reason?: Reason): Error {
  // Not the kernel's refusal: it already says what it has to say.
  if (!isBpfError(cause) || cause.errno === undefined) {
    return cause instanceof Error ? cause : new Error(String(cause));
  }
  const head = headOf(attachment);
  const details = { errno: cause.errno, syscall: cause.syscall, hint: reason?.hint, cause };
  if (reason === undefined) return new BpfError(cause.code, `${head}: ${cause.message}`, details);
  const message = `${head}: ${reason.why} (${cause.code})${tail(reason)}`;
  if (reason.unsupported === undefined) return new BpfError(cause.code, message, details);
  const { feature, since } = reason.unsupported;
  return new NotSupportedError(feature, message, { ...details, ...(since === undefined ? {} : { since }) });
}

/** The error of an attachment that was not even tried. */
export function cannotAttach(attachment: Attachment, code: string, reason: Reason): BpfError {
  const message = `${headOf(attachment)}: ${reason.why}${tail(reason)}`;
  const details = { hint: reason.hint };
  if (reason.unsupported === undefined) return new BpfError(code, message, details);
  const { feature, since } = reason.unsupported;
  return new NotSupportedError(feature, message, { ...details, ...(since === undefined ? {} : { since }) });
}

/** What EEXIST says of most hooks: they tell programs apart, not links. */
export const attachedAlready: Reason = {
  why: 'the program is attached there already, and this kernel runs a program once in one place',
};

/** The errno's name an error carries, undefined for errors that are not the kernel's. */
export function errnoOf(error: unknown): string | undefined {
  return isBpfError(error) && error.errno !== undefined ? error.code : undefined;
}

function headOf({ program, target }: Attachment): string {
  return `attach "${printable(program)}" to ${printable(target)}`;
}

function tail({ hint }: Reason): string {
  return hint === undefined ? '' : `. ${hint}`;
}
