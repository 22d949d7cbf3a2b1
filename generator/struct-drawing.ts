import { printable } from '@bpfskel/runtime/inspect';
import type { TypeInspection } from './inspection.js';

type Field = NonNullable<TypeInspection['fields']>[number];

const ROW = 8;
const CELL = 6;
const LARGEST_DRAWN = 128;

/**
 * A struct as lines: a table of its members, holes included, and for small structs without unions a picture of their
 * bytes, eight a row.
 */
export function drawStruct(type: TypeInspection): string[] {
  const fields = type.fields ?? [];
  const overlapping = fields.some((field) => field.overlaps);
  const table = overlapping ? fields.map(memberLine) : withHoles(type, fields);
  const drawn = !overlapping && type.size > 0 && type.size <= LARGEST_DRAWN && fields.length > 0;
  const header = ` offset   size  member`;
  return [header, ...table, ...(drawn ? picture(type.size, fields) : [])];
}

function memberLine({ bitOffset, bitSize, bitfield, declaration, overlaps }: Field): string {
  const offset = bitfield ? `${bitOffset >> 3}:${bitOffset & 7}` : String(bitOffset >> 3);
  const size = bitfield ? `${bitSize}b` : String(bitSize >> 3);
  const text = bitfield ? `${printable(declaration)} : ${bitSize}` : printable(declaration);
  return `${offset.padStart(7)}${size.padStart(7)}  ${overlaps ? '| ' : ''}${text}`;
}

function withHoles(type: TypeInspection, fields: readonly Field[]): string[] {
  const lines: string[] = [];
  let end = 0;
  const hole = (next: number): void => {
    const bits = next - end;
    if (bits <= 0) return;
    const where = end % 8 === 0 ? String(end >> 3) : `${end >> 3}:${end & 7}`;
    const size = bits % 8 === 0 ? String(bits >> 3) : `${bits}b`;
    lines.push(`${where.padStart(7)}${size.padStart(7)}  (padding)`);
  };
  for (const field of [...fields].sort((a, b) => a.bitOffset - b.bitOffset)) {
    hole(field.bitOffset);
    lines.push(memberLine(field));
    end = Math.max(end, field.bitOffset + field.bitSize);
  }
  hole(type.size * 8);
  return lines;
}

interface Span {
  readonly start: number;
  end: number;
  label: string;
}

/** What lies in which bytes: members, runs of bitfields that share bytes, padding. */
function spans(size: number, fields: readonly Field[]): Span[] {
  const found: Span[] = [];
  for (const { bitOffset, bitSize, bitfield, name } of [...fields].sort(
    (a, b) => a.bitOffset - b.bitOffset,
  )) {
    if (bitSize === 0) continue;
    const start = bitOffset >> 3;
    const end = (bitOffset + bitSize + 7) >> 3;
    const label = bitfield ? `${printable(name, 20)}:${bitSize}` : printable(name, 20);
    const last = found.at(-1);
    if (last !== undefined && start < last.end) {
      last.end = Math.max(last.end, end);
      last.label += ` ${label}`;
      continue;
    }
    if (start > (last?.end ?? 0)) found.push({ start: last?.end ?? 0, end: start, label: '·' });
    found.push({ start, end, label });
  }
  const end = found.at(-1)?.end ?? 0;
  if (end < size) found.push({ start: end, end: size, label: '·' });
  return found;
}

function picture(size: number, fields: readonly Field[]): string[] {
  const all = spans(size, fields);
  const lines = [
    `${' '.repeat(6)}${Array.from({ length: ROW }, (_, byte) => `+${byte}`.padEnd(CELL)).join('')}`.trimEnd(),
  ];
  let skipped = false;
  for (let row = 0; row < size; row += ROW) {
    const whole = all.find((span) => span.start < row && span.end > row + ROW);
    // The middle of a long member says nothing new.
    if (whole !== undefined) {
      if (!skipped) lines.push('     ⋮');
      skipped = true;
      continue;
    }
    skipped = false;
    const cells = all
      .filter((span) => span.start < row + ROW && span.end > row)
      .map((span) => {
        const width = (Math.min(span.end, row + ROW) - Math.max(span.start, row)) * CELL - 1;
        const label = span.label === '·' ? '·'.repeat(width) : span.label;
        return (label.length > width ? `${label.slice(0, width - 1)}…` : label).padEnd(width);
      });
    lines.push(`${String(row).padStart(4)} |${cells.join('|')}|`);
  }
  return lines;
}
