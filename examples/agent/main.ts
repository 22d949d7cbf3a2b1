// A daemon that counts the connections which the processes of a cgroup begin, by command. Its programs and counts are pinned
// in /sys/fs/bpf/NAME. Killed, or ended with --keep, it leaves the counting to the kernel; ended otherwise, it leaves the
// counts. Started again it goes on with them, and exchanges programs that it finds for its own without missing a connection.
//   node main.js NAME [--cgroup PATH] [--keep]     until Ctrl-C or SIGTERM
//   node main.js NAME --remove                     removes everything that is pinned
import { existsSync, rmSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type CgroupProgram, isBpfError, type Link, openLink, printable } from '@bpfskel/runtime';
import { agent_kern, type Connections } from './agent.skel.ts';

type Counts = ReadonlyMap<string, Connections>;

/** The program's pinned link: that of an agent before, with this program now, or a new one. */
function takeOver(program: CgroupProgram, cgroup: string, pin: string): Link {
  if (existsSync(pin)) {
    const link = openLink(pin, 'cgroup');
    if (link.info().cgroupId === statSync(cgroup, { bigint: true }).ino) {
      link.update(program);
      return link;
    }
    // It counts in another cgroup, or in one that is gone.
    link.unpin();
    link.close();
  }
  return program.attach(cgroup).pin(pin);
}

/** What there is of each command since `before`, the busiest first. A process may call itself anything: `?` for the rest. */
function rowsOf(now: Counts, before: Counts): [command: string, tcp: number, udp: number][] {
  return [...now]
    .map(([command, { tcp, udp }]): [string, number, number] => {
      const earlier = before.get(command);
      return [printable(command), tcp - (earlier?.tcp ?? 0), udp - (earlier?.udp ?? 0)];
    })
    .filter(([, tcp, udp]) => tcp !== 0 || udp !== 0)
    .sort((a, b) => b[1] + b[2] - a[1] - a[2]);
}

const nothing: Counts = new Map();

/** On a terminal a table of all counts, in the place of the last; else a line for each command that has new connections. */
function print(now: Counts, before: Counts): void {
  if (!process.stdout.isTTY) {
    const time = new Date().toISOString();
    for (const [name, tcp, udp] of rowsOf(now, before)) console.log(`${time} ${name} tcp=${tcp} udp=${udp}`);
    return;
  }
  const rows = [['COMMAND', 'TCP', 'UDP'], ...rowsOf(now, nothing)].slice(0, (process.stdout.rows || 24) - 1);
  const lines = rows.map(
    ([name, tcp, udp]) => `${name}`.padEnd(16) + `${tcp}`.padStart(10) + `${udp}`.padStart(10),
  );
  process.stdout.write(`\x1b[H\x1b[J${lines.join('\n')}\n`);
}

async function run(folder: string, cgroup: string, keep: boolean): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

  using skel = agent_kern.open().load({ pinRoot: folder });
  const { count_v4, count_v6 } = skel.progs;
  using v4 = takeOver(count_v4, cgroup, `${folder}/count_v4`);
  using v6 = takeOver(count_v6, cgroup, `${folder}/count_v6`);
  console.error(`counting in ${cgroup}, pinned in ${folder}`);

  let before = nothing;
  while (!stop.signal.aborted) {
    const now = new Map([...skel.maps.commands].map(([{ name }, connections]) => [name, connections]));
    print(now, before);
    before = now;
    await sleep(1000, undefined, { signal: stop.signal }).catch(() => undefined);
  }
  // --remove may have been faster.
  const pinned = [v4, v6].filter(({ pinPath }) => pinPath !== undefined && existsSync(pinPath));
  if (!keep) for (const link of pinned) link.unpin();
}

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      cgroup: { type: 'string', default: '/sys/fs/cgroup' },
      keep: { type: 'boolean', default: false },
      remove: { type: 'boolean', default: false },
    },
  });
  const [name] = positionals;
  const folder = `/sys/fs/bpf/${name}`;
  if (name === undefined || !/^[\w-]+$/.test(name) || positionals.length > 1) {
    console.error('usage: main.js NAME [--cgroup PATH] [--keep] [--remove]');
    process.exitCode = 2;
  } else if (values.remove) {
    rmSync(folder, { recursive: true, force: true });
  } else {
    await run(folder, values.cgroup, values.keep);
  }
} catch (error) {
  console.error(isBpfError(error) ? error.message : error);
  process.exitCode = 1;
}
