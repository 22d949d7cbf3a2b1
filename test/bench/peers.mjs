// The two sides of the benchmark as child processes that take samples when asked.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { find } from '../run/host.mjs';

/** Both sides run before everything else on the machine: other work then hardly shows in the figures. */
const chrt = find('chrt');
const first = chrt === undefined ? [] : [chrt, '-f', '1'];
export const atOnce = chrt !== undefined;

/** A child process that answers each line with a sample. */
export class Peer {
  #child;
  #lines;
  #errors = '';

  /** @param {string[]} command */
  constructor(command) {
    const [program, ...args] = [...first, ...command];
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stderr.on('data', (chunk) => {
      this.#errors += chunk;
    });
    this.#child.on('error', (error) => {
      this.#errors += error.message;
    });
    this.#child.stdin.on('error', (error) => {
      this.#errors += error.message;
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /**
   * Takes one sample.
   * @returns {Promise<{ wall: number, cpu: number, count: number }>} nanoseconds, and how many operations took them
   */
  async sample(name) {
    this.#child.stdin.write(`${name}\n`);
    const { value } = await this.#lines.next();
    if (value === undefined)
      throw new Error(`${name}: ${this.#errors.trim() || 'it ended without an answer'}`);
    const [wall, cpu, count] = value.split(' ').map(Number);
    return { wall, cpu, count };
  }

  async end() {
    const ended = new Promise((done) => this.#child.on('close', done));
    this.#child.stdin.end();
    if (this.#child.exitCode === null) await ended;
  }
}

/** One sample of a process that has done nothing yet. */
export async function firstSample(command, name) {
  const peer = new Peer(command);
  try {
    return await peer.sample(name);
  } finally {
    await peer.end();
  }
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Nanoseconds an operation took, by the wall clock and in processor time; medians. */
export function summary(samples) {
  return {
    wall: median(samples.map(({ wall, count }) => wall / count)),
    cpu: median(samples.map(({ cpu, count }) => cpu / count)),
  };
}
