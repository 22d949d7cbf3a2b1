import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { RunningExample } from './running-example.js';

/** Makes a process wait for a CPU: it sleeps, and wakes up. */
async function wake(): Promise<void> {
  await once(spawn('/bin/true'), 'close');
}

const header = / +usecs : count +distribution\n/;
const row = /^ +\d+ -> \d+ +: ([1-9]\d*) +\|█+ *\|$/m;

describe('examples/runqlat', () => {
  it('prints once, at the end, how long tasks waited', async () => {
    await using runqlat = new RunningExample('runqlat');
    await runqlat.until(/Counting how long tasks wait/);
    await wake();
    expect(await runqlat.interrupt()).toBe(0);
    expect(runqlat.stdout).toMatch(header);
    expect(runqlat.stdout).toMatch(row);
    expect(runqlat.stdout.match(/usecs/g)).toHaveLength(1);
    expect(runqlat.stdout).not.toContain('\u001b');
  });

  it('counts the tasks of one process when asked to', async () => {
    const idle = spawn('/bin/sleep', ['1000']);
    try {
      await using runqlat = new RunningExample('runqlat', ['--pid', `${idle.pid}`]);
      await runqlat.until(/Counting how long tasks wait/);
      await wake();
      expect(await runqlat.interrupt()).toBe(0);
      // A process that sleeps waits for nothing.
      expect(runqlat.stdout).toMatch(header);
      expect(runqlat.stdout).not.toMatch(row);
    } finally {
      idle.kill();
    }
  });
});
