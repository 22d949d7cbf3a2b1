// Reads vitest's JSON reports.
import { existsSync, readFileSync } from 'node:fs';
import { isAbsolute, relative } from 'node:path';
import { root, tail } from './command.mjs';

/** The arguments that make vitest run one project and leave a report at `path`. */
export function vitest(project, path, ...more) {
  return [
    process.execPath,
    'node_modules/vitest/vitest.mjs',
    'run',
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${path}`,
    ...more,
  ];
}

/** What vitest prints of the failures: with differences, which its report does not have. */
function failures(output) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal sequences are made of them
  const plain = output.replace(/\u001b\[[\d;?]*[A-Za-z]/g, '');
  const start = plain.search(/^.*Failed (Tests|Suites) \d/m);
  const lines = (start === -1 ? plain : plain.slice(start)).trimEnd().split('\n');
  return lines.length > 400
    ? [...lines.slice(0, 400), `... ${lines.length - 400} more lines`].join('\n')
    : lines.join('\n');
}

const place = (file) => (isAbsolute(file) ? relative(root, file) : file);

/**
 * What a run of vitest came to. Whatever is not a passed or skipped test counts as failed: a file that does not load,
 * an error outside of any test, a run without a report.
 * @returns {{ passed: string[], skipped: string[], failed: { name: string, why: string }[], details?: string }}
 */
export function readReport(path, { status, output }) {
  if (!existsSync(path)) {
    return { passed: [], skipped: [], failed: [{ name: 'vitest left no report', why: tail(output) }] };
  }
  const report = JSON.parse(readFileSync(path, 'utf8'));
  const passed = [];
  const skipped = [];
  const failed = [];
  for (const file of report.testResults) {
    const name = place(file.name);
    for (const test of file.assertionResults) {
      const full = `${name} > ${test.fullName}`;
      if (test.status === 'passed') passed.push(full);
      else if (test.status === 'failed') failed.push({ name: full, why: '' });
      else skipped.push(full);
    }
    if (file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed')) {
      failed.push({ name, why: '' });
    }
  }
  if (status !== 0 && failed.length === 0) {
    failed.push({ name: `vitest ended with status ${status}`, why: tail(output) });
  }
  return { passed, skipped, failed, details: failed.length > 0 ? failures(output) : '' };
}
