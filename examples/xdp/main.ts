// Counts the packets that a network device receives, by IP protocol, and can drop those of one protocol.
//   node main.js DEVICE [--mode native|generic|offload] [--drop PROTOCOL_NUMBER] [--seconds N]
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { isBpfError } from '@bpfskel/runtime';
import { xdp_kern } from './xdp.skel.ts';

const names = new Map([
  [0, 'other'],
  [1, 'ICMP'],
  [6, 'TCP'],
  [17, 'UDP'],
  [58, 'ICMPv6'],
]);

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { mode: { type: 'string' }, drop: { type: 'string' }, seconds: { type: 'string' } },
  });
  const [device] = positionals;
  const { mode } = values;
  if (device === undefined || (mode !== undefined && !isMode(mode))) {
    console.error('usage: main.js DEVICE [--mode native|generic|offload] [--drop PROTOCOL] [--seconds N]');
    process.exitCode = 2;
    return;
  }
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());

  using open = xdp_kern.open();
  if (values.drop !== undefined) {
    open.rodata.drop = true;
    open.rodata.drop_protocol = Number(values.drop);
  }
  using skel = open.load();
  using link = skel.progs.count_packets.attach(device, mode === undefined ? {} : { mode });
  console.error(`attached to ${link.target}`);

  for (let left = Number(values.seconds ?? Number.POSITIVE_INFINITY); left > 0; left -= 1) {
    await sleep(1000, undefined, { signal: stop.signal }).catch(() => stop.abort());
    if (stop.signal.aborted) break;
    console.log(new Date().toTimeString().slice(0, 8));
    for (const [protocol, perCpu] of skel.maps.by_protocol.entries()) {
      const packets = perCpu.reduce((sum, row) => sum + row.packets, 0n);
      const bytes = perCpu.reduce((sum, row) => sum + row.bytes, 0n);
      const name = names.get(protocol) ?? `protocol ${protocol}`;
      if (packets > 0n) console.log(`  ${name.padEnd(12)} ${packets} packets, ${bytes} bytes`);
    }
  }
}

function isMode(text: string): text is 'native' | 'generic' | 'offload' {
  return text === 'native' || text === 'generic' || text === 'offload';
}

try {
  await main();
} catch (error) {
  console.error(isBpfError(error) ? error.message : error);
  process.exitCode = 1;
}
