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

  // The object says nothing of the value's type: SEC("maps") knows sizes only. It is a long.
  const bytes = (protocol: number) => {
    const value = skel.maps.my_map.get(protocol);
    return value === undefined ? 0n : new DataView(value.buffer, value.byteOffset).getBigInt64(0, true);
  };
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
