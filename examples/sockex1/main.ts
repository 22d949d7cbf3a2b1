// Prints, once a second, how many bytes of TCP, UDP and ICMP left through a device (lo by default).
//   node main.js [DEVICE] [--seconds N]
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { isBpfError } from '@bpfskel/runtime';
import { sockex1_kern } from './sockex1.skel.ts';

const IPPROTO_ICMP = 1;
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seconds: { type: 'string', default: '5' } },
  });

  using skel = sockex1_kern.openAndLoad();
  using _link = skel.progs.bpf_prog1.attach(positionals[0] ?? 'lo');

  const bytes = (protocol: number) => skel.maps.my_map.get(protocol);
  for (let second = 0; second < Number(values.seconds); second += 1) {
    await sleep(1000);
    console.log(`TCP ${bytes(IPPROTO_TCP)} UDP ${bytes(IPPROTO_UDP)} ICMP ${bytes(IPPROTO_ICMP)} bytes`);
  }
}

try {
  await main();
} catch (error) {
  console.error(isBpfError(error) ? error.message : error);
  process.exitCode = 1;
}
