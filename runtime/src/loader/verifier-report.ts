import { type BpfErrorDetails, printable, VerifierError } from '../errors.js';
import { ERRNO } from '../kernel/errno.js';
import { registersAtEnd } from './verifier-registers.js';

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
  const said = readLog(log);
  const { lines } = said;
  const last = lastInstruction(lines);
  const source = last === undefined ? undefined : sourceOf(refusal.lines, last);
  const location = source && `${printable(source.file)}:${source.line}`;
  const poison = poisonIn(lines, refusal.poisons, last);
  const reason = printable(poison?.why ?? reasonIn(said) ?? 'gave no reason', 400);
  const hint = hintOf(said, poison, errno);
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
  const advice = hint === undefined ? '' : `. ${hint}`;
  const sentence = `load program "${printable(program)}": verifier: ${reason}${where}${advice}`;
  const registers = poison === undefined ? registersAtEnd(lines, reason) : [];
  const message = [sentence, ...excerpt(said, source, registers)].join('\n');
  return new VerifierError(program, log, message, details);
}

/** What to do, as a sentence without its full stop. */
function hintOf({ stated }: Said, poison: Poison | undefined, errno: number): string | undefined {
  if (poison !== undefined) return printable(poison.hint);
  if (stated.suggestion !== undefined) {
    const text = printable(stated.suggestion, 400);
    return text.charAt(0).toUpperCase() + text.slice(1);
  }
  return errno === ERRNO.EFAULT
    ? 'EFAULT is the answer to a bug in the verifier itself: dmesg may say more'
    : undefined;
}

function excerpt(
  { lines, more }: Said,
  source: SourceLine | undefined,
  registers: readonly string[],
): string[] {
  const shown = lines.slice(-shownLines);
  const omitted = lines.length - shown.length + more;
  return [
    ...(source && source.text !== '' ? [`  ${source.line} | ${printable(source.text.trim())}`] : []),
    ...(registers.length > 0 ? [`  with ${registers.map((one) => printable(one)).join(' ')}`] : []),
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

/** The kernel's own reason where it states one, else its last line that is not an instruction, a source line or a state. */
function reasonIn({ stated, lines }: Said): string | undefined {
  if (stated.reason !== undefined) return stated.reason;
  for (let i = lines.length - 1; i >= 0; i--) {
    const line = lines[i] ?? '';
    // Printed behind the instruction that closes the loop.
    const loop = /infinite loop detected at insn \d+$/.exec(line)?.[0];
    if (loop !== undefined) return loop;
    if (!instruction.test(line) && !/^(;|from \d+ to \d+|cur state:|old state:)/.test(line))
      return line.trim();
  }
  return undefined;
}

/** What the kernel said, without statistics and empty lines. */
interface Said {
  /** Up to where kernels since 7.3 begin to sum up. */
  readonly lines: readonly string[];
  /** Lines of the summary. */
  readonly more: number;
  readonly stated: { readonly reason?: string; readonly suggestion?: string };
}

/** Kernels since 7.3 end with paragraphs: `Reason:`, and indented below it the text. */
function readLog(log: string): Said {
  const all = log.split('\n').filter((line) => line.trim() !== '' && !statistics.test(line));
  const summary = all.findIndex((line) => /^Verification failed\b/.test(line));
  if (summary < 0) return { lines: all, more: 0, stated: {} };
  const reason = paragraph(all.slice(summary), 'Reason');
  const suggestion = paragraph(all.slice(summary), 'Suggestion');
  return {
    lines: all.slice(0, summary),
    more: all.length - summary,
    stated: { ...(reason && { reason }), ...(suggestion && { suggestion }) },
  };
}

/** The first paragraph of this name in one line, as a clause. */
function paragraph(lines: readonly string[], name: string): string | undefined {
  const start = lines.findIndex((line) => line.trimStart().startsWith(`${name}:`));
  if (start < 0) return undefined;
  const [first = '', ...rest] = lines.slice(start);
  const end = rest.findIndex((line) => !/^\s/.test(line) || /^\s*[A-Z][a-z ]*:/.test(line));
  const body = [first.trimStart().slice(name.length + 1), ...rest.slice(0, end < 0 ? rest.length : end)];
  const text = body
    .map((line) => line.trim())
    .join(' ')
    .trim()
    .replace(/\.$/, '');
  return text === '' ? undefined : text;
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
