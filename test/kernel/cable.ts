import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';

export const ip = (...args: string[]): string =>
  execFileSync('ip', args, { stdio: 'pipe', encoding: 'utf8' });

/** Two devices that are connected: `near` here, `far` in a network namespace of its own. */
export interface Cable {
  readonly near: string;
  readonly far: string;
  /** IPv4 addresses of `near` and `far`. */
  readonly address: string;
  readonly peer: string;
  /** The network namespace of `far`, for `ip netns exec`. */
  readonly space: string;
  /** One UDP datagram from `far` to `near`. */
  receive(): void;
  receive6(): void;
  /** One UDP datagram from `near` to `far`. */
  send(): void;
  send6(): void;
  /** One UDP datagram from here to any address. Throws when the kernel does not send it. */
  sendTo(address: string): void;
}

let cables = 0;

/** Lays a veth cable for the tests of one file: 10.213.N.1 and fd00:213:N::1 here, .2 and ::2 there. */
export function cable(): Cable {
  // Device names have at most 15 characters.
  const mark = `bs${process.pid}${String.fromCharCode(97 + cables)}`;
  cables += 1;
  const net = (process.pid + cables) % 250;
  const space = `bpfskel-${mark}`;
  const near = `${mark}0`;
  const far = `${mark}1`;
  let here: Sender | undefined;
  let there: Sender | undefined;
  beforeAll(() => {
    ip('netns', 'add', space);
    ip('link', 'add', near, 'type', 'veth', 'peer', 'name', far, 'netns', space);
    ip('addr', 'add', `10.213.${net}.1/30`, 'dev', near);
    ip('-6', 'addr', 'add', `fd00:213:${net}::1/64`, 'dev', near, 'nodad');
    ip('link', 'set', near, 'up');
    ip('-n', space, 'link', 'set', 'lo', 'up');
    ip('-n', space, 'addr', 'add', `10.213.${net}.2/30`, 'dev', far);
    ip('-n', space, '-6', 'addr', 'add', `fd00:213:${net}::2/64`, 'dev', far, 'nodad');
    ip('-n', space, 'link', 'set', far, 'up');
    here = new Sender([]);
    there = new Sender(['ip', 'netns', 'exec', space]);
  });
  afterAll(() => {
    here?.close();
    there?.close();
    ip('link', 'del', near);
    ip('netns', 'del', space);
  });
  return {
    near,
    far,
    address: `10.213.${net}.1`,
    peer: `10.213.${net}.2`,
    space,
    receive: () => there?.send(`10.213.${net}.1`),
    receive6: () => there?.send(`fd00:213:${net}::1`),
    send: () => here?.send(`10.213.${net}.2`),
    send6: () => here?.send(`fd00:213:${net}::2`),
    sendTo: (address) => here?.send(address),
  };
}

/** A shell that sends datagrams when told: starting one for each takes too long on emulated machines. */
export class Sender {
  readonly #directory = mkdtempSync(join(tmpdir(), 'bpfskel-sender-'));
  readonly #child: ChildProcess;
  readonly #orders: number;
  readonly #answers: number;

  /** `wrapper` is put before the command: `ip netns exec NAME`. */
  constructor(wrapper: readonly string[]) {
    const [orders, answers] = ['orders', 'answers'].map((name) => join(this.#directory, name));
    if (orders === undefined || answers === undefined) throw new Error('two names make two paths');
    execFileSync('mkfifo', [orders, answers]);
    // For both, so that neither side waits for the other to open it.
    this.#orders = openSync(orders, 'r+');
    this.#answers = openSync(answers, 'r+');
    const loop = 'while read -r to; do { echo x > "/dev/udp/$to/9"; } 2>&-; echo $?; done < "$0" > "$1"';
    const [program = 'bash', ...args] = [...wrapper, 'bash', '-c', loop, orders, answers];
    this.#child = spawn(program, args, { stdio: 'ignore' });
  }

  /** Returns when the datagram is sent. */
  send(address: string): void {
    writeSync(this.#orders, `${address}\n`);
    const answer = Buffer.alloc(16);
    const status = answer.toString('latin1', 0, readSync(this.#answers, answer)).trim();
    if (status !== '0') throw new Error(`send to ${address}: status ${status}`);
  }

  close(): void {
    this.#child.kill('SIGKILL');
    closeSync(this.#orders);
    closeSync(this.#answers);
    rmSync(this.#directory, { recursive: true });
  }
}
