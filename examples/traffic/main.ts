// Shows what a network device receives and sends, by IP protocol, once a second; can hold what it sends to a rate.
//   node main.js DEVICE [--limit BYTES_PER_SECOND] [--seconds N]
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { isBpfError } from '@bpfskel/runtime';
import { type Traffic, traffic_kern } from './traffic.skel.ts';

const names = new Map([
  [0, 'other'],
  [1, 'ICMP'],
  [6, 'TCP'],
  [17, 'UDP'],
  [58, 'ICMPv6'],
]);
const BAR = 24;

/** What one direction carried so far, by protocol. */
type Counts = Map<number, Traffic>;

/** The counts of all CPUs together. */
function total(rows: Iterable<[number, Traffic[]]>): Counts {
  const counts: Counts = new Map();
  for (const [protocol, perCpu] of rows) {
    const sum = { packets: 0, bytes: 0, dropped: 0 };
    for (const { packets, bytes, dropped } of perCpu) {
      sum.packets += packets;
      sum.bytes += bytes;
      sum.dropped += dropped;
    }
    if (sum.packets + sum.dropped > 0) counts.set(protocol, sum);
  }
  return counts;
}

/** One line per protocol: bytes in this second in each direction, with a bar against the largest. */
function table(before: readonly Counts[], now: readonly Counts[]): string[] {
  const protocols = [...new Set(now.flatMap((counts) => [...counts.keys()]))].sort((a, b) => a - b);
  const rows = protocols.map((protocol) => ({
    name: names.get(protocol) ?? `protocol ${protocol}`,
    bytes: now.map(
      (counts, way) => (counts.get(protocol)?.bytes ?? 0) - (before[way]?.get(protocol)?.bytes ?? 0),
    ),
    dropped: now.reduce((sum, counts) => sum + (counts.get(protocol)?.dropped ?? 0), 0),
  }));
  const largest = Math.max(1, ...rows.flatMap(({ bytes }) => bytes));
  const cell = (bytes = 0) =>
    `${bytes.toLocaleString('en').padStart(13)} B/s ${'#'.repeat(Math.ceil((bytes / largest) * BAR)).padEnd(BAR)}`;
  return rows.map(({ name, bytes: [received, sent], dropped }) => {
    const lost = dropped > 0 ? ` ${dropped} packets dropped` : '';
    return `  ${name.padEnd(12)} received ${cell(received)} sent ${cell(sent)}${lost}`.trimEnd();
  });
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { limit: { type: 'string' }, seconds: { type: 'string' } },
  });
  const [device] = positionals;
  const limit = Number(values.limit ?? 0);
  if (device === undefined || !Number.isSafeInteger(limit) || limit < 0) {
    console.error('usage: main.js DEVICE [--limit BYTES_PER_SECOND] [--seconds N]');
    process.exitCode = 2;
    return;
  }
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());

  using open = traffic_kern.open();
  open.rodata.limit = limit;
  using skel = open.load();
  using ingress = skel.progs.count_received.attach(device);
  using egress = skel.progs.count_sent.attach(device);
  console.error(`attached to ${ingress.target} and ${egress.target}`);

  let before: readonly Counts[] = [];
  for (let left = Number(values.seconds ?? Number.POSITIVE_INFINITY); left > 0; left -= 1) {
    await sleep(1000, undefined, { signal: stop.signal }).catch(() => stop.abort());
    if (stop.signal.aborted) break;
    const now = [total(skel.maps.received.entries()), total(skel.maps.sent.entries())];
    // On a terminal each second takes the place of the one before.
    if (process.stdout.isTTY) process.stdout.write('\x1b[H\x1b[J');
    console.log([new Date().toTimeString().slice(0, 8), ...table(before, now)].join('\n'));
    before = now;
  }
}

try {
  await main();
} catch (error) {
  console.error(isBpfError(error) ? error.message : error);
  process.exitCode = 1;
}
