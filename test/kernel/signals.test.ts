import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runChild } from './child.js';
import './facts.js';

const profiles = mkdtempSync(join(tmpdir(), 'bpfskel-'));
afterAll(() => rmSync(profiles, { recursive: true, force: true }));

/** V8's profiler sends a signal to the thread of JavaScript each millisecond. */
const profiled = ['--cpu-prof', `--cpu-prof-dir=${profiles}`];

describe('under a profiler, whose signals interrupt the kernel,', () => {
  it('a program loads that takes the verifier some milliseconds, and signals come again afterwards', () => {
    const child = runChild(
      `import { readFileSync } from 'node:fs';
       const blocked = () => readFileSync('/proc/thread-self/status', 'utf8').match(/SigBlk:.*/)[0];
       const before = blocked();
       const count = 60_000;
       const insns = new Uint8Array((count + 2) * 8);
       insns.set([0xb7, 0, 0, 0, 1], 0); // r0 = 1
       for (let i = 1; i <= count; i++) insns[i * 8] = 0x87; // r0 = -r0
       insns[(count + 1) * 8] = 0x95; // exit
       const fd = kernel.progLoad({ type: 1, insns, license: 'GPL' });
       console.log(fd > 2, blocked() === before);`,
      profiled,
    );
    expect(child).toMatchObject({ stdout: 'true true\n', status: 0 });
  });

  it('a test run of many rounds comes to its end', () => {
    const child = runChild(
      `const insns = new Uint8Array([0xb7, 0, 0, 0, 2, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0]);
       const fd = kernel.progLoad({ type: 1, insns, license: 'GPL' });
       console.log(kernel.progTestRun(fd, { data: new Uint8Array(64), repeat: 500_000 }).returnValue);`,
      profiled,
    );
    expect(child).toMatchObject({ stdout: '2\n', status: 0 });
  });
});
