import type { Kernel, Verification } from '@bpfskel/runtime';
import { Expectations } from './expectations.js';
import { writeAll } from './files.js';
import { Progress } from './progress.js';
import { within } from './report.js';
import { verdictLine } from './verdict-line.js';
import { summaryLine, verdictTable } from './verdict-table.js';

/** What `bpfskel verify` was asked. */
export interface VerifyArguments {
  readonly objects: readonly string[];
  readonly btf?: string | undefined;
  /** File of programs that may be refused: `OBJECT PROGRAM` a line. */
  readonly expect?: string | undefined;
  readonly json: boolean;
  readonly colour: boolean;
}

/** Where it happens: by default this kernel and the process's own output. */
export interface VerifyHost {
  readonly kernel?: Kernel;
  readonly print: (text: string) => unknown;
  readonly progress: Progress;
}

/**
 * Loads each program of each object alone and prints the verdicts. The answer is the exit status: 1 when a program is
 * refused that was not expected to be, or an object cannot be opened.
 */
export async function verify(
  { objects, btf, expect, json, colour }: VerifyArguments,
  { kernel, print, progress }: VerifyHost = processHost(),
): Promise<number> {
  const expectations = expect === undefined ? Expectations.none() : Expectations.read(expect);
  // The loader brings koffi with it, which nothing else here needs.
  const { verifyObject } = await import('@bpfskel/runtime');
  const seen: Verification[] = [];
  for (const [at, path] of objects.entries()) {
    const expected = (program: string) => expectations.has(path, program);
    const onProgram = (name: string, index: number, count: number) =>
      progress.show(`${at + 1}/${objects.length} ${path}: ${index + 1}/${count} ${name}`);
    const verification = within(`verify ${path}`, () =>
      verifyObject(path, {
        onProgram,
        ...(kernel === undefined ? {} : { kernel }),
        ...(btf === undefined ? {} : { kernelBtf: btf }),
      }),
    );
    seen.push(verification);
    progress.clear();
    print(json ? `${verdictLine(verification)}\n` : verdictTable(verification, { colour, expected }));
  }
  const wrong = seen.filter(({ object, open, programs }) =>
    open !== 0 ? true : programs.some(({ err, name }) => err !== 0 && !expectations.has(object, name)),
  );
  if (!json && objects.length > 1) print(summaryLine(seen));
  return wrong.length > 0 ? 1 : 0;
}

function processHost(): VerifyHost {
  const { isTTY, columns } = process.stderr;
  return {
    print: (text) => writeAll(1, text),
    progress: new Progress(isTTY ? (text) => writeAll(2, text) : undefined, columns),
  };
}
