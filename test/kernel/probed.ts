import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const source = join(root, 'test/testdata/probed.c');
const folder = join(root, 'build/probed');

/** What test/testdata/probed.c compiles to. */
export const probed = {
  program: join(folder, 'probed'),
  /** The program without its symbol table; the dynamic one stays. */
  stripped: join(folder, 'stripped'),
  /** The same with its symbols in a file beside it. */
  split: join(folder, 'split'),
  library: join(folder, 'libprobed.so'),
};

/** Compiles what is missing or older than its source. There is no test of user programs without a C compiler. */
export function buildProbed(): void {
  const age = statSync(source).mtimeMs;
  if (Object.values(probed).every((file) => existsSync(file) && statSync(file).mtimeMs >= age)) return;
  mkdirSync(folder, { recursive: true });
  const cc = (...args: string[]) => {
    try {
      execFileSync('cc', ['-O1', '-Wall', ...args], { cwd: folder, stdio: 'pipe' });
    } catch (cause) {
      throw new Error(`tests of uprobes compile ${source}: they need a C compiler, cc`, { cause });
    }
  };
  cc('-fPIC', '-shared', '-DLIBRARY', '-o', 'libprobed.so', source);
  const linked = ['-L.', '-lprobed', '-Wl,-rpath,$ORIGIN'];
  cc('-o', 'stripped', '-s', source, ...linked);
  cc('-o', 'probed', source, ...linked);
  cc('-Wl,--build-id', '-o', 'split', source, ...linked);
  const objcopy = (...args: string[]) => execFileSync('objcopy', args, { cwd: folder, stdio: 'pipe' });
  objcopy('--only-keep-debug', 'split', 'split.debug');
  objcopy('--strip-all', '--add-gnu-debuglink=split.debug', 'split');
}

/** Runs the program once. */
export function runProbed(program = probed.program): void {
  execFileSync(program, ['1']);
}

/** The program, working when it is told to. */
export class ProbedProcess implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams;
  #output = '';

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    child.stdout.on('data', (chunk) => {
      this.#output += chunk;
    });
  }

  /** `program` may be a copy in another folder. */
  static async start(program = probed.program): Promise<ProbedProcess> {
    return await ProbedProcess.#start([program, '-']);
  }

  /** In a file system of its own, as a container has: it runs `/mnt/probed`, which nobody else sees. */
  static async startInside(): Promise<ProbedProcess> {
    const script = `mount -t tmpfs inside /mnt && cp ${probed.program} /mnt/probed && exec /mnt/probed -`;
    return await ProbedProcess.#start(['unshare', '--mount', 'sh', '-c', script]);
  }

  static async #start([program = '', ...args]: readonly string[]): Promise<ProbedProcess> {
    const env = { ...process.env, LD_LIBRARY_PATH: folder };
    const running = new ProbedProcess(spawn(program, args, { env }));
    await running.#read('ready\n');
    return running;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Works once; gives what the program printed meanwhile. */
  async work(): Promise<string> {
    this.#child.stdin.write('\n');
    return await this.#read('done\n');
  }

  async #read(until: string): Promise<string> {
    while (!this.#output.includes(until)) await once(this.#child.stdout, 'data');
    const end = this.#output.indexOf(until);
    const before = this.#output.slice(0, end);
    this.#output = this.#output.slice(end + until.length);
    return before;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    if (this.#child.exitCode === null) await once(this.#child, 'close');
  }
}
