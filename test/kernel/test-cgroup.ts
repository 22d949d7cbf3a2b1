import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent } from './agent.js';

/** Where cgroups of version 2 are; mounted in a folder of its own when this machine has not. */
export const cgroupRoot = findCgroups();

function findCgroups(): string {
  const mounted = /^\S+ (\S+) cgroup2 /m.exec(readFileSync('/proc/mounts', 'utf8'))?.[1];
  if (mounted !== undefined) return mounted;
  const folder = mkdtempSync(join(tmpdir(), 'bpfskel-cgroup-'));
  execFileSync('mount', ['-t', 'cgroup2', 'cgroup2', folder]);
  return folder;
}

let made = 0;

/** A cgroup for one test, and a process in it. */
export class TestCgroup {
  readonly path: string;
  #agent: Agent | undefined;

  constructor(parent: string = cgroupRoot) {
    made += 1;
    this.path = join(parent, `bpfskel-${process.pid}-${made}`);
    mkdirSync(this.path);
  }

  /** A process in this cgroup. */
  get agent(): Agent {
    this.#agent ??= new Agent(this.path);
    return this.#agent;
  }

  /** Ends the process and removes the cgroup, which stays busy for a moment longer. */
  close(): void {
    const procs = join(this.path, 'cgroup.procs');
    this.#agent?.close();
    this.#agent = undefined;
    if (existsSync(join(this.path, 'cgroup.kill'))) writeFileSync(join(this.path, 'cgroup.kill'), '1');
    const end = Date.now() + 5000;
    while (readFileSync(procs, 'utf8') !== '' && Date.now() < end) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
    rmdirSync(this.path);
  }
}
