import { fileURLToPath } from 'node:url';
import { Project, ts } from 'ts-morph';
import { describe, expect, it } from 'vitest';

// What an editor shows above a variable: the C type's name, not the machinery that makes it live.

const project = new Project({ tsConfigFilePath: fileURLToPath(new URL('tsconfig.json', import.meta.url)) });
const source = `
import { live_globals } from '../golden/live_globals/expected.skel.ts';
const open = live_globals.open();
const skel = open.load();
open.rodata.config; open.data_samples.samples; open.bss.enabled;
skel.rodata.config; skel.rodata.config.ports; skel.data; skel.rodata; skel.bss.stats; skel.bss.counts; skel.bss.mode; skel.bss.stats.best;
`;
const file = project.createSourceFile(fileURLToPath(new URL('hover.ts', import.meta.url)), source);

function hover(expression: string): string {
  const node = file.getStatements().flatMap((statement) => statement.getText().split(/(?<=;) /));
  const at = source.indexOf(`${expression};`) + expression.length - 1;
  expect(node).toContain(`${expression};`);
  const service = project.getLanguageService().compilerObject;
  return ts.displayPartsToString(service.getQuickInfoAtPosition(file.getFilePath(), at)?.displayParts);
}

describe('hovering over a variable shows', () => {
  it.each([
    ['open.rodata.config', '(property) config: RodataConfig'],
    ['open.data_samples.samples', '(property) samples: bigint[]'],
    ['open.bss.enabled', '(property) enabled: boolean'],
    ['skel.bss.stats', '(property) stats: Stats'],
    ['skel.bss.stats.best', '(property) Stats.best: Inner'],
    ['skel.bss.counts', '(property) counts: bigint[]'],
    ['skel.bss.mode', '(property) mode: Mode'],
    ['skel.data', '(property) data: {\n    weights: number[];\n    note: Note;\n    words: Words;\n}'],
    ['skel.rodata', '(property) rodata: {\n    readonly config: Frozen<RodataConfig>;\n}'],
    ['skel.rodata.config', '(property) config: Frozen<RodataConfig>'],
    ['skel.rodata.config.ports', '(property) ports: readonly number[]'],
  ])('of %s: %s', (expression, shown) => expect(hover(expression)).toBe(shown));
});
