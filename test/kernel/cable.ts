import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll } from 'vitest';

export const ip = (...args: string[]): string =>
  execFileSync('ip', args, { stdio: 'pipe', encoding: 'utf8' });

/** Two devices that are connected: `near` here, `far` in a network namespace of its own. */
export interface Cable {
  readonly near: string;
  readonly far: string;
  /** The network namespace of `far`, for `ip netns exec`. */
  readonly space: string;
  /** One UDP datagram from `far` to `near`; with a port, to that port instead of 9. */
  receive(port?: number): void;
  /** One UDP datagram from `near` to `far`. */
  send(): void;
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
  });
  afterAll(() => {
    ip('link', 'del', near);
    ip('netns', 'del', space);
  });
  return {
    near,
    far,
    space,
    receive: (port = 9) => {
      ip('netns', 'exec', space, 'bash', '-c', `echo x > /dev/udp/10.213.${net}.1/${port}`);
    },
    send: () => {
      execFileSync('bash', ['-c', `echo x > /dev/udp/10.213.${net}.2/9`], { stdio: 'pipe' });
    },
  };
}
