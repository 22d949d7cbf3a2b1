// Prints every file that is opened, until Ctrl-C or for --seconds; with --pid only by one process. With --uprobe it
// watches the functions of libc instead of the kernel: those of the very libc that the process uses, if one is given.
//   node main.js [--pid PID] [--uprobe] [--seconds N]
import { getSystemErrorName, parseArgs } from 'node:util';
import { isBpfError, printable } from '@bpfskel/runtime';
import { type Event, opensnoop } from './opensnoop.skel.ts';

function row(pid: number | string, comm: string, fd: number | string, error: string, path: string): string {
  return `${`${pid}`.padEnd(7)} ${printable(comm).padEnd(16)} ${`${fd}`.padStart(4)} ${error.padEnd(8)} ${printable(path, 4096)}`;
}

function print({ pid, comm, result, path }: Event, fromLibc: boolean): void {
  // libc keeps the reason in errno, where nobody can read it from outside.
  const error = result >= 0 ? '' : fromLibc ? '?' : getSystemErrorName(result);
  console.log(row(pid, comm, Math.max(result, -1), error, path));
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { pid: { type: 'string' }, uprobe: { type: 'boolean' }, seconds: { type: 'string' } },
  });
  const { uprobe = false } = values;
  const pid = values.pid === undefined ? undefined : Number(values.pid);
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  if (values.seconds) setTimeout(() => stop.abort(), Number(values.seconds) * 1000);

  using open = opensnoop.open();
  const { enter_openat, exit_openat, ...ofLibc } = open.progs;
  enter_openat.autoload = exit_openat.autoload = !uprobe;
  for (const program of Object.values(ofLibc)) program.autoload = uprobe;
  if (pid !== undefined) open.rodata.target_pid = pid;
  using skel = open.load();
  if (uprobe && pid !== undefined) {
    const { libc_open, libc_open_done, libc_openat, libc_openat_done } = skel.progs;
    for (const program of [libc_open_done, libc_open, libc_openat_done, libc_openat]) program.attach({ pid });
  } else {
    skel.attach();
  }

  console.log(row('PID', 'COMM', 'FD', 'ERR', 'PATH'));
  for await (const event of skel.maps.events.records({ signal: stop.signal })) print(event, uprobe);
  if (skel.bss.lost > 0n) console.error(`${skel.bss.lost} events did not fit in the ring buffer`);
}

try {
  await main();
} catch (error) {
  console.error(isBpfError(error) ? error.message : error);
  process.exitCode = 1;
}
