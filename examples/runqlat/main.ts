// Shows how long tasks wait for a CPU once they can run: every second on a terminal, otherwise once at the end.
//   node main.js [--pid PID] [--seconds N]
import { setInterval } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { isBpfError } from '@bpfskel/runtime';
import { runqlat_kern } from './runqlat.skel.ts';

const WIDTH = 40;

/** `counts[n]` tasks waited for 2^n microseconds or more, and less than twice that. */
function histogram(counts: readonly bigint[]): string {
  const most = Math.max(...counts.map(Number));
  const first = counts.findIndex((count) => count > 0n);
  const last = counts.findLastIndex((count) => count > 0n);
  const rows = counts.slice(Math.max(first, 0), last + 1).map((count, index) => {
    const slot = index + first;
    const range = `${slot === 0 ? 0 : 2 ** slot} -> ${2 ** (slot + 1) - 1}`;
    const bar = '█'.repeat(Math.ceil((Number(count) / most) * WIDTH)).padEnd(WIDTH);
    return `${range.padStart(22)} : ${`${count}`.padEnd(9)} |${bar}|`;
  });
  return [`${'usecs'.padStart(22)} : ${'count'.padEnd(9)}  distribution`, ...rows].join('\n');
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { pid: { type: 'string' }, seconds: { type: 'string' } } });
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  if (values.seconds) setTimeout(() => stop.abort(), Number(values.seconds) * 1000);

  using open = runqlat_kern.open();
  if (values.pid) open.rodata.target_tgid = Number(values.pid);
  using skel = open.load();
  skel.attach();
  console.error('Counting how long tasks wait for a CPU. Ctrl-C ends it.');

  const { isTTY } = process.stdout;
  try {
    for await (const _ of setInterval(1000, undefined, { signal: stop.signal })) {
      if (isTTY) console.log(`\x1b[H\x1b[2J${histogram(skel.bss.slots)}`);
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
  if (!isTTY) console.log(histogram(skel.bss.slots));
}

try {
  await main();
} catch (error) {
  console.error(isBpfError(error) ? error.message : error);
  process.exitCode = 1;
}
