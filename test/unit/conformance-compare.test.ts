import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

// A script for plain node, which has no types.
const { compare, knownDifferences, parseRows, share } = await import(
  new URL('../conformance/compare.mjs', import.meta.url).href
);

const map = { name: 'm', type: 1, key: 4, value: 8, max: 16, flags: 0 };
const program = { name: 'p', section: 'xdp', type: 6, attach: 37, err: 0, tag: 'aa' };
const row = { object: '/somewhere/x.o', open: 0, maps: [map], programs: [program], load: 0 };
const differences = (reference: object[], own: object[]): string[] =>
  compare(reference, own).differences.map(
    ({ object, what, text }: Record<string, string>) => `${object} ${what}: ${text}`,
  );

describe('comparing results', () => {
  it('finds none where there is none, wherever the objects lie', () => {
    const {
      differences: none,
      otherErrnos: _,
      ...counts
    } = compare([row], [{ ...row, object: '/else/x.o' }]);
    const one = { same: 1, of: 1 };
    expect([none, counts]).toEqual([[], { open: one, maps: one, programs: one, errno: { same: 0, of: 0 } }]);
  });

  it.each([
    [
      'another tag',
      { programs: [{ ...program, tag: 'bb' }] },
      'x.o p: SEC("xdp") has tag bb, with libbpf aa',
    ],
    [
      'another verdict',
      { programs: [{ ...program, err: -13, message: 'no\nlog' }] },
      'x.o p: SEC("xdp") is refused (-13), with libbpf it loads: no',
    ],
    ['a missing program', { programs: [] }, 'x.o p: SEC("xdp") missing'],
    ['a missing map', { maps: [] }, 'x.o map m: missing'],
    ['another map', { maps: [{ ...map, max: 17 }] }, 'x.o map m: max 17, with libbpf 16'],
    [
      'an object that is not opened',
      { open: -22, message: 'bad' },
      'x.o open: is not opened (-22), with libbpf opens: bad',
    ],
  ])('finds %s', (_, own, text) => {
    expect(differences([row], [{ ...row, ...own }])).toEqual([text]);
  });

  it('finds an object without result, and counts what it has', () => {
    expect(differences([row], [])).toEqual(['x.o open: no result']);
    expect(compare([row], []).programs).toEqual({ same: 0, of: 1 });
  });

  it('takes any two errnos for the same verdict, and counts the equal ones', () => {
    const refused = (err: number) => ({ ...row, programs: [{ ...program, err, tag: undefined }] });
    const result = compare([refused(-22)], [refused(-13)]);
    expect([result.differences, result.otherErrnos, result.programs, result.errno]).toEqual([
      [],
      [{ object: 'x.o', what: 'p', text: '-13, with libbpf -22' }],
      { same: 1, of: 1 },
      { same: 0, of: 1 },
    ]);
  });

  it('leaves out what libbpf does not survive', () => {
    expect(compare([{ object: 'x.o', signal: 11 }], []).open).toEqual({ same: 0, of: 0 });
  });

  it('never rounds up to 100 %', () => {
    expect([share({ same: 99_999, of: 100_000 }), share({ same: 2, of: 2 })]).toEqual([
      '99999/100000 (99.99 %)',
      '2/2 (100.00 %)',
    ]);
  });

  it('reads rows among other output', () => {
    expect(parseRows('warning\n{"object":"a.o"}\n\n{"object":"b.o"}\n')).toEqual([
      { object: 'a.o' },
      { object: 'b.o' },
    ]);
  });
});

describe('known differences', () => {
  const table =
    '| kernel | object | what | cause |\n| --- | --- | --- | --- |\n| 6.1 | `x.o` | `p` | too old |\n';
  it.each([
    ['6.1', 'p', 'too old'],
    ['6.12', 'p', undefined],
    ['6.1', 'map p', undefined],
  ])('of %s say of %j: %s', (kernel, what, cause) => {
    expect(knownDifferences(table, kernel)({ object: 'x.o', what, text: '' })).toBe(cause);
  });

  it('of any kernel count for each', () => {
    const all = table.replace('6.1', 'all');
    expect(knownDifferences(all, 'host')({ object: 'x.o', what: 'p', text: '' })).toBe('too old');
  });

  it('lie in conformance.md, each with a cause', () => {
    const text = readFileSync(new URL('../conformance.md', import.meta.url), 'utf8');
    const rows = text.match(/^\| (host|6\.\d+|all) \|.*$/gm) ?? [];
    for (const line of rows) expect(line).toMatch(/^\| \S+ \| `\S+\.o` \| `[^`]+` \| .{10,} \|$/);
  });
});
