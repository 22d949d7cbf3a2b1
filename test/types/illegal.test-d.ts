// What no user of a skeleton may write, in the order of its life. Compiled, never run: every `@ts-expect-error` is a promise
// that the line below it is refused, and the line without one before it that the right way is not.
import { execsnoop_kern } from '../../examples/execsnoop/execsnoop.skel.ts';
import { hello_kern } from '../../examples/hello/hello.skel.ts';
import { xdp_kern } from '../../examples/xdp/xdp.skel.ts';
import { enums, type Verdict } from '../golden/enums/expected.skel.ts';
import { globals, type OpenGlobals } from '../golden/globals/expected.skel.ts';
import { kconfig } from '../golden/kconfig/expected.skel.ts';
import { live_globals } from '../golden/live_globals/expected.skel.ts';
import { maps, Stats } from '../golden/maps/expected.skel.ts';
import { Counters, u64_number } from '../golden/u64_number/expected.skel.ts';

export function beforeLoad(): void {
  using open = globals.open();
  open.progs.count.autoload = false;
  // @ts-expect-error nothing is attached yet
  open.links;
  // @ts-expect-error nothing is attached yet
  open.detach();
  // @ts-expect-error a program is not replaced
  open.progs.count = globals.open().progs.count;
  // @ts-expect-error there is no such program
  open.progs.counts;
  // @ts-expect-error programs have no code to set
  open.progs.count.instructions = new Uint8Array();
  // @ts-expect-error there is no such section
  open.rodata_str;
  // @ts-expect-error a section is not replaced
  open.bss = { seen: 1n };
  // @ts-expect-error text for a number
  open.rodata.target_pid = '42';
  // @ts-expect-error a bigint for a number
  open.rodata.target_pid = 42n;
  // @ts-expect-error a number for text
  open.rodata.prefix = 7;
  // @ts-expect-error a field is missing
  open.bss.point = { x: 1 };
  // @ts-expect-error a field too much
  open.bss.point = { x: 1, y: 2, z: 3 };

  using tables = maps.open();
  tables.maps.plain.maxEntries = 64;
  // @ts-expect-error sizes are numbers
  tables.maps.plain.maxEntries = 64n;
  // @ts-expect-error nothing is in a map yet
  tables.maps.plain.set(1, { packets: 1n });
  // @ts-expect-error nothing is in a map yet
  for (const _ of tables.maps.plain);
  // @ts-expect-error nothing arrives yet
  execsnoop_kern.open().maps.events.subscribe(() => undefined);
  // @ts-expect-error the kernel's configuration is the kernel's to tell
  kconfig.open().kconfig.CONFIG_BPF_SYSCALL = true;
  // @ts-expect-error a skeleton is opened before it is loaded
  maps.load();
  // @ts-expect-error what is open is not live
  live(tables);
}

function live(skel: ReturnType<typeof maps.openAndLoad>): void {
  skel.destroy();
}

export function afterLoad(open: OpenGlobals): void {
  using skel = open.load();
  skel.bss.seen = 1n;
  // @ts-expect-error it is loaded already
  skel.load();
  // @ts-expect-error a constant
  skel.rodata.prefix = 'abc';
  // @ts-expect-error a program is in the kernel or not
  skel.progs.count.autoload = false;
  // @ts-expect-error a map stays what it is
  maps.openAndLoad().maps.plain = maps.openAndLoad().maps.plain;
  // @ts-expect-error the size of a map stays what it is
  maps.openAndLoad().maps.plain.maxEntries = 5;
  // @ts-expect-error links are made by attach()
  skel.links.count = undefined;
  // @ts-expect-error there is no such program
  skel.links.counts;
  // @ts-expect-error the kernel told it
  kconfig.openAndLoad().kconfig.LINUX_KERNEL_VERSION = 1;
}

export function constantsToTheDepth(): void {
  using open = live_globals.open();
  open.rodata.config.server.port = 80;
  open.rodata.config.ports[0] = 80;
  using skel = open.load();
  skel.bss.stats.best.port = 80;
  // @ts-expect-error a member of a constant
  skel.rodata.config.mode = 1;
  // @ts-expect-error a member of a member of a constant
  skel.rodata.config.server.port = 80;
  // @ts-expect-error an element of a constant
  skel.rodata.config.ports[0] = 80;
  // @ts-expect-error an array has the length it has
  skel.rodata.config.ports.push(80);
}

export function valuesOfEnums(): void {
  using open = enums.open();
  open.bss.verdict = 7 satisfies Verdict;
  // @ts-expect-error no value of the enum
  open.bss.verdict = 2;
  // @ts-expect-error an enum of 64 bits has bigints
  open.bss.big = 0;
  // @ts-expect-error the name of a value is not the value
  open.bss.verdict = 'DROP';
}

export function keysAndValues(): void {
  using skel = maps.openAndLoad();
  skel.maps.plain.set(1, { packets: 1n });
  // @ts-expect-error a key of another type
  skel.maps.plain.set('1', { packets: 1n });
  // @ts-expect-error a key of another type
  skel.maps.plain.has(1n);
  // @ts-expect-error a key of another type
  skel.maps.plain.delete([1]);
  // @ts-expect-error key and value
  skel.maps.plain.set(1);
  // @ts-expect-error a field too much
  skel.maps.plain.set(1, { packets: 1n, bytes: 1n });
  // @ts-expect-error null is no value
  skel.maps.plain.set(1, null);
  // @ts-expect-error what is read may not be there
  skel.maps.plain.get(1).packets;
  // @ts-expect-error one value where there is one for each CPU
  skel.maps.slots_per_cpu.set(1, { packets: 1n });
  // @ts-expect-error bytes, not text
  skel.maps.sizes_only.set(1n, 'text');
  // @ts-expect-error programs, by index
  skel.maps.jumps.set(1, 7n);
  // @ts-expect-error a codec is made for its type
  Stats.write(new DataView(new ArrayBuffer(8)), 0, { packets: 1 });
}

export async function records(): Promise<void> {
  using skel = execsnoop_kern.openAndLoad();
  const { events } = skel.maps;
  for await (const event of events) event.pid.toFixed();
  // @ts-expect-error a ring buffer has no keys
  events.get(0);
  // @ts-expect-error a ring buffer has no keys
  events.set(0, 1);
  // @ts-expect-error programs write it
  events.push({});
  // @ts-expect-error records arrive later
  for (const _ of events);
  // @ts-expect-error a field that is not there
  for await (const event of events) event.pidd;
  // @ts-expect-error a number, not a bigint
  for await (const event of events) event.pid satisfies bigint;
  // @ts-expect-error the listener takes records
  events.subscribe((event: string) => event);
  // @ts-expect-error no such option
  events.subscribe(() => undefined, { timeout: 1 });
}

export function attaching(): void {
  using hello = hello_kern.openAndLoad();
  hello.progs.hello.attach('do_unlinkat', { offset: 4 });
  // @ts-expect-error a kprobe has no mode
  hello.progs.hello.attach('do_unlinkat', { mode: 'generic' });
  // @ts-expect-error the offset is a number
  hello.progs.hello.attach('do_unlinkat', { offset: '4' });
  // @ts-expect-error a tracepoint is at a category and a name
  hello.progs.hello_tracepoint.attach(4);
  hello.progs.hello_tracepoint.attach({ cookie: 7n });
  // @ts-expect-error a category without a name
  hello.progs.hello_tracepoint.attach('sched');
  using xdp = xdp_kern.openAndLoad();
  const link = xdp.progs.count_packets.attach('lo');
  // @ts-expect-error an XDP program has no offset
  xdp.progs.count_packets.attach('lo', { offset: 4 });
  // @ts-expect-error a device is a name or an index
  xdp.progs.count_packets.attach({ device: 'lo' });
  link.update(xdp.progs.count_packets);
  // @ts-expect-error a program, not its name
  link.update('count_packets');
  // @ts-expect-error a list of programs, or all
  xdp.attach({ optional: true });
  // @ts-expect-error an open program is not attached
  xdp_kern.open().progs.count_packets.attach('lo');
}

export function numbersWhereAskedFor(): void {
  using skel = u64_number.open();
  // @ts-expect-error there is no map before load
  skel.maps.counters?.get;
  const read = Counters.read(new DataView(new ArrayBuffer(64)), 0);
  read.packets satisfies number;
  // @ts-expect-error --u64 number gives numbers
  read.packets satisfies bigint;
}
