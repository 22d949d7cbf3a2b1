import type { Verdict, Verification } from '@bpfskel/runtime';
import { errnoName, printable } from '@bpfskel/runtime/inspect';

const styles = { bold: 1, red: 31, green: 32, yellow: 33 } as const;
type Style = keyof typeof styles;

/** How a table is drawn. */
export interface TableOptions {
  readonly colour: boolean;
  /** Whether this program may be refused: it is then not explained. */
  readonly expected: (program: string) => boolean;
}

interface Column {
  readonly title: string;
  readonly number?: boolean;
  readonly cell: (verdict: Verdict) => string;
}

/** The verdicts on one object's programs as a table, then why the refused ones were refused. */
export function verdictTable(verification: Verification, { colour, expected }: TableOptions): string {
  const { object, open, message, programs } = verification;
  const name = printable(object);
  if (open !== 0) return `${name}: ${message ?? 'cannot be opened'}\n`;
  const paint = (style: Style, text: string) => (colour ? `\x1b[${styles[style]}m${text}\x1b[0m` : text);
  return [
    `${paint('bold', name)}: ${headline(verification)}`,
    ...rows(programs, expected, paint),
    ...reasons(verification, expected).flatMap((why) => ['', indent(why)]),
    '\n',
  ].join('\n');
}

/** What all objects came to, for the end of several tables. */
export function summaryLine(verifications: readonly Verification[]): string {
  const programs = verifications.flatMap((verification) => verification.programs);
  const closed = verifications.filter(({ open }) => open !== 0).length;
  const accepted = programs.filter(({ err }) => err === 0).length;
  const unopened = closed > 0 ? `, ${closed} cannot be opened` : '';
  return `${verifications.length} objects${unopened}: ${accepted} of ${programs.length} programs accepted\n`;
}

function headline({ programs, load }: Verification): string {
  const accepted = programs.filter(({ err }) => err === 0).length;
  const whole = load === 0 ? 'loads as a whole' : `does not load as a whole (${errnoName(-load)})`;
  return `${accepted} of ${programs.length} programs accepted; ${whole}`;
}

function columns(expected: TableOptions['expected']): readonly Column[] {
  const number = (value: number | undefined) => (value === undefined ? '' : String(value));
  return [
    { title: 'program', cell: ({ name }) => printable(name, 60) },
    { title: 'section', cell: ({ section }) => printable(section, 60) },
    { title: 'verdict', cell: (verdict) => judgement(verdict, expected) },
    { title: 'insns', number: true, cell: ({ insns }) => number(insns) },
    { title: 'processed', number: true, cell: ({ statistics }) => number(statistics?.processed) },
    { title: 'states', number: true, cell: ({ statistics }) => number(statistics?.totalStates) },
    { title: 'stack', cell: ({ statistics }) => statistics?.stack ?? '' },
    { title: 'tag', cell: ({ tag }) => tag ?? '' },
  ];
}

function judgement({ err, name }: Verdict, expected: TableOptions['expected']): string {
  if (err === 0) return 'accepted';
  return `refused ${errnoName(-err)}${expected(name) ? ', expected' : ''}`;
}

function rows(
  programs: readonly Verdict[],
  expected: TableOptions['expected'],
  paint: (style: Style, text: string) => string,
): string[] {
  if (programs.length === 0) return [];
  const drawn = columns(expected).flatMap(({ title, number = false, cell }) => {
    const cells = programs.map(cell);
    // A kernel that counts nothing, programs that were all refused: no column for that.
    if (cells.every((text) => text === '')) return [];
    const width = Math.max(title.length, ...cells.map(widthOf));
    return [{ title, cells, pad: (text: string) => padded(text, width, number) }];
  });
  const head = drawn.map(({ title, pad }) => pad(title)).join('  ');
  const body = programs.map(({ err, name }, row) => {
    const style = err === 0 ? 'green' : expected(name) ? 'yellow' : 'red';
    const line = drawn.map(({ title, cells, pad }) => {
      const text = pad(cells[row] ?? '');
      return title === 'verdict' ? paint(style, text) : text;
    });
    return line.join('  ');
  });
  return [head, ...body].map((line) => `  ${line}`.trimEnd());
}

function padded(text: string, width: number, number: boolean): string {
  const space = ' '.repeat(Math.max(0, width - widthOf(text)));
  return number ? space + text : text + space;
}

/** Characters, not UTF-16 units. */
function widthOf(text: string): number {
  return [...text].length;
}

/** Each reason once: what is wrong with a map keeps every program out. */
function reasons({ programs, message }: Verification, expected: TableOptions['expected']): string[] {
  const refused = programs.filter(({ err, name }) => err !== 0 && !expected(name));
  const said = refused.flatMap((verdict) => verdict.message ?? []);
  // Where each program is accepted alone, something else keeps the whole from loading.
  const whole = programs.every(({ err }) => err === 0) && message !== undefined ? [message] : [];
  return [...new Set([...said, ...whole])];
}

function indent(text: string): string {
  return text
    .split('\n')
    .map((line) => `  ${line}`.trimEnd())
    .join('\n');
}
