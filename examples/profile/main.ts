// Samples what runs on every CPU (or in one process) and tells where the time goes: the busiest functions, or whole
// stacks, a line each, as flame graphs want them.
//   node main.js [--pid PID] [--seconds N] [--frequency HZ] [--folded]
import { basename } from 'node:path';
import { setInterval } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Frame, isBpfError, KernelSymbols, ProcessSymbols, printable } from '@bpfskel/runtime';
import { type ProfileKern, profile_kern } from './profile.skel.ts';

/** Samples by stack: `node;main;uv_run;[k] do_syscall_64`, the innermost function last. */
type Stacks = Map<string, number>;

const kernel = new KernelSymbols();
const processes = new Map<number, ProcessSymbols>();

function symbolsOf(pid: number): ProcessSymbols {
  const symbols = processes.get(pid) ?? new ProcessSymbols(pid);
  processes.set(pid, symbols);
  return symbols;
}

function label({ name, module }: Frame): string {
  return name ?? (module === undefined ? '[unknown]' : `[${basename(module)}]`);
}

/** Takes what was counted out of the kernel while the processes still live whose functions are to be named. */
function collect({ maps: { counts, stacks } }: ProfileKern, into: Stacks): void {
  for (const sample of [...counts.keys()]) {
    const count = Number(counts.take(sample) ?? 0n);
    const user = stacks.symbolize(sample.user_stack, symbolsOf(sample.pid)) ?? [];
    const system = stacks.symbolize(sample.kernel_stack, kernel) ?? [];
    const frames = [...user.map(label).reverse(), ...system.map((frame) => `[k] ${label(frame)}`).reverse()];
    const stack = [sample.comm, ...frames].map((text) => printable(text).replaceAll(';', ':')).join(';');
    into.set(stack, (into.get(stack) ?? 0) + count);
  }
}

/** The functions that ran, and the share of all samples that found them running. */
function top(stacks: Stacks, rows = 20): string {
  const functions = new Map<string, number>();
  let total = 0;
  for (const [stack, count] of stacks) {
    const [comm = '', ...frames] = stack.split(';');
    const name = `${(frames.at(-1) ?? '[unknown]').padEnd(48)} ${comm}`;
    functions.set(name, (functions.get(name) ?? 0) + count);
    total += count;
  }
  const busiest = [...functions].sort(([, a], [, b]) => b - a).slice(0, rows);
  const lines = busiest.map(
    ([name, count]) =>
      `${((100 * count) / total).toFixed(1).padStart(5)}% ${`${count}`.padStart(7)}  ${name}`,
  );
  return [
    `${total} samples`,
    `${'SHARE'.padStart(6)} ${'SAMPLES'}  ${'FUNCTION'.padEnd(48)} COMM`,
    ...lines,
  ].join('\n');
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      pid: { type: 'string' },
      seconds: { type: 'string' },
      frequency: { type: 'string', default: '99' },
      folded: { type: 'boolean', default: false },
    },
  });
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  if (values.seconds) setTimeout(() => stop.abort(), Number(values.seconds) * 1000);

  using skel = profile_kern.openAndLoad();
  using link = skel.progs.tick.attach({
    type: 'software',
    config: 'cpu-clock',
    frequency: Number(values.frequency),
    ...(values.pid ? { pid: Number(values.pid), inherit: true } : {}),
  });
  console.error(`Sampling ${link.target} ${values.frequency} times a second. Ctrl-C ends it.`);

  const found: Stacks = new Map();
  try {
    for await (const _ of setInterval(250, undefined, { signal: stop.signal })) collect(skel, found);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
  link.detach();
  collect(skel, found);

  if (values.folded) for (const [stack, count] of found) console.log(`${stack} ${count}`);
  else console.log(top(found));
  if (skel.bss.lost > 0n) console.error(`${skel.bss.lost} samples found no room`);
}

try {
  await main();
} catch (error) {
  console.error(isBpfError(error) ? error.message : error);
  process.exitCode = 1;
}
