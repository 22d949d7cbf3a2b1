const mark = Symbol.for('@bpfskel/runtime.BpfError');

/** What a {@link BpfError} carries besides its sentence. */
export interface BpfErrorDetails {
  /** Positive errno as in `os.constants.errno` (13 for EACCES), when the kernel gave one. */
  errno?: number | undefined;
  /** The call that failed, for example `bpf(BPF_MAP_CREATE)`. */
  syscall?: string | undefined;
  /** What to do about it; set only when the cause was checked on this host. */
  hint?: string | undefined;
  cause?: unknown;
}

/**
 * Every error of bpfskel. `message` is a sentence: what failed, why, what to do.
 * `code` is an errno name (`EPERM`) or one of the `ERR_BPF_*` strings.
 */
export class BpfError extends Error {
  override readonly name: string = 'BpfError';
  readonly [mark] = true;
  readonly code: string;
  readonly errno?: number;
  readonly syscall?: string;
  readonly hint?: string;

  constructor(code: string, message: string, details: BpfErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    if (details.errno !== undefined) this.errno = details.errno;
    if (details.syscall !== undefined) this.syscall = details.syscall;
    if (details.hint !== undefined) this.hint = details.hint;
  }
}

/** An object file, BTF blob or kernel answer that cannot be what it claims. Names the place. */
export class MalformedError extends BpfError {
  override readonly name = 'MalformedError';
  /** The section or table that is wrong, for example `.BTF`. */
  readonly section: string;
  /** Byte offset inside `section`. */
  readonly offset: number;
  /** The object's file or name, where that is known. */
  readonly file?: string;
  readonly #what: string;

  constructor(section: string, offset: number, what: string, cause?: unknown, file?: string) {
    const opening = file === undefined ? '' : `open ${printable(file)}: `;
    const place = `malformed ${printable(section)} at byte ${offset}`;
    super('ERR_BPF_MALFORMED', `${opening}${place}: ${what}`, { cause });
    this.section = section;
    this.offset = offset;
    this.#what = what;
    if (file !== undefined) this.file = file;
  }

  /** The same of a file, which the message then names. */
  of(file: string): MalformedError {
    return new MalformedError(this.section, this.offset, this.#what, this.cause ?? this, file);
  }
}

/** The kernel refused a call. `code` is the errno's name. */
export class SyscallError extends BpfError {
  override readonly name = 'SyscallError';
  declare readonly errno: number;
  declare readonly syscall: string;

  constructor(syscall: string, errno: number, code: string, text: string, details: BpfErrorDetails = {}) {
    super(code, `${syscall}: ${text} (${code})`, { ...details, errno, syscall });
  }
}

/** The verifier refused a program. `log` is everything it said. */
export class VerifierError extends BpfError {
  override readonly name = 'VerifierError';
  readonly program: string;
  readonly log: string;
  /** True when the kernel had more to say than the largest log buffer holds. */
  readonly truncated: boolean;
  /** `file.c:42`, when line information says where. */
  readonly location?: string;

  constructor(
    program: string,
    log: string,
    message: string,
    details: BpfErrorDetails & { code: string; truncated?: boolean; location?: string | undefined },
  ) {
    super(details.code, message, details);
    this.program = program;
    this.log = log;
    this.truncated = details.truncated ?? false;
    if (details.location !== undefined) this.location = details.location;
  }
}

/** This kernel, or this runtime, does not have what was asked for. */
export class NotSupportedError extends BpfError {
  override readonly name = 'NotSupportedError';
  readonly feature: string;
  /** First kernel version that has it, when known. */
  readonly since?: string;

  constructor(feature: string, message: string, details: BpfErrorDetails & { since?: string } = {}) {
    super('ERR_BPF_NOT_SUPPORTED', message, details);
    this.feature = feature;
    if (details.since !== undefined) this.since = details.since;
  }
}

/** True for errors of any copy of this package. */
export function isBpfError(error: unknown): error is BpfError {
  return typeof error === 'object' && error !== null && mark in error;
}

/**
 * Text from an object file or the kernel, made safe to print: control characters, bidirectional marks and
 * lone surrogates become `\u{...}`, and what is longer than `limit` characters is cut.
 */
export function printable(text: string, limit = 200): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return cut.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach a terminal
    /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\u061c]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
    (char) => `\\u{${char.charCodeAt(0).toString(16)}}`,
  );
}
