import { describe, expect, it } from 'vitest';
import { sourceOf, verifierError } from '../../runtime/src/loader/verifier-report.js';

const lines = [
  { insn: 0, file: 'count.bpf.c', line: 40, text: '  int key = 0;' },
  { insn: 2, file: 'count.bpf.c', line: 42, text: '  return *(int *)x;' },
];
const base = {
  program: 'count',
  code: 'EACCES',
  errno: 13,
  truncated: false,
  lines,
  poisons: [],
  cause: undefined,
};
const classic = `0: R1=ctx() R10=fp0
; int key = 0; @ count.bpf.c:40
0: (b7) r2 = 0                        ; R2_w=0
; return *(int *)x; @ count.bpf.c:42
2: (61) r0 = *(u32 *)(r2 +0)
R2 invalid mem access 'scalar'
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`;

const newer = `0: R1=ctx() R10=fp0
0: (95) exit
R0 !read_ok

Verification failed: Register Type Safety: Unreadable register

Reason:
  R0 has never been initialized on this path,
  so it cannot be an input.

At:
  insn 0
  Instruction context:
  >>> 0 | (95) exit

Suggestion:
  Initialize R0 on every path before this instruction.

processed 1 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`;

describe('a refused program', () => {
  const error = verifierError({ ...base, log: classic });

  it('is explained by reason and C line in one sentence', () => {
    expect(error.message.split('\n')[0]).toBe(
      'load program "count": verifier: R2 invalid mem access \'scalar\' at count.bpf.c:42',
    );
  });

  it('shows the C source and the end of the log', () => {
    expect(error.message).toContain('  42 | return *(int *)x;');
    expect(error.message).toContain('  2: (61) r0 = *(u32 *)(r2 +0)');
  });

  it('carries the whole log, the errno and the place as data', () => {
    expect(error).toMatchObject({ log: classic, code: 'EACCES', errno: 13, location: 'count.bpf.c:42' });
  });

  it('is never called a permission problem', () => {
    expect(error.message).not.toMatch(/permission/i);
  });
});

describe('the message for', () => {
  const cases: [string, string, RegExp][] = [
    [
      'the format of Linux 7.3 takes the stated reason and suggestion',
      newer,
      /verifier: R0 has never been initialized on this path, so it cannot be an input\. Initialize R0 on every path before this instruction\n/,
    ],
    [
      'that format leaves its summary to the log',
      newer,
      /\n {2}\(10 more lines: error\.log\)\n {2}0: R1=ctx\(\)/,
    ],
    [
      'a reason on the line of its name is one, too',
      'Verification failed:\n  Reason: unbounded memory access\n  At: 2\n  Suggestion: use a bounds check\n',
      /verifier: unbounded memory access\. Use a bounds check\n/,
    ],
    [
      'an endless loop says so, behind the instruction that closes it',
      '5: (05) goto pc-2 infinite loop detected at insn 4\ncur state: R1=1 R10=fp0\nold state: R1=1 R10=fp0\n',
      /verifier: infinite loop detected at insn 4\n/,
    ],
    [
      'a log without instructions keeps the last line',
      'func_info BTF section is malformed\n',
      /verifier: func_info BTF section is malformed\n/,
    ],
    [
      'terminal escapes in the log shows them as text',
      'bad \u001b[31mred\u001b[0m\n',
      /bad \\u\{1b\}\[31mred/,
    ],
    [
      'a long log says how much is left out',
      `${'1: (b7) r0 = 0\n'.repeat(40)}R0 !read_ok\n`,
      /\(29 more lines: error\.log\)/,
    ],
  ];
  it.each(cases)('%s', (_name, log, pattern) => {
    expect(verifierError({ ...base, lines: [], log }).message).toMatch(pattern);
  });

  it('a log of many reasons takes the one the kernel states', () => {
    const log = 'R0 !read_ok\nVerification failed:\nReason: the second\n';
    expect(verifierError({ ...base, lines: [], log }).message).toMatch(/verifier: the second\n/);
  });

  it('a bug of the verifier says where to look', () => {
    const error = verifierError({ ...base, lines: [], errno: 14, code: 'EFAULT', log: 'verifier bug: x\n' });
    expect(error.message).toMatch(
      /^load program "count": verifier: verifier bug: x\. EFAULT .* dmesg may say more\n/,
    );
  });
});

describe('the registers of a refused instruction', () => {
  const withRegisters = (log: string) =>
    verifierError({ ...base, lines: [], log })
      .message.split('\n')
      .find((line) => line.startsWith('  with '));
  it.each([
    ['of a whole state', '0: R1=ctx() R10=fp0\n0: (61) r2 = *(u32 *)(r1 +0)\nno\n', 'R1=ctx()'],
    [
      'as the instructions before left them',
      '0: R1=ctx() R10=fp0\n0: (b7) r2 = 0   ; R2_w=0\n1: (b7) r2 = 7   ; R2_w=7\n2: (61) r0 = *(u32 *)(r2 +0)\nno\n',
      'R2=7',
    ],
    [
      'with blanks in their brackets',
      '3: R1=scalar(smax=4,var_off=(0x0; 0xff)) R2=fp-16\n3: (0f) r2 += r1\nno\n',
      'R2=fp-16 R1=scalar(smax=4,var_off=(0x0; 0xff))',
    ],
    [
      'where two ways meet',
      '3: (55) if r0 != 0x0 goto pc+2    ; R0=map_value()\nfrom 3 to 6: R0=0 R10=fp0\n6: (79) r1 = *(u64 *)(r0 +0)\nno\n',
      'R0=0',
    ],
    [
      'behind a jump',
      '6: (55) if r1 != 0x7 goto pc-5 2: R1=3 R10=fp0\n2: (61) r1 = *(u32 *)(r1 +0)\nno\n',
      'R1=3',
    ],
    [
      'in a subprogram',
      '7: (85) call pc+1\ncaller:\n R10=fp0\ncallee:\n frame1: R1=fp[0]-32 R10=fp0\n9: (79) r0 = *(u64 *)(r1 +800)\nno\n',
      'R1=fp[0]-32',
    ],
    [
      'that the reason names',
      '0: R1=ctx() R2=1 R10=fp0\n0: (85) call bpf_map_lookup_elem#1\nR2 type=scalar expected=fp\n',
      'R2=1',
    ],
    [
      'unless a call before took them',
      '0: R1=ctx()\n0: (85) call x#1  ; R0=0\n1: (79) r2 = *(u64 *)(r1 +0)\nno\n',
      undefined,
    ],
    ['unless the log is of another shape', 'R1 is wrong\n', undefined],
  ])('are shown %s', (_name, log, expected) => {
    expect(withRegisters(log)).toBe(expected && `  with ${expected}`);
  });
});

describe('a call that no kernel has', () => {
  const poison = (insn: number, helper: number, why: string) => ({ insn, helper, why, hint: 'Guard it' });
  const poisons = [
    poison(1, 195896080, 'first'),
    poison(2, 195896080, 'second'),
    poison(2, 2001000003, 'map'),
    poison(7, 2002000004, 'kfunc'),
  ];
  const said = (insn: number, helper: number) =>
    `${insn}: (85) call unknown#${helper}\ninvalid func unknown#${helper}\n`;
  it.each([
    ['a relocation that found nothing, by the instruction', said(2, 195896080), 'second'],
    ['another one where the log does not name the instruction', 'invalid func unknown#195896080\n', 'first'],
    ['a map that was left out', said(2, 2001000003), 'map'],
    ['a kfunc that is absent', said(7, 2002000004), 'kfunc'],
    ['nothing else', said(7, 2002000005), 'invalid func unknown#2002000005'],
  ])('stands for %s', (_name, log, why) => {
    const { message } = verifierError({ ...base, lines: [], log, poisons });
    expect(message.split('\n')[0]).toMatch(new RegExp(`verifier: ${why}(\\. Guard it)?$`));
  });

  it('comes with its C line and what to do', () => {
    const error = verifierError({ ...base, log: said(2, 195896080), poisons });
    expect(error.message.split('\n')[0]).toBe(
      'load program "count": verifier: second at count.bpf.c:42. Guard it',
    );
    expect(error.hint).toBe('Guard it');
  });

  it('counts only where the verifier met it', () => {
    const error = verifierError({ ...base, log: classic, poisons });
    expect(error.message).toMatch(/^load program "count": verifier: R2 invalid mem access/);
  });
});

describe('the source line of an instruction', () => {
  it.each([
    [0, 40],
    [1, 40],
    [2, 42],
    [9, 42],
  ])('%i is the last record at or before it', (insn, line) => {
    expect(sourceOf(lines, insn)?.line).toBe(line);
  });

  it('is unknown before the first record', () => {
    expect(sourceOf(lines.slice(1), 0)).toBeUndefined();
  });
});
