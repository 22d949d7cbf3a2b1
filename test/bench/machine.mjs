// How busy this machine is with other things.
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

function ticks() {
  const [user, nice, system, idle, wait, ...rest] = readFileSync('/proc/stat', 'utf8')
    .split('\n')[0]
    .split(/\s+/)
    .slice(1)
    .map(Number);
  const busy = user + nice + system + (rest[0] ?? 0) + (rest[1] ?? 0) + (rest[2] ?? 0);
  return { busy, all: busy + idle + wait };
}

/** Share of the processors that is in use while this process sleeps, 0 to 1. */
export async function load(milliseconds = 1500) {
  const before = ticks();
  await sleep(milliseconds);
  const after = ticks();
  return (after.busy - before.busy) / Math.max(1, after.all - before.all);
}

export function processors() {
  const all = cpus();
  return `${all.length} x ${all[0]?.model ?? 'unknown'}`;
}
