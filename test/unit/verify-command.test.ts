import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Verdict, Verification } from '@bpfskel/runtime';
import { type FakeKernel, fakeKernel } from '@bpfskel/runtime/testing';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Expectations } from '../../generator/expectations.js';
import { Progress } from '../../generator/progress.js';
import { UsageError } from '../../generator/usage.js';
import { verdictLine } from '../../generator/verdict-line.js';
import { verdictTable } from '../../generator/verdict-table.js';
import { type VerifyArguments, verify } from '../../generator/verify.js';
import { hostile } from './hostile-names.js';

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const xdp = file('../../examples/xdp/xdp_kern.o');
const sections = file('../testdata/conformance/program_sections.o');

let kernel: FakeKernel;
let folder: string;
beforeEach(() => {
  kernel = fakeKernel();
});
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bpfskel-verify-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the command in the fake kernel: exit status and what it printed. */
async function run(objects: readonly string[], more: Partial<VerifyArguments> = {}) {
  const printed: string[] = [];
  const status = await verify(
    { objects, json: false, colour: false, ...more },
    { kernel, print: (text) => printed.push(text), progress: new Progress(undefined) },
  );
  return { status, stdout: printed.join('') };
}

function expectFile(text: string): string {
  const path = join(folder, 'expected');
  writeFileSync(path, text);
  return path;
}

const accepted: Verdict = {
  ...{ name: 'count', section: 'xdp', type: 6, attach: 37, err: 0, tag: '0123456789abcdef', insns: 12 },
  statistics: { processed: 34, totalStates: 5, peakStates: 4, time: 6, stack: '16+8' },
};
const refused: Verdict = {
  ...{ name: 'filter', section: 'socket', type: 1, attach: 0, err: -13, log: 'the log' },
  message: 'load program "filter": verifier: no\n  7 | x = *y;',
};
const verification: Verification = {
  ...{ object: 'a.o', open: 0, load: -13, programs: [accepted, refused] },
  maps: [{ name: 'events', type: 27, key: 0, value: 0, max: 4096, flags: 0 }],
};
const table = (given: Partial<Verification>, colour = false, expected = (_: string) => false) =>
  verdictTable({ ...verification, ...given }, { colour, expected });

describe('a line of JSON', () => {
  it('has the fields tools compare in their order, then what was measured', () => {
    expect(verdictLine(verification)).toBe(
      '{"object":"a.o","open":0,' +
        '"maps":[{"name":"events","type":27,"key":0,"value":0,"max":4096,"flags":0}],' +
        '"programs":[' +
        '{"name":"count","section":"xdp","type":6,"attach":37,"err":0,"tag":"0123456789abcdef","insns":12,' +
        '"statistics":{"processed":34,"totalStates":5,"peakStates":4,"time":6,"stack":"16+8"}},' +
        '{"name":"filter","section":"socket","type":1,"attach":0,"err":-13,' +
        '"message":"load program \\"filter\\": verifier: no\\n  7 | x = *y;"}' +
        '],"load":-13}',
    );
  });

  it('says of an object that cannot be opened only why', () => {
    const closed = { object: 'b.o', open: -22, message: 'no', maps: [], programs: [], load: -22 };
    expect(verdictLine(closed)).toBe('{"object":"b.o","open":-22,"message":"no"}');
  });

  it('survives every name, as text without controls', () => {
    fc.assert(
      fc.property(hostile, hostile, hostile, (object, name, section) => {
        const line = verdictLine({ ...verification, object, programs: [{ ...accepted, name, section }] });
        expect(line).not.toMatch(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u);
        expect(JSON.parse(line)).toMatchObject({ object, programs: [{ name, section }] });
      }),
    );
  });
});

describe('the table', () => {
  it('shows verdicts with the name of the errno, aligned, and why', () => {
    expect(table({})).toBe(
      [
        'a.o: 1 of 2 programs accepted; does not load as a whole (EACCES)',
        '  program  section  verdict         insns  processed  states  stack  tag',
        '  count    xdp      accepted           12         34       5  16+8   0123456789abcdef',
        '  filter   socket   refused EACCES',
        '',
        '  load program "filter": verifier: no',
        '    7 | x = *y;',
        '',
        '',
      ].join('\n'),
    );
  });

  it('does not explain what was expected', () => {
    const text = table({}, false, (program) => program === 'filter');
    expect(text).toContain('  refused EACCES, expected');
    expect(text).not.toContain('verifier');
  });

  it('has no column in which nothing stands', () => {
    expect(table({ programs: [refused] }).split('\n')[1]).toBe('  program  section  verdict');
  });

  it('gives one reason once', () => {
    const message = 'create map "m": no';
    const text = table({ programs: [1, 2, 3].map((n) => ({ ...refused, name: `p${n}`, message })) });
    expect(text.split(message)).toHaveLength(2);
  });

  it('says why the whole does not load where every program does', () => {
    expect(table({ programs: [accepted], message: 'fill map "m": no' })).toMatch(
      /\n\n {2}fill map "m": no\n/,
    );
  });

  it('of no programs is one line', () => {
    expect(table({ programs: [], load: 0 })).toBe('a.o: 0 of 0 programs accepted; loads as a whole\n\n');
  });

  it('of an object that cannot be opened is the reason', () => {
    expect(table({ open: -22, message: 'no ELF' })).toBe('a.o: no ELF\n');
  });

  it('aligns painted cells like bare ones', () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal sequences are made of them
    expect(table({}, true).replace(/\x1b\[\d+m/g, '')).toBe(table({}));
    expect(table({}, true)).toContain('\x1b[31mrefused EACCES\x1b[0m');
  });

  it('lets no name out of its cell', () => {
    fc.assert(
      fc.property(hostile, hostile, hostile, (object, name, section) => {
        const text = table({ object, programs: [{ ...accepted, name, section }, refused] });
        expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u);
        expect(text.split('\n')).toHaveLength(9);
      }),
    );
  });
});

describe('--expect', () => {
  it.each([
    ['the name of the object', 'a.o count\n', true],
    ['its path', 'build/a.o count', true],
    ['a remark behind', '  a.o\tcount  # needs 6.12\r\n', true],
    ['other programs around', '# known\n\na.o other\na.o count\n', true],
    ['another object', 'b.o count\n', false],
    ['another program', 'a.o counter\n', false],
    ['nothing', '', false],
  ])('with %s', (_, text, has) => {
    expect(Expectations.read(expectFile(text)).has('out/a.o', 'count')).toBe(has);
  });

  it('knows files with spaces and number signs', () => {
    const expected = Expectations.read(expectFile('my a.o count\nissue#7.o count\n'));
    expect([expected.has('my a.o', 'count'), expected.has('issue#7.o', 'count')]).toEqual([true, true]);
  });

  it('refuses a line that is no pair, and says which', () => {
    const path = expectFile('a.o count\nalone\n');
    expect(() => Expectations.read(path)).toThrow(UsageError);
    expect(() => Expectations.read(path)).toThrow('line 2: "alone" is not an object file and a program');
  });

  it('refuses a file that is not there in a sentence', () => {
    expect(() => Expectations.read('/none')).toThrow('verify --expect /none: no such file or folder');
  });
});

describe('the exit status of verify is', () => {
  it('0 when everything is accepted', async () => {
    expect(await run([xdp])).toMatchObject({ status: 0 });
  });

  it('1 when a program is refused', async () => {
    kernel.rejectProgram('count_packets', 'no\n');
    expect(await run([xdp])).toMatchObject({ status: 1 });
  });

  it('0 when it is refused as expected, and 1 when another one is', async () => {
    const expect_ = expectFile('program_sections.o optional\n');
    kernel.rejectProgram('optional', 'no\n');
    expect(await run([sections], { expect: expect_ })).toMatchObject({ status: 0 });
    kernel.rejectProgram('second', 'no\n');
    expect(await run([sections], { expect: expect_ })).toMatchObject({ status: 1 });
  });

  it('0 when a program is accepted that need not be', async () => {
    expect(await run([xdp], { expect: expectFile('xdp_kern.o count_packets') })).toMatchObject({ status: 0 });
  });

  it('1 when an object cannot be opened, after the others are done', async () => {
    const { status, stdout } = await run(['/none.o', xdp], { json: true });
    const lines = stdout.trimEnd().split('\n');
    expect([status, lines.length]).toEqual([1, 2]);
    expect(lines.map((line) => JSON.parse(line).open)).toEqual([-2, 0]);
  });
});

describe('verify', () => {
  it('sums up several objects', async () => {
    const { stdout } = await run([xdp, sections, '/none.o']);
    expect(stdout).toMatch(/\n3 objects, 1 cannot be opened: 5 of 5 programs accepted\n$/);
  });

  it('names the object when the kernel is not to be had', async () => {
    await expect(run([xdp], { btf: '/none.btf' })).rejects.toThrow(
      `verify ${xdp}: read the types of the kernel from /none.btf: there is no such file`,
    );
  });
});

describe('progress', () => {
  beforeEach(() => void vi.useFakeTimers());

  it('says nothing of what is quick, nor when nobody watches', () => {
    const written: string[] = [];
    const progress = new Progress((text) => written.push(text));
    progress.show('1/9');
    progress.clear();
    const silent = new Progress(undefined);
    vi.advanceTimersByTime(1000);
    silent.show('2/9');
    silent.clear();
    expect(written).toEqual([]);
  });

  it('draws over one line, no longer than it, and takes it away', () => {
    const written: string[] = [];
    const progress = new Progress((text) => written.push(text), 10);
    vi.advanceTimersByTime(1000);
    progress.show('123456789\x1b[2J');
    progress.clear();
    progress.clear();
    expect(written).toEqual(['\r\x1b[K12345678…', '\r\x1b[K']);
  });

  afterAll(() => void vi.useRealTimers());
});
