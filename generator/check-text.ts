import { basename } from 'node:path';
import { printable } from '@bpfskel/runtime/inspect';
import { changeText } from './api-diff.js';
import type { Verdict } from './check.js';
import { version } from './version.js';

/** A verdict for people: one line when all is well, else every difference and what to do. */
export function checkText(verdict: Verdict): string {
  const skeleton = printable(verdict.skeleton);
  if (verdict.fresh) {
    const note = verdict.writtenBy === version ? '' : `, written by bpfskel ${printable(verdict.writtenBy)}`;
    return `${skeleton}: fresh${note}${absent(verdict)}\n`;
  }
  return [
    `${skeleton}: stale: ${reason(verdict)}`,
    ...verdict.changes.map((change) => `  ${printable(changeText(change), 1000)}`),
    ...notes(verdict).map((note) => `  ${note}`),
    verdict.misfits.length > 0
      ? 'generate it again, with options that fit'
      : `generate it again: ${verdict.command}`,
    '',
  ].join('\n');
}

/** A verdict as one JSON object. */
export function checkJson(verdict: Verdict): string {
  const { changes, ...rest } = verdict;
  const breaking = changes.some((change) => change.breaking);
  return `${JSON.stringify({ ...rest, breaking, changes }, null, 2)}\n`;
}

function reason({ objects, changes, sameObject, edited, reads }: Verdict): string {
  const name = objects.map((object) => printable(object)).join(' and ');
  const breaking = changes.filter((change) => change.breaking).length;
  if (changes.length > 0) {
    const count = changes.length === 1 ? '1 change' : `${changes.length} changes`;
    return `${name} generates another API, ${count}, ${breaking === 0 ? 'none' : breaking} breaking`;
  }
  if (sameObject === false) {
    const held = reads.length === 0 ? 'in it' : `it reads, ${readsText(reads)},`;
    return `same API, but the object ${held} is not ${name}`;
  }
  if (edited) return 'same API and object, but the file is not as bpfskel wrote it';
  return 'same API and object, in other words than this bpfskel writes';
}

function notes({ edited, source, objects, changes, sameObject, misfits }: Verdict): string[] {
  const name = objects.map((object) => basename(object)).join(' and ');
  const told = changes.length === 0 && sameObject !== false;
  return [
    ...misfits.map(({ option, why }) => printable(`${option.join(' ')} fits no more: ${why}`, 1000)),
    ...(edited && !told ? ['the file was changed since bpfskel wrote it'] : []),
    ...(!objects.includes('-') && source !== name ? [`it was generated from ${printable(source)}`] : []),
  ];
}

/** What cannot be told of a skeleton that reads its object from a file. */
function absent({ sameObject, reads }: Verdict): string {
  return sameObject === undefined && reads.length > 0
    ? `; the object it reads, ${readsText(reads)}, is not there`
    : '';
}

function readsText(reads: readonly string[]): string {
  return reads.map((path) => printable(path)).join(' and ');
}
