// Runs one command of a phase: output kept, a progress line where someone is watching.
import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

const watching = process.stderr.isTTY === true;
/** What runs now: label -> { start, line }. Phases may run side by side; they share one line. */
const running = new Map();

function draw() {
  const now = Date.now();
  const parts = [...running].map(
    ([label, { start, line }]) => `${label} ${Math.round((now - start) / 1000)} s${line ? ` ${line}` : ''}`,
  );
  const text = parts.join(' | ').slice(0, (process.stderr.columns ?? 80) - 1);
  process.stderr.write(`\r\u001b[K${text}`);
}

/** Removes the progress line, before something that stays is printed. */
export function clearProgress() {
  if (watching && running.size > 0) process.stderr.write('\r\u001b[K');
}

/** The last line of output that says something, without colours. */
function lastLine(text) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal sequences are made of them
  const plain = text.replace(/\u001b\[[\d;?]*[A-Za-z]/g, '');
  return (
    plain
      .split(/[\r\n]+/)
      .findLast((line) => line.trim() !== '')
      ?.trim() ?? ''
  );
}

/**
 * Runs `command` without input and waits for it.
 * @param {string} label name on the progress line
 * @param {string[]} command program and arguments
 * @param {{ env?: Record<string, string>, cwd?: string, log?: string }} [options] `log`: a file that grows with the output
 * @returns {Promise<{ status: number, output: string, seconds: number }>} 127 when there is no such program
 */
export async function run(label, [program, ...args], { env = {}, cwd = root, log } = {}) {
  const start = Date.now();
  const state = { start, line: '' };
  running.set(label, state);
  const ticker = watching ? setInterval(draw, 500) : undefined;
  const pieces = [];
  const status = await new Promise((done) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const keep = (chunk) => {
      pieces.push(chunk);
      if (log !== undefined) appendFileSync(log, chunk);
      state.line = lastLine(chunk.toString()) || state.line;
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => {
      pieces.push(Buffer.from(`${program}: ${error.message}\n`));
      done(127);
    });
    child.on('close', (code, signal) => done(code ?? 128 + (constants.signals[signal] ?? 0)));
  });
  clearInterval(ticker);
  clearProgress();
  running.delete(label);
  return { status, output: Buffer.concat(pieces).toString(), seconds: (Date.now() - start) / 1000 };
}

/** Prints a line that stays. */
export function say(text = '') {
  clearProgress();
  console.log(text);
}

// Skeletons have lines of many thousand characters.
const WIDTH = 400;

/** The last `count` lines, indented, each as far as a reader follows. */
export function tail(output, count = 30) {
  return output
    .trimEnd()
    .split('\n')
    .slice(-count)
    .map((line) => `    ${line.length > WIDTH ? `${line.slice(0, WIDTH)}…` : line}`)
    .join('\n');
}
