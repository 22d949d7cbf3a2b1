import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const kernelModules = new URL('../../runtime/dist/kernel/', import.meta.url).href;

export interface ChildResult {
  /** Exit status; null when a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** From start to end. */
  readonly milliseconds: number;
}

/**
 * Runs a module in a process of its own, over the built runtime: for what would take the test runner with it. The
 * module has `kernel`, `libc`, `createPoller`, `uvWaiter` and `poolWaiter`, and helpers over eventfds.
 */
export function runChild(module: string, flags: readonly string[] = [], seconds = 60): ChildResult {
  const start = performance.now();
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [...flags, '--input-type=module', '-e', `${prelude}\n${module}`],
    {
      encoding: 'utf8',
      timeout: seconds * 1000,
      killSignal: 'SIGKILL',
      cwd: fileURLToPath(new URL('.', import.meta.url)),
    },
  );
  return { status, signal, stdout, stderr, milliseconds: performance.now() - start };
}

/** What every child starts with; worker threads get it too. */
export const prelude = `
import { linuxKernel } from '${kernelModules}linux.js';
import { loadLibc } from '${kernelModules}libc.js';
import { createPoller, poolWaiter, uvWaiter } from '${kernelModules}poller.js';
const kernel = linuxKernel();
const libc = loadLibc();
const one = new Uint8Array(new BigUint64Array([1n]).buffer);
const makeEvent = () => libc.eventfd(0, 0o2004000);
const signal = (fd) => libc.write(fd, one, 8);
const drain = (fd) => libc.read(fd, new Uint8Array(8), 8);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const until = async (condition) => { for (let i = 0; i < 5000 && !condition(); i++) await sleep(2); };
`;
