import { printable } from '@bpfskel/runtime/inspect';
import type {
  Inspection,
  MapInspection,
  ProgramInspection,
  SectionInspection,
  TypeInspection,
} from './inspection.js';
import { drawStruct } from './struct-drawing.js';

/** How headings look: plain, or bold on a terminal. */
export type Heading = (text: string) => string;

/** An inspection for people. Every name of the object is made safe to print. */
export function inspectionText(object: string, inspection: Inspection, heading: Heading): string {
  const { byteOrder, architecture, license, btf, relocations, externs, warnings } = inspection;
  const facts = [
    `${byteOrder}-endian`,
    ...(architecture === undefined ? [] : [`registers of ${architecture}`]),
    license ? `licence ${printable(license)}` : 'no licence',
    btf ? 'BTF' : 'no BTF',
  ];
  const blocks = [
    [`${heading(printable(object))}: BPF object, ${facts.join(', ')}`],
    block(
      heading('maps'),
      inspection.maps.flatMap((map) => mapLines(map, '')),
    ),
    block(heading('programs'), table(inspection.programs.map(programCells))),
    block(heading('globals'), inspection.sections.flatMap(sectionLines)),
    ...inspection.types.map((type, index) => [
      ...(index === 0 ? [heading('types')] : []),
      ...typeLines(type),
    ]),
    block(
      heading('CO-RE relocations'),
      table(
        relocations.map(({ program, instruction, kind, target }) => [
          printable(program),
          `insn ${instruction}`,
          `${kind} ${target}`,
        ]),
      ),
    ),
    block(
      heading('externs'),
      table(
        externs.map(({ name, kind, type, weak }) => [
          printable(name),
          weak ? `${kind}, weak` : kind,
          printable(type),
        ]),
      ),
    ),
    block(
      heading('warnings'),
      warnings.map((warning) => printable(warning, 1000)),
    ),
  ];
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.map((line) => line.trimEnd()).join('\n'))
    .join('\n\n')}\n`;
}

function block(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`)];
}

/** Cells in columns; the last may be as long as it likes. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.slice(0, -1).entries()) {
      widths[column] = Math.max(widths[column] ?? 0, Math.min(cell.length, 40));
    }
  }
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
}

function mapLines(map: MapInspection, indent: string): string[] {
  const side = ({ size, type }: MapInspection['key']) =>
    type === undefined ? `${size} bytes` : `${printable(type)} (${size} ${size === 1 ? 'byte' : 'bytes'})`;
  const types = map.key.size + map.value.size === 0 ? '' : `, ${side(map.key)} to ${side(map.value)}`;
  const flags = map.flags === 0 ? '' : `, flags 0x${map.flags.toString(16)}`;
  const pin = map.pinByName ? ', pinned by name' : '';
  const line = `${indent}${printable(map.name)}: ${map.type}, ${map.maxEntries} entries${types}${flags}${pin}`;
  return map.inner === undefined ? [line] : [line, ...mapLines(map.inner, `${indent}  holds `)];
}

function programCells(program: ProgramInspection): string[] {
  const type = program.type?.toLowerCase() ?? 'unknown section';
  const notes = [
    `${type}${program.target === '' ? '' : ` on ${printable(program.target)}`}`,
    `${program.instructions} instructions`,
    ...(program.autoload ? [] : ['not loaded unless asked']),
  ];
  return [printable(program.name), `SEC("${printable(program.section)}")`, notes.join(', ')];
}

function sectionLines(section: SectionInspection): string[] {
  const rows = section.variables.map((variable) => [
    String(variable.offset).padStart(6),
    String(variable.size).padStart(6),
    printable(variable.declaration) + (variable.static ? '  (static: not in skeletons)' : ''),
  ]);
  const title = `${printable(section.name)}, ${section.size} bytes, in skeletons: ${section.property}`;
  return [
    title,
    ...(rows.length === 0 ? [] : table([['offset', '  size', 'variable'], ...rows]).map((row) => `  ${row}`)),
  ];
}

function typeLines(type: TypeInspection): string[] {
  const title = `  ${printable(type.name)}, ${type.size} ${type.size === 1 ? 'byte' : 'bytes'}`;
  if (type.values !== undefined) {
    return [
      title,
      ...table(type.values.map(({ name, value }) => [printable(name), `= ${value}`])).map(
        (row) => `    ${row}`,
      ),
    ];
  }
  return [title, ...drawStruct(type).map((line) => `    ${line}`)];
}
