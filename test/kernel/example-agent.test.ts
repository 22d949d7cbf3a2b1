import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { BPF_ATTACH_TYPE } from '../../runtime/src/uapi.js';
import './facts.js';
import { RunningExample } from './running-example.js';
import { TestCgroup } from './test-cgroup.js';

const name = `bpfskel-agent-${process.pid}`;
const folder = `/sys/fs/bpf/${name}`;

let cgroup: TestCgroup;
beforeAll(() => {
  cgroup = new TestCgroup();
});
afterAll(() => cgroup.close());

const start = (...options: string[]) =>
  new RunningExample('agent', [name, '--cgroup', cgroup.path, ...options]);
const counting = async (agent: RunningExample) => await agent.until(/^counting in /m);
/** Datagram sockets of IPv4 and connections of IPv6, which nobody answers, that processes of the cgroup begin. */
const connect = (udp: number, tcp = 0) => {
  for (let i = 0; i < udp; i++) cgroup.agent.do('joined(udp4(), in4(9)); 1');
  for (let i = 0; i < tcp; i++) cgroup.agent.tell('joined(tcp6(), in6(9)); 1');
};
/** Ids of the programs that the cgroup has. */
const programs = () => {
  const kernel = linuxKernel();
  const fd = kernel.openFile(cgroup.path);
  try {
    return [BPF_ATTACH_TYPE.CGROUP_INET4_CONNECT, BPF_ATTACH_TYPE.CGROUP_INET6_CONNECT].flatMap(
      (attachType) => kernel.progQuery({ target: { fd }, attachType }).programs.map(({ id }) => id),
    );
  } finally {
    kernel.close(fd);
  }
};
/** A process of the cgroup that connects all the time, and counts how often. */
class Busy {
  readonly #child: ChildProcess;
  readonly #output: Promise<string>;

  constructor(path: string) {
    const script = `
      my ($end, $count) = (0, 0);
      $SIG{TERM} = sub { $end = 1 };
      socket(my $socket, PF_INET, SOCK_DGRAM, 0);
      while (!$end) {
        connect($socket, pack_sockaddr_in(9, inet_aton('127.0.0.1')));
        $count++;
        select(undef, undef, undef, 0.0002);
      }
      print $count;`;
    const shell = 'echo $$ > "$0/cgroup.procs" && exec perl -MSocket -e "$1"';
    this.#child = spawn('sh', ['-c', shell, path, script], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#output = this.#child.stdout === null ? Promise.resolve('') : text(this.#child.stdout);
  }

  async end(): Promise<number> {
    this.#child.kill();
    return Number(await this.#output);
  }
}

const remove = async () => {
  await using agent = start('--remove');
  expect(await agent.ended()).toBe(0);
};
afterEach(async () => {
  await remove();
  expect(existsSync(folder)).toBe(false);
  await expect.poll(programs).toEqual([]);
});

describe('examples/agent', () => {
  it('goes on with its counts when it is started again, and counts nothing while it is away', async () => {
    {
      await using agent = start();
      await counting(agent);
      connect(3, 2);
      await agent.until(/^\d{4}-\S+Z perl tcp=2 udp=3$/m);
      connect(1);
      await agent.until(/ perl tcp=0 udp=1$/m);
      expect(await agent.end('SIGTERM')).toBe(0);
    }
    expect(readdirSync(folder)).toEqual(['commands']);
    await expect.poll(programs).toEqual([]);
    connect(5);
    await using agent = start();
    await agent.until(/ perl tcp=2 udp=4$/m);
    expect(await agent.interrupt()).toBe(0);
  });

  it.each([
    ['killed', 'SIGKILL', []],
    ['ended with --keep', 'SIGTERM', ['--keep']],
  ] as const)(
    'leaves counting to the kernel when it is %s, and takes over',
    async (_how, signal, options) => {
      {
        await using agent = start(...options);
        await counting(agent);
        connect(1);
        await agent.until(/ perl tcp=0 udp=1$/m);
        await agent.end(signal);
      }
      expect(readdirSync(folder).sort()).toEqual(['commands', 'count_v4', 'count_v6']);
      const before = programs();
      expect(before).toHaveLength(2);
      connect(2, 1);
      await using agent = start();
      await agent.until(/ perl tcp=1 udp=3$/m);
      // Its own programs, and no second one beside them.
      expect(programs()).toHaveLength(2);
      for (const id of before) expect(programs()).not.toContain(id);
      connect(1);
      await agent.until(/ perl tcp=0 udp=1$/m);
      expect(await agent.end('SIGTERM')).toBe(0);
      expect(readdirSync(folder)).toEqual(['commands']);
    },
  );

  it('misses no connection while it is killed and started again', async () => {
    const first = start();
    await counting(first);
    const busy = new Busy(cgroup.path);
    let last = first;
    for (let i = 0; i < 3; i++) {
      await last.end('SIGKILL');
      last = start();
      await counting(last);
    }
    const made = await busy.end();
    await last.end('SIGKILL');
    await using agent = start();
    await agent.until(new RegExp(` perl tcp=0 udp=${made}$`, 'm'));
    expect(made).toBeGreaterThan(1000);
    expect(await agent.end('SIGTERM')).toBe(0);
  });

  it('leaves the cgroup it counted in for another', async () => {
    const other = new TestCgroup();
    try {
      await using before = new RunningExample('agent', [name, '--cgroup', other.path, '--keep']);
      await counting(before);
      expect(await before.end('SIGTERM')).toBe(0);
      await using agent = start();
      await counting(agent);
      expect(programs()).toHaveLength(2);
      expect(await agent.interrupt()).toBe(0);
    } finally {
      other.close();
    }
  });

  it('ends in peace when its pins were removed', async () => {
    await using agent = start();
    await counting(agent);
    await remove();
    expect(existsSync(folder)).toBe(false);
    expect(await agent.end('SIGTERM')).toBe(0);
    expect(agent.stderr.trim().split('\n')).toHaveLength(1);
  });

  it('draws a table on a terminal', async () => {
    await using agent = start('--keep');
    await counting(agent);
    expect(await agent.end('SIGTERM')).toBe(0);
    connect(2, 11);
    const script = `node build/examples/agent/main.js ${name} --cgroup ${cgroup.path}`;
    const output = execFileSync('script', ['-qec', `timeout --preserve-status 3 ${script}`, '/dev/null'], {
      input: '',
      encoding: 'utf8',
    });
    expect(output).toMatch(
      // biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal is told where to write by them
      /\x1b\[H\x1b\[JCOMMAND {16}TCP {7}UDP\r?\nperl {20}11 {9}2\r?\n/,
    );
  });

  it.each([
    ['no name', [], 2, /^usage: /],
    ['a name that leaves the folder', ['../x'], 2, /^usage: /],
    ['a cgroup that is none', [name, '--cgroup', '/proc'], 1, /cgroup/],
  ])('refuses %s', async (_name, args, status, message) => {
    await using agent = new RunningExample('agent', args);
    expect(await agent.ended()).toBe(status);
    expect(agent.stderr.trim().split('\n')).toHaveLength(1);
    expect(agent.stderr).toMatch(message);
  });
});
