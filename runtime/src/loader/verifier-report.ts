import { type BpfErrorDetails, printable, VerifierError } from '../errors.js';

/** A source line some instruction comes from. */
export interface SourceLine {
  /** Instruction number in the loaded program. */
  readonly insn: number;
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

/** An instruction that uses what is not there: it became a call that no kernel has, and must be dead code. */
export interface Poison {
  readonly insn: number;
  /** The number of the function it calls instead. */
  readonly helper: number;
  /** What is not there, as a clause. */
  readonly why: string;
  /** What to do, as a sentence without its full stop. */
  readonly hint: string;
}

/** What the loader knows about a refused program. */
export interface Refusal {
  readonly program: string;
  readonly code: string;
  readonly errno: number;
  readonly log: string;
  readonly truncated: boolean;
  readonly lines: readonly SourceLine[];
  readonly poisons: readonly Poison[];
  readonly cause: unknown;
}

/** How many lines of the log the message itself shows. */
const shownLines = 12;
const instruction = /^\s*(\d+): \([0-9a-f]{2}\)/;
const statistics =
  /^(processed \d+ insns|verification time|stack depth|max_states_per_insn|mark_read|peak_states|total_states)/;

/**
 * The error for a program the verifier refused. The message names the reason, the C line and the last lines of the
 * log; the whole log is `error.log`. Reads the kernel's log by its shape only (kernel/bpf/log.c), so that a kernel
 * with another wording still gives its own last lines.
 */
export function verifierError(refusal: Refusal): VerifierError {
  const { program, code, errno, log, truncated } = refusal;
  const lines = log.split('\n').filter((line) => line.trim() !== '' && !statistics.test(line));
  const last = lastInstruction(lines);
  const source = last === undefined ? undefined : sourceOf(refusal.lines, last);
  const location = source && `${printable(source.file)}:${source.line}`;
  const poison = poisonIn(lines, refusal.poisons, last);
  const reason = printable(poison?.why ?? reasonIn(lines) ?? 'gave no reason');
  const hint = poison === undefined ? suggestionIn(lines) : printable(poison.hint);
  const details: BpfErrorDetails & { code: string; truncated: boolean; location?: string } = {
    code,
    errno,
    truncated,
    syscall: 'bpf(BPF_PROG_LOAD)',
    hint,
    cause: refusal.cause,
    ...(location === undefined ? {} : { location }),
  };
  const where = location === undefined ? '' : ` at ${location}`;
  const said = hint === undefined ? '' : `. ${hint}`;
  const sentence = `load program "${printable(program)}": verifier: ${reason}${where}${said}`;
  return new VerifierError(program, log, [sentence, ...excerpt(lines, source)].join('\n'), details);
}

function excerpt(lines: readonly string[], source: SourceLine | undefined): string[] {
  const shown = lines.slice(-shownLines);
  const omitted = lines.length - shown.length;
  return [
    ...(source && source.text !== '' ? [`  ${source.line} | ${printable(source.text.trim())}`] : []),
    ...(omitted > 0 ? [`  (${omitted} more lines: error.log)`] : []),
    ...shown.map((line) => `  ${printable(line)}`),
  ];
}

function lastInstruction(lines: readonly string[]): number | undefined {
  for (let i = lines.length - 1; i >= 0; i--) {
    const number = instruction.exec(lines[i] ?? '')?.[1];
    if (number !== undefined) return Number(number);
  }
  return undefined;
}

/** The line an instruction belongs to: the last line record at or before it. */
export function sourceOf(lines: readonly SourceLine[], insn: number): SourceLine | undefined {
  let found: SourceLine | undefined;
  for (const line of lines) {
    if (line.insn > insn) break;
    found = line;
  }
  return found;
}

/** The kernel's own `Reason:` line where it writes one, else its last line that is not an instruction or a source line. */
function reasonIn(lines: readonly string[]): string | undefined {
  const stated = lines
    .map((line) => /^\s*Reason:\s*(.+)$/.exec(line)?.[1])
    .find((reason) => reason !== undefined);
  if (stated !== undefined) return stated;
  for (let i = lines.length - 1; i >= 0; i--) {
    const line = lines[i] ?? '';
    if (!instruction.test(line) && !line.startsWith(';') && !/^from \d+ to \d+/.test(line))
      return line.trim();
  }
  return undefined;
}

function suggestionIn(lines: readonly string[]): string | undefined {
  const stated = lines
    .map((line) => /^\s*Suggestion:\s*(.+)$/.exec(line)?.[1])
    .find((text) => text !== undefined);
  if (stated === undefined) return undefined;
  const text = printable(stated.replace(/\.$/, ''));
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The poisoned instruction the verifier met: it names the number of the function. */
function poisonIn(
  lines: readonly string[],
  poisons: readonly Poison[],
  last: number | undefined,
): Poison | undefined {
  const called = lines.findLast((line) => /unknown#\d+/.test(line));
  const helper = called === undefined ? undefined : Number(/unknown#(\d+)/.exec(called)?.[1]);
  const candidates = poisons.filter((poison) => poison.helper === helper);
  return candidates.find(({ insn }) => insn === last) ?? candidates[0];
}
