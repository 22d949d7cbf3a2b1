// What each kind of map lets a user write, and what not. Compiled, never run: every `@ts-expect-error` is a promise that
// the line below it is refused.
import {
  type ArrayMap,
  type BuildIdFrame,
  bytes,
  type HashMap,
  hash,
  type InsnPlace,
  type OwnedMap,
  openMapById,
  openPinnedMap,
  type PerCpuArrayMap,
  Prefix,
  type ResizableHashMap,
  u32,
} from '@bpfskel/runtime';
import { kept_fields } from '../golden/kept_fields/expected.skel.ts';
import { type Entry, map_in_map } from '../golden/map_in_map/expected.skel.ts';
import { map_kinds, type Route, Stats } from '../golden/map_kinds/expected.skel.ts';
import { maps } from '../golden/maps/expected.skel.ts';
import { newest_maps } from '../golden/newest_maps/expected.skel.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const is = <A, B>(_: Equal<A, B>): void => undefined;

export function hashes(): void {
  using skel = maps.openAndLoad();
  const { plain, slots, slots_per_cpu, recent } = skel.maps;
  is<typeof plain.size, number>(true);
  is<ReturnType<typeof plain.getMany>[number], { packets: bigint } | undefined>(true);
  plain.setMany([[1, { packets: 1n }]], { lock: true }).deleteMany([1]);
  plain.setMany(new Map([[1, { packets: 1n }]]));
  // @ts-expect-error a string key on a hash of numbers
  plain.get('10.0.0.0/8');
  // @ts-expect-error a key is missing
  plain.setMany([{ packets: 1n }]);
  // @ts-expect-error no such flag
  plain.set(1, { packets: 1n }, { flag: 'new' });
  // @ts-expect-error a hash has no prefixes
  plain.prefixes();
  // @ts-expect-error a hash is not memory
  plain.live();
  recent.deleteMany([1n]);
  is<ReturnType<typeof slots.get>, { packets: bigint }>(true);
  // @ts-expect-error elements of an array are always there
  slots.delete(1);
  // @ts-expect-error a per-CPU array cannot be shared as memory
  slots_per_cpu.live();
  is<ReturnType<typeof slots_per_cpu.get>, { packets: bigint }[]>(true);
  is<ReturnType<typeof slots_per_cpu.getCpu>, { packets: bigint }>(true);
  slots_per_cpu.setCpu(0, 1, { packets: 1n });
  // @ts-expect-error one CPU has one value
  slots_per_cpu.setCpu(0, 1, [{ packets: 1n }]);
  for (const index of slots.keys()) is<typeof index, number>(true);
  // @ts-expect-error an array is not emptied
  slots.clear();
}

export function newest(): void {
  using open = newest_maps.open();
  const { targets, growing } = open.maps;
  growing.exclusiveProgram = undefined;
  // @ts-expect-error a map is for a program, not for a name
  targets.exclusiveProgram = 'count';
  using skel = open.load();
  is<typeof skel.maps.growing, ResizableHashMap<number, { packets: bigint }>>(true);
  skel.maps.targets.set(0, 7).set(1, { orig_off: 8 });
  is<ReturnType<typeof skel.maps.targets.get>, InsnPlace>(true);
  // @ts-expect-error instructions have numbers
  skel.maps.targets.set(0, 7n);
}

export function tries(): void {
  using skel = map_kinds.openAndLoad();
  const { routes } = skel.maps;
  routes.set('10.0.0.0/8', { packets: 1n });
  routes.set({ prefixlen: 8, address: [10, 0, 0, 0] }, { packets: 1n });
  routes.set(new Prefix(new Uint8Array(4), 12), { packets: 1n });
  for (const [key, value] of routes) is<[typeof key, typeof value], [Route, Stats]>(true);
  for (const [prefix] of routes.prefixes()) is<typeof prefix, Prefix>(true);
  // @ts-expect-error not a key
  routes.get(10);
  // @ts-expect-error the value is a struct
  routes.set('10.0.0.0/8', 1);
}

export function queuesAndFilters(): void {
  using skel = map_kinds.openAndLoad();
  const { waiting, freed, seen } = skel.maps;
  is<ReturnType<typeof waiting.pop>, Stats | undefined>(true);
  waiting.push({ packets: 1n }, { evict: true });
  for (const job of waiting.drain()) is<typeof job, Stats>(true);
  is<ReturnType<typeof freed.peek>, number | undefined>(true);
  // @ts-expect-error a queue has no keys
  waiting.get(0);
  // @ts-expect-error a queue is not walked: its elements would have to be taken out
  for (const _ of waiting);
  // @ts-expect-error a queue does not know its length
  waiting.size;
  // @ts-expect-error the value is a struct
  waiting.push(1);
  is<ReturnType<typeof seen.has>, boolean>(true);
  // @ts-expect-error nothing leaves a bloom filter
  seen.delete({ address: 1, port: 2 });
  // @ts-expect-error a field is missing
  seen.add({ address: 1 });
}

export function stacks(): void {
  using skel = map_kinds.openAndLoad();
  const { stacks, places } = skel.maps;
  is<ReturnType<typeof stacks.get>, bigint[] | undefined>(true);
  is<ReturnType<typeof stacks.symbolize<string>>, string[] | undefined>(true);
  stacks.symbolize(1, { symbolize: (address) => `${address}` });
  const frame = places.get(1)?.[0];
  if (frame?.buildId !== undefined) is<typeof frame, BuildIdFrame>(true);
  // @ts-expect-error places have no addresses to look up
  places.symbolize(1, { symbolize: (address: bigint) => `${address}` });
  // @ts-expect-error only programs write stacks
  stacks.set(1, [1n]);
}

export function resources(): void {
  using skel = map_kinds.openAndLoad();
  const { groups, by_number, by_tuple, ports, uplinks, cores, queues, shared, pages } = skel.maps;
  groups.set(0, '/sys/fs/cgroup');
  // @ts-expect-error the kernel does not tell what is in it
  groups.get(0);
  by_number.set(1, 7).set(2, { fd: 7 });
  is<typeof by_number.size, number>(true);
  for (const cookie of by_number.values()) is<typeof cookie, bigint>(true);
  for (const cpu of cores.keys()) is<typeof cpu, number>(true);
  is<ReturnType<typeof by_number.get>, bigint | undefined>(true);
  by_tuple.set({ address: 1, port: 2 }, 7);
  // @ts-expect-error the key is a struct
  by_tuple.set(1, 7);
  ports
    .set(1, 'eth0')
    .set(2, 3)
    .set(4, { device: 'eth0', program: { fd: 7 } });
  is<NonNullable<ReturnType<typeof uplinks.get>>['name'], string | undefined>(true);
  cores.set(0, { qsize: 192 });
  // @ts-expect-error a CPU has a queue
  cores.set(0, 192);
  // @ts-expect-error a socket is no path
  queues.set(0, '/tmp/socket');
  is<ReturnType<ReturnType<typeof shared.live>['get']>, Stats>(true);
  is<typeof pages.address, bigint>(true);
  is<ReturnType<typeof pages.read<Stats>>, Stats>(true);
  // @ts-expect-error an arena has no keys
  pages.get(0);
}

export function storages(): void {
  using skel = map_kinds.openAndLoad();
  const { of_socket, of_file, of_task, of_cgroup, attached } = skel.maps;
  of_socket.set({ fd: 7 }, { packets: 1n });
  of_file.set('/etc/hosts', { packets: 1n });
  is<ReturnType<typeof of_task.get>, Stats | undefined>(true);
  of_task.get({ pidfd: 7 });
  of_cgroup.get('/sys/fs/cgroup');
  // @ts-expect-error a socket has no path
  of_socket.get('/etc/hosts');
  // @ts-expect-error a process has no path
  of_task.get('/proc/1');
  // @ts-expect-error the kernel does not list the owners
  of_file.keys();
  attached.set({ cgroup_inode_id: 1n, attach_type: 1 }, { packets: 1n });
  // @ts-expect-error it goes with the attachment
  attached.delete({ cgroup_inode_id: 1n, attach_type: 1 });
}

export function mapsOfMaps(): void {
  using skel = map_in_map.openAndLoad();
  const { outer, by_task } = skel.maps;
  is<ReturnType<typeof outer.get>, OwnedMap<HashMap<number, Entry>> | undefined>(true);
  is<ReturnType<typeof by_task.createInner>, OwnedMap<PerCpuArrayMap<Entry>>>(true);
  using inner = outer.createInner({ maxEntries: 16 });
  outer.set(1, inner);
  outer.forEach((map, index) => {
    is<[typeof map, typeof index], [HashMap<number, Entry>, number]>(true);
  });
  // @ts-expect-error the key is a struct
  by_task.get(1);
  // @ts-expect-error what is put in is a map
  outer.set(1, { hits: 1 });
}

export function opened(): void {
  using typed = openPinnedMap('/sys/fs/bpf/stats', hash(u32, Stats));
  is<ReturnType<typeof typed.get>, Stats | undefined>(true);
  using untyped = openMapById(7);
  is<ReturnType<typeof untyped.get>, Uint8Array | undefined>(true);
  // @ts-expect-error without a type a key is bytes
  untyped.get(1);
  using shared = map_kinds.openPinnedMap('shared', '/sys/fs/bpf/shared');
  is<typeof shared, OwnedMap<ArrayMap<Stats>>>(true);
  // @ts-expect-error no such map
  map_kinds.openPinnedMap('shard', '/sys/fs/bpf/shared');
  openPinnedMap('/sys/fs/bpf/x', hash(bytes(6), u32)).close();
}

export function keptFields(): void {
  using skel = kept_fields.openAndLoad();
  skel.maps.counters.set(1, { hits: 1, last: 2n }, { lock: true });
  // @ts-expect-error the kernel keeps the lock to itself
  skel.maps.counters.get(1)?.lock;
}
