import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** An example that runs as its own process, as a user would start it, from the build. */
export class RunningExample implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  stdout = '';
  stderr = '';

  /** `wrapper` is put before the command: `ip netns exec NAME`. */
  constructor(name: string, args: readonly string[] = [], wrapper: readonly string[] = []) {
    const script = `${root}build/examples/${name}/main.js`;
    if (!existsSync(script)) throw new Error(`${script} is missing: run npm run build`);
    const [program = process.execPath, ...rest] = [...wrapper, process.execPath, script, ...args];
    this.#child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout?.on('data', (chunk) => {
      this.stdout += chunk;
    });
    this.#child.stderr?.on('data', (chunk) => {
      this.stderr += chunk;
    });
    this.#closed = once(this.#child, 'close');
  }

  /** Calls `provoke` again and again until the output on either stream matches. */
  async until(pattern: RegExp, provoke: () => unknown = () => undefined): Promise<RegExpMatchArray> {
    for (;;) {
      await provoke();
      const match = `${this.stdout}${this.stderr}`.match(pattern);
      if (match) return match;
      if (this.#child.exitCode !== null) {
        throw new Error(
          `ended with ${this.#child.exitCode} before ${pattern}:\n${this.stdout}${this.stderr}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Ctrl-C. Gives the exit status. */
  async interrupt(): Promise<number | null> {
    return await this.end('SIGINT');
  }

  /** Sends a signal and gives the exit status; null when the signal ended it. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    this.#child.kill(signal);
    return await this.ended();
  }

  /** Waits for the end. Gives the exit status. */
  async ended(): Promise<number | null> {
    await this.#closed;
    return this.#child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    // What it started may hold the other ends for longer.
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
    await this.#closed;
  }
}
