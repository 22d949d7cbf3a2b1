// What a user of a skeleton may and may not write. Compiled, never run: every `@ts-expect-error` is a promise that the
// line below it is refused.
import { open } from 'node:fs/promises';
import {
  type CgroupSkbProgram,
  type CgroupSockAddrProgram,
  type fromJson,
  mergeRecords,
  type SkLookupProgram,
  type SkMsgProgram,
  type SkReuseportProgram,
  type SkSkbProgram,
  type SockMap,
  type snapshot,
  toJson,
} from '@bpfskel/runtime';
import { execsnoop_kern } from '../../examples/execsnoop/execsnoop.skel.ts';
import { hello_kern } from '../../examples/hello/hello.skel.ts';
import { opensnoop } from '../../examples/opensnoop/opensnoop.skel.ts';
import { type Traffic, xdp_kern } from '../../examples/xdp/xdp.skel.ts';
import { Packet } from '../golden/anonymous/expected.skel.ts';
import { bitfields, type Color } from '../golden/bitfields/expected.skel.ts';
import { contexts } from '../golden/contexts/expected.skel.ts';
import { globals } from '../golden/globals/expected.skel.ts';
import { kconfig } from '../golden/kconfig/expected.skel.ts';
import { type Stats as Live, live_globals, Mode } from '../golden/live_globals/expected.skel.ts';
import { maps, type Stats } from '../golden/maps/expected.skel.ts';
import { EventType, record_union } from '../golden/record_union/expected.skel.ts';
import { ringbuf } from '../golden/ringbuf/expected.skel.ts';
import { struct_ops } from '../golden/struct_ops/expected.skel.ts';
import { Counters } from '../golden/u64_number/expected.skel.ts';
import { Value } from '../golden/union/expected.skel.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const is = <A, B>(_: Equal<A, B>): void => undefined;

export function beforeLoad(): void {
  using open = globals.open();
  open.rodata.target_pid = 42;
  open.rodata.prefix = 'abc';
  open.data_custom.custom = 7;
  open.bss.point = { x: 1, y: 2 };
  // @ts-expect-error a number for a 64-bit integer
  open.bss.seen = 1;
  // @ts-expect-error a misspelt variable
  open.rodata.target_pidd = 42;
  // @ts-expect-error static variables are not in skeletons
  open.bss.hidden_from_skeletons;
  open.progs.count.autoload = false;
  // @ts-expect-error nothing is attached before load
  open.progs.count.attach('lo');
  // @ts-expect-error nothing is attached before load
  open.attach();

  using unloaded = maps.open();
  unloaded.maps.plain.maxEntries = 10;
  // @ts-expect-error there is nothing to read before load
  unloaded.maps.plain.get(1);
}

export function afterLoad(): void {
  using skel = globals.openAndLoad();
  skel.attach();
  is<typeof skel.bss.seen, bigint>(true);
  skel.bss.seen += 1n;
  is<typeof skel.rodata.prefix, string>(true);
  // @ts-expect-error constants are frozen after load
  skel.rodata.target_pid = 1;
  // @ts-expect-error a program that is not there
  skel.progs.counts;
}

export function mapTypes(): void {
  using skel = maps.openAndLoad();
  is<ReturnType<typeof skel.maps.plain.get>, Stats | undefined>(true);
  skel.maps.plain.set(1, { packets: 1n });
  // @ts-expect-error the key is a number
  skel.maps.plain.get('1');
  // @ts-expect-error the key is a number, not a bigint
  skel.maps.plain.get(1n);
  // @ts-expect-error the key is a bigint
  skel.maps.recent.get(1);
  // @ts-expect-error a number for a 64-bit integer
  skel.maps.plain.set(1, { packets: 1 });
  // @ts-expect-error a field is missing
  skel.maps.plain.set(1, {});
  is<ReturnType<typeof skel.maps.slots_per_cpu.get>[number], Stats>(true);
}

export async function records(): Promise<void> {
  using skel = ringbuf.openAndLoad();
  for await (const event of skel.maps.typed) is<typeof event, { pid: number; comm: string }>(true);
  for await (const event of skel.maps.typed) is<typeof event.comm, string>(true);
  for await (const event of skel.maps.tagged) is<typeof event.pid, number>(true);
  for await (const event of skel.maps.untyped) is<typeof event, Uint8Array>(true);
  // @ts-expect-error a ring buffer has no keys
  skel.maps.typed.get(1);
}

export async function mergedRecords(): Promise<void> {
  using skel = ringbuf.openAndLoad();
  const { typed, untyped } = skel.maps;
  for await (const one of mergeRecords({ typed, untyped })) {
    is<typeof one.map, 'typed' | 'untyped'>(true);
    if (one.map === 'typed') is<typeof one.record, { pid: number; comm: string }>(true);
    else is<typeof one.record, Uint8Array>(true);
  }
  // @ts-expect-error no record is of another map
  mergeRecords({ typed }).subscribe(({ map }) => map === 'untyped');
  // @ts-expect-error only maps with records
  mergeRecords({ hash: maps.openAndLoad().maps.plain });
}

export function recordsOfSeveralTypes(): void {
  using skel = record_union.openAndLoad();
  skel.maps.named.subscribe((record) => {
    if (record.type === EventType.EVENT_EXIT) is<typeof record.code, number>(true);
    else if (record.type === EventType.EVENT_EXEC) is<typeof record.filename, string>(true);
    else is<typeof record.bytes, bigint>(true);
    // @ts-expect-error not every record has one
    record.filename;
    // @ts-expect-error no record has this type
    if (record.type === EventType.EVENT_MAX) return;
  });
  for (const record of skel.maps.numbered.consume()) {
    if (record.id === 1n) is<typeof record.opcode, number>(true);
    else is<typeof record.status, number>(true);
  }
  for (const record of skel.maps.sized.consume()) {
    if ('values' in record) is<typeof record.values, number[]>(true);
  }
}

export function programs(): void {
  using hello = hello_kern.openAndLoad();
  hello.progs.hello.attach();
  // @ts-expect-error a kprobe has no mode
  hello.progs.hello.attach({ mode: 'generic' });
  hello.links.hello?.detach();

  using xdp = xdp_kern.openAndLoad();
  xdp.progs.count_packets.attach('eth0', { mode: 'generic' });
  // @ts-expect-error no such mode
  xdp.progs.count_packets.attach('eth0', { mode: 'fast' });
  // @ts-expect-error a device is missing
  xdp.progs.count_packets.attach();
  const traffic: Traffic = { packets: 1n, bytes: 2n };
  is<typeof traffic.packets, bigint>(true);

  using some = execsnoop_kern.openAndLoad();
  const { attached, failed } = some.attach({ optional: ['enter_execve'] });
  is<typeof attached, readonly ('enter_execve' | 'enter_execveat')[]>(true);
  is<(typeof failed)[number]['program'], 'enter_execve' | 'enter_execveat'>(true);
  some.attach({ optional: 'all' });
  // @ts-expect-error a program that is not there
  some.attach({ optional: ['enter_exceve'] });

  using registers = struct_ops.openAndLoad();
  registers.attach({ optional: ['calm'] }).attached satisfies readonly (keyof typeof registers.links)[];
  registers.maps.calm.attach().update(registers.maps.calm);
  registers.links.calm?.detach();

  using runnable = contexts.openAndLoad();
  const { context, returnValue } = runnable.progs.add.run({ a: 1n, b: 2, result: 0n });
  is<typeof context, { a: bigint; b: number; result: bigint }>(true);
  is<typeof returnValue, number>(true);
  // @ts-expect-error a field is missing
  runnable.progs.add.run({ a: 1n });
  is<ReturnType<typeof runnable.progs.untyped.run>['context'], Uint8Array>(true);
  const { action } = runnable.progs.pass.run(new Uint8Array(60), { context: { ingress_ifindex: 1 } });
  // @ts-expect-error no such action
  action satisfies 'XDP_PAS' | undefined;
  // @ts-expect-error a kprobe takes no packets
  hello.progs.hello.run(new Uint8Array(60));

  using snoop = execsnoop_kern.open();
  snoop.rodata.target_ppid = 1;

  using opens = opensnoop.openAndLoad();
  opens.progs.libc_open.attach({ pid: 1, cookie: 1n }).detach();
  opens.progs.libc_open_done.attach({ binary: '/usr/bin/app', address: 0x1000n });
  // @ts-expect-error a symbol is text
  opens.progs.libc_open.attach({ symbol: 1 });
  // @ts-expect-error one probe is of one place
  opens.progs.libc_open.attach({ functions: 'open*' });
}

export function values(): void {
  const view = new DataView(new ArrayBuffer(64));
  const color: Color = 5;
  // @ts-expect-error no enumerator has this value
  const none: Color = 3;
  is<typeof color | typeof none, 0 | 5>(true);
  bitfields.open().maps.m.maxEntries = 1;

  Value.write(view, 0, Value.of({ number: 1n }));
  is<ReturnType<typeof Value.of>, Value>(true);
  // @ts-expect-error no such arm
  Value.of({ numbre: 1n });
  // @ts-expect-error a union is written from one arm, with of()
  Value.write(view, 0, { number: 1n });
  Packet.of({ version: 4, source: 1, target: 2, v4: 0x7f000001 });
  // @ts-expect-error what is no arm must be there
  Packet.of({ v4: 1 });

  is<Counters['packets'], number>(true);
  is<Counters['pointer'], bigint>(true);
  // @ts-expect-error a bigint where --u64 number was asked for
  Counters.write(view, 0, { packets: 1n, drift: 1, part: 1, pointer: 0n, far: 0n, far_bits: 0n });
}

/** Each kind is attached to what it is for. */
export async function placesOfPrograms(progs: {
  readonly packets: CgroupSkbProgram;
  readonly connect: CgroupSockAddrProgram;
  readonly lookup: SkLookupProgram;
  readonly choose: SkReuseportProgram;
  readonly verdict: SkSkbProgram;
  readonly message: SkMsgProgram;
  readonly sockets: SockMap;
}): Promise<void> {
  using link = progs.connect.attach('/sys/fs/cgroup/shop');
  link.update(progs.connect);
  await using file = await open('/sys/fs/cgroup/shop');
  progs.connect.attach(file, { before: link });
  progs.connect.attach(7, { mode: 'override', replace: true });
  progs.packets.attach('/sys/fs/cgroup/shop', { direction: 'egress', after: 'all' });
  is<ReturnType<typeof progs.connect.query>['mode'], 'multi' | 'override' | 'single' | undefined>(true);
  // @ts-expect-error a cgroup is needed
  progs.connect.attach();
  // @ts-expect-error only packets have a direction
  progs.connect.attach('/sys/fs/cgroup/shop', { direction: 'egress' });
  // @ts-expect-error no such mode
  progs.connect.attach('/sys/fs/cgroup/shop', { mode: 'shared' });
  progs.message.attach(progs.sockets);
  progs.verdict.attach(progs.sockets, { role: 'verdict' });
  // @ts-expect-error a map, not the name of one
  progs.message.attach('sockets');
  progs.lookup.attach();
  progs.lookup.attach('/run/netns/blue');
  progs.choose.attach({ fd: 3 });
  // @ts-expect-error a socket is needed
  progs.choose.attach();
}

export function liveGlobals(): void {
  using open = live_globals.open();
  open.rodata.config.mode = Mode.MODE_DROP;
  open.rodata.config.ports[0] = 1;
  open.bss.stats.hits += 1n;
  open.bss.stats.top = [...open.bss.stats.top];
  open.data_samples.samples.length = 8;
  // @ts-expect-error no enumerator has this value
  open.rodata.config.mode = 7;
  // @ts-expect-error a misspelt field
  open.bss.stats.hist = 1n;
  // @ts-expect-error a number for a 64-bit element
  open.bss.counts[0] = 1;

  using skel = open.load();
  skel.bss.stats.best = { port: 1, name: 'x', hits: 1n };
  skel.bss.table[1] = [1, 2, 3];
  is<typeof skel.bss.stats, Live>(true);
  is<ReturnType<typeof snapshot<typeof skel.bss.stats>>, Live>(true);
  is<(typeof skel.rodata.config.ports)[number], number>(true);
  // @ts-expect-error constants are frozen after load, fields of structs as well
  skel.rodata.config.mode = Mode.MODE_DROP;
  // @ts-expect-error and what is deeper
  skel.rodata.config.server.hits = 1n;
  // @ts-expect-error and elements
  skel.rodata.config.ports[0] = 1;
  // @ts-expect-error and arrays as a whole
  skel.rodata.config.ports.reverse();
  // @ts-expect-error and their length
  skel.rodata_allowed.allowed.length = 8;
  is<ReturnType<typeof fromJson<Live>>, Live>(true);
  toJson(skel.bss.stats, { bigint: 'string' }) satisfies string;
  // @ts-expect-error no such representation
  toJson(skel.bss.stats, { bigint: 'number' });

  using configured = kconfig.open();
  // @ts-expect-error load() fills it
  configured.kconfig.CONFIG_BPF_SYSCALL = true;
}

export function structOpsMembers(): void {
  using open = struct_ops.open();
  const { calm } = open.struct_ops;
  calm.ssthresh = open.progs.ssthresh_high;
  calm.init = null;
  calm.name = 'mine';
  is<typeof calm.flags, number>(true);
  // @ts-expect-error null leaves a member to the kernel
  calm.init = undefined;
  // @ts-expect-error a program, not the name of one
  calm.ssthresh = 'ssthresh';
  // @ts-expect-error a pointer that is no function cannot be set
  calm.owner = 0n;
  // @ts-expect-error a map that is not there
  open.struct_ops.clam;
  using skel = open.load();
  // @ts-expect-error members are settled by load()
  skel.struct_ops;
  using plain = globals.open();
  // @ts-expect-error the object has no struct_ops
  plain.struct_ops;
}
