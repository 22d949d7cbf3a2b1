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
      'the newer format takes the stated reason and suggestion',
      'Verification failed:\n  Reason: unbounded memory access\n  At: 2\n  Suggestion: use a bounds check\n',
      /verifier: unbounded memory access; use a bounds check/,
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

  it('a poisoned CO-RE access names what is missing and how to guard it', () => {
    const log = '2: (85) call unknown#195896080\ninvalid func unknown#195896080\n';
    const error = verifierError({ ...base, log, poisons: [{ insn: 2, what: 'struct inode.i_gone' }] });
    expect(error.message).toMatch(
      /CO-RE: struct inode\.i_gone does not exist on this kernel at count\.bpf\.c:42; guard the access with bpf_core_field_exists\(\)/,
    );
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
