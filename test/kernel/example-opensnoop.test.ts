import { closeSync, existsSync, openSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { RunningExample } from './running-example.js';

const missing = '/no/such/file/at/all';

/** This process opens a file that is there, and one that is not. */
function openSome(): void {
  closeSync(openSync('/etc/passwd', 'r'));
  expect(existsSync(missing)).toBe(false);
  expect(() => openSync(missing, 'r')).toThrow('ENOENT');
}

describe('examples/opensnoop', () => {
  it('prints PID COMM FD ERR PATH of what the kernel is asked to open', async () => {
    await using snoop = new RunningExample('opensnoop', ['--pid', `${process.pid}`]);
    await snoop.until(/^PID +COMM +FD +ERR +PATH$/m);
    const [, pid, fd] = await snoop.until(/^(\d+) +\S.* +(\d+) +\/etc\/passwd$/m, openSome);
    expect(Number(pid)).toBe(process.pid);
    expect(Number(fd)).toBeGreaterThan(2);
    await snoop.until(new RegExp(`^${process.pid} +\\S.* +-1 ENOENT +${missing}$`, 'm'), openSome);
    expect(await snoop.interrupt()).toBe(0);
  });

  it('prints what the libc of one process is asked to open with --uprobe', async () => {
    await using snoop = new RunningExample('opensnoop', ['--uprobe', '--pid', `${process.pid}`]);
    await snoop.until(/^PID/m);
    await snoop.until(new RegExp(`^${process.pid} +\\S.* +\\d+ +/etc/passwd$`, 'm'), openSome);
    await snoop.until(new RegExp(`^${process.pid} +\\S.* +-1 \\? +${missing}$`, 'm'), openSome);
    expect(await snoop.interrupt()).toBe(0);
  });

  it('prints what any libc is asked to open with --uprobe alone', async () => {
    await using snoop = new RunningExample('opensnoop', ['--uprobe']);
    await snoop.until(/^PID/m);
    await snoop.until(new RegExp(`^${process.pid} +\\S.* +\\d+ +/etc/passwd$`, 'm'), openSome);
    expect(await snoop.interrupt()).toBe(0);
  });

  it('says that a process is gone', async () => {
    await using snoop = new RunningExample('opensnoop', ['--uprobe', '--pid', '4000000']);
    expect(await snoop.ended()).toBe(1);
    expect(snoop.stderr).toContain('there is no process 4000000');
  });
});
