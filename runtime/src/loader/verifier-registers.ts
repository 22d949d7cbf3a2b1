/** An instruction in the verifier's log: number, text, and what its registers became. */
const step = /^\s*\d+: \([0-9a-f]{2}\) (.*)$/;
/** A whole state: `0: R1=ctx()`, `from 6 to 8: R0=0`, `frame1: R1=fp-8`. Also behind an instruction that jumps. */
const state = /^(?:\s*(?:from \d+ to \d+[^:]*|\d+):)?\s*(?:frame\d+:\s*)?(?=(?:R\d+|fp-\d+)(?:_\w+)?=)/;
const stateBehind = /\s\d+:\s*(?:frame\d+:\s*)?(?=(?:R\d+|fp-\d+)(?:_\w+)?=)/;
const change = /;\s*(?:frame\d+:\s*)?(?=(?:R\d+|fp-\d+)(?:_\w+)?=)/;

/**
 * What the verifier knew, before the last instruction of its log, of the registers that this instruction or `reason`
 * names: `R0=map_value_or_null(id=1,ks=4,vs=8)`. Read by the shape of the log (kernel/bpf/log.c, print_verifier_state);
 * empty where that is another one.
 */
export function registersAtEnd(lines: readonly string[], reason: string): string[] {
  const last = lines.findLastIndex((line) => step.test(line));
  if (last < 0) return [];
  const known = new Map<string, string>();
  for (const line of lines.slice(0, last)) follow(line, known);
  const [text = ''] = (step.exec(lines[last] ?? '')?.[1] ?? '').split(change);
  const named = `${text.replaceAll(/\b[rw](\d+)\b/g, 'R$1')} ${reason}`.match(/\bR\d+\b/g) ?? [];
  return [...new Set(named)].flatMap((name) => {
    const value = known.get(name);
    return value === undefined ? [] : [`${name}=${value}`];
  });
}

function follow(line: string, known: Map<string, string>): void {
  const text = step.exec(line)?.[1];
  if (text === undefined) {
    const whole = state.exec(line);
    if (whole !== null) replace(line.slice(whole[0].length), known);
    return;
  }
  // A call leaves nothing in the registers of its arguments.
  if (text.startsWith('call')) for (let i = 1; i <= 5; i++) known.delete(`R${i}`);
  const behind = stateBehind.exec(text);
  const changed = change.exec(text);
  if (changed !== null) note(text.slice(changed.index + changed[0].length), known);
  else if (behind !== null) replace(text.slice(behind.index + behind[0].length), known);
}

function replace(text: string, known: Map<string, string>): void {
  known.clear();
  note(text, known);
}

/** `R1=ctx() R2_w=scalar(var_off=(0x0; 0xff)) fp-8=mmmm????`: values hold blanks inside their brackets only. */
function note(text: string, known: Map<string, string>): void {
  let depth = 0;
  let start = 0;
  for (let i = 0; i <= text.length; i++) {
    const char = text[i];
    if (char === '(') depth++;
    else if (char === ')') depth--;
    else if (char === undefined || (char === ' ' && depth <= 0)) {
      const assigned = /^(R\d+|fp-\d+)(?:_\w+)?=(.*)$/.exec(text.slice(start, i));
      if (assigned?.[1] !== undefined) known.set(assigned[1], assigned[2] ?? '');
      start = i + 1;
    }
  }
}
