import { BpfError, type BpfErrorDetails, isBpfError, NotSupportedError, printable } from '../errors.js';

/** Why the kernel refused, as found on this host. */
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
 * The error of something that `cause` refused; `head` says what: `create map "events"`. With a `reason` the sentence tells
 * it, otherwise what the kernel said. Code, errno and system call stay those of `cause`; a kernel that lacks a feature
 * altogether gives a NotSupportedError.
 */
export function refusal(head: string, cause: unknown, reason?: Reason): Error {
  // Not the kernel's refusal: it already says what it has to say.
  if (!isBpfError(cause) || cause.errno === undefined) {
    return cause instanceof Error ? cause : new Error(String(cause));
  }
  const details = { errno: cause.errno, syscall: cause.syscall, hint: reason?.hint ?? cause.hint, cause };
  if (reason === undefined) return new BpfError(cause.code, `${head}: ${cause.message}`, details);
  return sentence(cause.code, `${head}: ${reason.why} (${cause.code})`, reason, details);
}

/** The error of an attachment that `cause` refused. */
export function attachError(attachment: Attachment, cause: unknown, reason?: Reason): Error {
  return refusal(headOf(attachment), cause, reason);
}

/** The error of an attachment that was not even tried. */
export function cannotAttach(attachment: Attachment, code: string, reason: Reason): BpfError {
  return sentence(code, `${headOf(attachment)}: ${reason.why}`, reason, { hint: reason.hint });
}

function sentence(code: string, text: string, reason: Reason, details: BpfErrorDetails): BpfError {
  const message = reason.hint === undefined ? text : `${text}. ${reason.hint}`;
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
