// Names of perf events as perf list shows them, and their numbers (include/uapi/linux/perf_event.h).

const hardware = {
  'cpu-cycles': 0,
  instructions: 1,
  'cache-references': 2,
  'cache-misses': 3,
  'branch-instructions': 4,
  'branch-misses': 5,
  'bus-cycles': 6,
  'stalled-cycles-frontend': 7,
  'stalled-cycles-backend': 8,
  'ref-cycles': 9,
} as const;

const software = {
  'cpu-clock': 0,
  'task-clock': 1,
  'page-faults': 2,
  'context-switches': 3,
  'cpu-migrations': 4,
  'minor-faults': 5,
  'major-faults': 6,
  'alignment-faults': 7,
  'emulation-faults': 8,
  dummy: 9,
  'bpf-output': 10,
  'cgroup-switches': 11,
} as const;

const caches = {
  'L1-dcache': 0,
  'L1-icache': 1,
  LLC: 2,
  dTLB: 3,
  iTLB: 4,
  branch: 5,
  node: 6,
} as const;

const operations = {
  loads: 0x000,
  stores: 0x100,
  prefetches: 0x200,
  'load-misses': 0x10000,
  'store-misses': 0x10100,
  'prefetch-misses': 0x10200,
} as const;

/** A counter of the processor. Virtual machines mostly have none. */
export type HardwareEvent = keyof typeof hardware;

/** An event that the kernel counts; `cpu-clock` is there on every machine. `cgroup-switches` since Linux 5.13. */
export type SoftwareEvent = keyof typeof software;

/** Accesses to a cache of the processor: `LLC-load-misses`. */
export type CacheEvent = `${keyof typeof caches}-${keyof typeof operations}`;

export function hardwareConfig(name: string): number | undefined {
  return numberOf(hardware, name);
}

export function softwareConfig(name: string): number | undefined {
  return numberOf(software, name);
}

export function cacheConfig(name: string): number | undefined {
  for (const [cache, id] of Object.entries(caches)) {
    if (!name.startsWith(`${cache}-`)) continue;
    const operation = numberOf(operations, name.slice(cache.length + 1));
    if (operation !== undefined) return id | operation;
  }
  return undefined;
}

/** What may be named, for messages. */
export const eventNames = {
  hardware: Object.keys(hardware),
  software: Object.keys(software),
  cache: Object.keys(caches).flatMap((cache) => Object.keys(operations).map((name) => `${cache}-${name}`)),
} as const;

function numberOf(table: Readonly<Record<string, number>>, name: string): number | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
