// Prints every TCP connection as it ends, until Ctrl-C or for --seconds; with --pid only those of one process.
//   node main.js [--pid PID] [--seconds N]
import { parseArgs } from 'node:util';
import { formatIp, isBpfError, printable } from '@bpfskel/runtime';
import { tcplife_kern } from './tcplife.skel.ts';

const widths = [7, 16, 39, 6, 39, 6, 10, 10, 0];

function row(...cells: readonly (string | number | bigint)[]): string {
  return cells.map((cell, index) => printable(`${cell}`).padEnd(widths[index] ?? 0)).join(' ');
}

/** Sockets of both families have IPv6 addresses here; those of IPv4 are better known by their own. */
function address(bytes: readonly number[]): string {
  return formatIp(bytes).replace('::ffff:', '');
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { pid: { type: 'string' }, seconds: { type: 'string' } } });
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  if (values.seconds) setTimeout(() => stop.abort(), Number(values.seconds) * 1000);

  using open = tcplife_kern.open();
  if (values.pid) open.rodata.target_pid = Number(values.pid);
  using skel = open.load();
  skel.attach();

  console.log(row('PID', 'COMM', 'LADDR', 'LPORT', 'RADDR', 'RPORT', 'SENT', 'RECEIVED', 'MS'));
  for await (const life of skel.maps.ended.records({ signal: stop.signal })) {
    const { pid, comm, local, local_port, remote, remote_port, sent, received, lifetime } = life;
    const ends = [address(local), local_port, address(remote), remote_port] as const;
    console.log(row(pid, comm, ...ends, sent, received, (Number(lifetime) / 1e6).toFixed(2)));
  }
  if (skel.bss.lost > 0n) console.error(`${skel.bss.lost} connections were not reported: too many at once`);
}

try {
  await main();
} catch (error) {
  console.error(isBpfError(error) ? error.message : error);
  process.exitCode = 1;
}
