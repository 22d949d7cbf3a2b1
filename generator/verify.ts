import { basename } from 'node:path';
import type { Verdict, Verification } from '@bpfskel/runtime';
import { readInput, writeAll } from './files.js';
import { within } from './report.js';
import { UsageError } from './usage.js';
import { verdictTable } from './verdict-table.js';

/** What `bpfskel verify` was asked. */
export interface VerifyArguments {
  readonly objects: readonly string[];
  readonly btf?: string | undefined;
  /** File of programs that are known to fail: `OBJECT PROGRAM` a line. */
  readonly expect?: string | undefined;
  readonly json: boolean;
  readonly colour: boolean;
}

/**
 * Loads each program of each object alone and prints the verdicts. The answer is the exit status: 1 when a program is
 * refused that was not expected to be, or an object cannot be opened.
 */
export async function verify({ objects, btf, expect, json, colour }: VerifyArguments): Promise<number> {
  const expected = expect === undefined ? new Set<string>() : readExpected(expect);
  // The loader brings koffi with it, which nothing else here needs.
  const { verifyObject } = await import('@bpfskel/runtime');
  let failed = 0;
  for (const path of objects) {
    const verification = verifyObject(path, btf === undefined ? {} : { kernelBtf: btf });
    writeAll(1, json ? `${jsonLine(verification)}\n` : verdictTable(verification, colour));
    failed += unexpected(verification, expected, path);
  }
  return failed > 0 ? 1 : 0;
}

function unexpected({ open, programs }: Verification, expected: ReadonlySet<string>, path: string): number {
  if (open !== 0) return 1;
  return programs.filter(({ err, name }) => err !== 0 && !expected.has(`${basename(path)} ${name}`)).length;
}

/** One object a line; only what tools compare, in a fixed order. */
function jsonLine({ object, open, message, maps, programs, load }: Verification): string {
  if (open !== 0) return JSON.stringify({ object, open, message });
  return JSON.stringify({ object, open, maps, programs: programs.map(jsonVerdict), load });
}

function jsonVerdict({ log: _log, ...verdict }: Verdict): Omit<Verdict, 'log'> {
  return verdict;
}

/** Lines `OBJECT PROGRAM`, with `#` before remarks. */
function readExpected(path: string): Set<string> {
  const text = within(`verify --expect ${path}`, () => new TextDecoder().decode(readInput(path)));
  const lines = text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '');
  const bad = lines.find((line) => !/^\S+\s+\S+$/.test(line));
  if (bad !== undefined) {
    throw new UsageError(`--expect: ${JSON.stringify(bad)} in ${path} is not an object file and a program`);
  }
  return new Set(lines.map((line) => line.replace(/\s+/, ' ')));
}
