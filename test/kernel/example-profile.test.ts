import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunningExample } from './running-example.js';

/** Reads zeros for ever, in a function that its compiler lists in /tmp/perf-PID.map. */
const busy = `
  const { openSync, readSync } = require('node:fs');
  const zero = openSync('/dev/zero');
  const buffer = Buffer.alloc(1 << 20);
  function spendTimeHere() { for (let i = 0; i < 100; i++) readSync(zero, buffer); }
  console.log('ready');
  for (;;) spendTimeHere();
`;

describe('examples/profile', () => {
  let child: ChildProcess;
  // V8 leaves a log where it runs.
  const folder = mkdtempSync(join(tmpdir(), 'bpfskel-profile-'));
  beforeAll(async () => {
    child = spawn(process.execPath, ['--perf-basic-prof', '-e', busy], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (child.stdout === null) throw new Error('the child has no output');
    await once(child.stdout, 'data');
  }, 240_000);
  afterAll(() => {
    child.kill('SIGKILL');
    rmSync(`/tmp/perf-${child.pid}.map`, { force: true });
    rmSync(folder, { recursive: true });
  });

  it('names the functions of kernel, program and script in folded stacks', async () => {
    await using profile = new RunningExample('profile', [
      '--pid',
      `${child.pid}`,
      '--seconds',
      '3',
      '--folded',
    ]);
    expect(await profile.ended()).toBe(0);
    const lines = profile.stdout.trim().split('\n');
    for (const line of lines) expect(line).toMatch(/^[^;]+(;[^;]+)* [1-9]\d*$/);
    // Innermost last: the script's function, then node's, then the kernel's.
    expect(profile.stdout).toMatch(
      /^[^;]+;.*spendTimeHere.*;\[k\] .*;\[k\] (ksys_read|vfs_read|.*read_zero|read_iter_zero)/m,
    );
    expect(profile.stdout).toMatch(/;_ZN4node\w+;/);
    expect(profile.stderr).toContain(
      `Sampling perf event cpu-clock of process ${child.pid} 99 times a second`,
    );
  });

  it('tells the busiest functions of every process', async () => {
    await using profile = new RunningExample('profile', ['--seconds', '2']);
    expect(await profile.ended()).toBe(0);
    expect(profile.stdout).toMatch(
      /^\d+ samples\n SHARE SAMPLES +FUNCTION +COMM\n +[\d.]+% +\d+ +\S.* +\S+\n/,
    );
    expect(profile.stdout).toMatch(/\[k\] \w+ +node/);
  });

  it('says that there is no such process', async () => {
    await using profile = new RunningExample('profile', ['--pid', '1073741824']);
    expect(await profile.ended()).toBe(1);
    expect(profile.stderr).toContain('there is no process 1073741824');
  });
});
