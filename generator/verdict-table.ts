import type { Verdict, Verification } from '@bpfskel/runtime';
import { printable } from '@bpfskel/runtime/inspect';

type Row = readonly string[];

const head: Row = ['program', 'section', 'verdict', 'insns', 'processed', 'states', 'stack', 'tag'];
const styles = { bold: 1, red: 31, green: 32 } as const;
const numeric = new Set(['insns', 'processed', 'states']);

/** The verdicts on one object's programs as a table, then why the refused ones were refused. */
export function verdictTable(
  { object, open, message, programs, load }: Verification,
  colour: boolean,
): string {
  const name = printable(object);
  if (open !== 0) return `${name}: ${message ?? 'cannot be opened'}\n`;
  const paint = (style: keyof typeof styles, text: string) =>
    colour ? `\x1b[${styles[style]}m${text}\x1b[0m` : text;
  const rows = programs.map(cells);
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (row: Row) =>
    row.map((cell, i) =>
      numeric.has(head[i] ?? '') ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0),
    );
  const body = rows.map((row, i) => {
    const padded = line(row);
    padded[2] = paint(programs[i]?.err === 0 ? 'green' : 'red', padded[2] ?? '');
    return `  ${padded.join('  ')}`.trimEnd();
  });
  const accepted = programs.filter(({ err }) => err === 0).length;
  const whole = load === 0 ? 'loads as a whole' : 'does not load as a whole';
  return [
    `${paint('bold', name)}: ${accepted} of ${programs.length} programs accepted; ${whole}`,
    ...(programs.length > 0 ? [`  ${line(head).join('  ')}`.trimEnd(), ...body] : []),
    ...programs.flatMap(({ message: why }) => (why === undefined ? [] : ['', indent(why)])),
    '',
  ]
    .join('\n')
    .concat('\n');
}

function cells({ name, section, err, insns, statistics, tag }: Verdict): Row {
  const number = (value: number | undefined) => (value === undefined ? '' : String(value));
  return [
    printable(name, 60),
    printable(section, 60),
    err === 0 ? 'accepted' : 'refused',
    number(insns),
    number(statistics?.processed),
    number(statistics?.totalStates),
    statistics?.stack ?? '',
    tag ?? '',
  ];
}

function indent(text: string): string {
  return text
    .split('\n')
    .map((line) => `  ${line}`.trimEnd())
    .join('\n');
}
