import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { RunningExample } from './running-example.js';

/** The kernel's id of this process's cgroup: the inode of its folder in cgroup2. */
function cgroupId(): bigint {
  const mount = readFileSync('/proc/mounts', 'utf8').match(/^\S+ (\S+) cgroup2 /m)?.[1];
  const path = readFileSync('/proc/self/cgroup', 'utf8').match(/^0::(.*)$/m)?.[1];
  if (mount === undefined || path === undefined || !existsSync(mount + path))
    throw new Error('cgroup2 is not mounted');
  return statSync(mount + path, { bigint: true }).ino;
}

/** Runs /bin/true and gives its process id. */
async function runTrue(...args: string[]): Promise<number | undefined> {
  const child = spawn('/bin/true', args);
  await once(child, 'close');
  return child.pid;
}

describe('examples/execsnoop', () => {
  it('prints TIME PID CGROUP PPID COMM ARGS of the children it was asked for', async () => {
    await using snoop = new RunningExample('execsnoop', ['--ppid', `${process.pid}`]);
    await snoop.until(/^TIME +PID +CGROUP +PPID +COMM +ARGS$/m);
    const pids = new Set<number | undefined>();
    const provoke = async () => pids.add(await runTrue('one', 'two three'));
    const [, pid, cgroup, ppid] = await snoop.until(
      /^\d\d:\d\d:\d\d +(\d+) +(\d+) +(\d+) +\S.* \/bin\/true one two three$/m,
      provoke,
    );
    expect(pids).toContain(Number(pid));
    expect(Number(ppid)).toBe(process.pid);
    expect(BigInt(cgroup ?? 0)).toBe(cgroupId());
    expect(await snoop.interrupt()).toBe(0);
  });

  it('prints nothing of the children of others', async () => {
    await using snoop = new RunningExample('execsnoop', ['--ppid', '1', '--seconds', '2']);
    await snoop.until(/^TIME/m);
    await runTrue('unseen');
    expect(await snoop.ended()).toBe(0);
    expect(snoop.stdout).not.toContain('unseen');
  });

  it('lets no argument speak to the terminal', async () => {
    await using snoop = new RunningExample('execsnoop', ['--ppid', `${process.pid}`]);
    await snoop.until(/^TIME/m);
    await snoop.until(/ \/bin\/true \\u\{1b\}\[31mred$/m, () => runTrue('\x1b[31mred'));
    expect(snoop.stdout).not.toContain('\x1b');
    expect(await snoop.interrupt()).toBe(0);
  });

  it('cuts long argument lists instead of losing them', async () => {
    await using snoop = new RunningExample('execsnoop', ['--ppid', `${process.pid}`]);
    await snoop.until(/^TIME/m);
    const long = Array.from({ length: 40 }, (_, index) => `${index}`.padStart(100, 'x'));
    const [, args = ''] = await snoop.until(/ (\/bin\/true x.*)$/m, () => runTrue(...long));
    expect(args.split(' ').length).toBeGreaterThan(5);
    expect(args.length).toBeLessThan(1280);
    expect(await snoop.interrupt()).toBe(0);
  });
});
