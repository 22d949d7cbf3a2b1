// Prints every program that is started, until Ctrl-C or for --seconds; with --ppid only children of one process.
//   node main.js [--ppid PID] [--seconds N]
import { parseArgs } from 'node:util';
import { isBpfError, printable } from '@bpfskel/runtime';
import { execsnoop_kern } from './execsnoop.skel.ts';

type Cell = string | number | bigint;

function row(time: string, pid: Cell, cgroup: Cell, ppid: Cell, comm: string, args: string): string {
  const columns = [time.padEnd(9), `${pid}`.padEnd(6), `${cgroup}`.padEnd(6), `${ppid}`.padEnd(6)];
  return `${columns.join(' ')} ${printable(comm).padEnd(16)} ${printable(args, 1280)}`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { ppid: { type: 'string' }, seconds: { type: 'string' } } });
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  if (values.seconds) setTimeout(() => stop.abort(), Number(values.seconds) * 1000);

  using open = execsnoop_kern.open();
  if (values.ppid) open.rodata.target_ppid = Number(values.ppid);
  using skel = open.load();
  skel.attach();

  console.log(row('TIME', 'PID', 'CGROUP', 'PPID', 'COMM', 'ARGS'));
  for await (const event of skel.maps.events.records({ signal: stop.signal })) {
    const time = new Date().toTimeString().slice(0, 8);
    console.log(row(time, event.pid, event.cgroup, event.ppid, event.comm, event.args));
  }
  if (skel.bss.lost > 0n) console.error(`${skel.bss.lost} events did not fit in the ring buffer`);
}

try {
  await main();
} catch (error) {
  console.error(isBpfError(error) ? error.message : error);
  process.exitCode = 1;
}
