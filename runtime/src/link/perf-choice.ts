import { printable } from '../errors.js';
import type { Kernel, PerfEvent } from '../kernel/kernel.js';
import {
  PERF_TYPE_BREAKPOINT,
  PERF_TYPE_HARDWARE,
  PERF_TYPE_HW_CACHE,
  PERF_TYPE_RAW,
  PERF_TYPE_SOFTWARE,
} from '../uapi.js';
import type { Reason } from './attach-error.js';
import { nearest } from './nearest.js';
import {
  type CacheEvent,
  cacheConfig,
  eventNames,
  type HardwareEvent,
  hardwareConfig,
  type SoftwareEvent,
  softwareConfig,
} from './perf-names.js';
import { list, readText } from './text.js';

/** What a perf_event program runs on. */
export type PerfEventChoice =
  | { readonly type: 'software'; readonly config: SoftwareEvent }
  | { readonly type: 'hardware'; readonly config: HardwareEvent }
  | { readonly type: 'cache'; readonly config: CacheEvent }
  /** A counter by the number that the processor's manual gives it. */
  | { readonly type: 'raw'; readonly config: number | bigint }
  /** Execution, or reads and writes, of memory: an address of the kernel, or of the process `pid`. */
  | BreakpointChoice
  /** An event of any unit the kernel knows: a directory of `/sys/bus/event_source/devices`. */
  | {
      readonly type: 'pmu';
      readonly pmu: string;
      readonly config: number | bigint;
      readonly config1?: number | bigint;
      readonly config2?: number | bigint;
    };

export interface BreakpointChoice {
  readonly type: 'breakpoint';
  readonly address: bigint;
  readonly access: 'read' | 'write' | 'read-write' | 'execute';
  /** Bytes: 1, 2, 4 (the default) or 8. Not for `execute`. */
  readonly length?: number;
}

/** Which part of `struct perf_event_attr` a choice decides; or why there is no such event. */
export type ChosenEvent = Pick<PerfEvent, 'type' | 'config' | 'config1' | 'config2' | 'breakpointType'>;

const devices = '/sys/bus/event_source/devices';

// include/uapi/linux/hw_breakpoint.h
const accesses = { read: 1, write: 2, 'read-write': 3, execute: 4 } as const;

/** The numbers of an event; a Reason when it has none here. */
export function chooseEvent(kernel: Kernel, choice: PerfEventChoice): ChosenEvent | Reason {
  switch (choice.type) {
    case 'software':
      return named(PERF_TYPE_SOFTWARE, choice, softwareConfig(choice.config));
    case 'hardware':
      return named(PERF_TYPE_HARDWARE, choice, hardwareConfig(choice.config));
    case 'cache':
      return named(PERF_TYPE_HW_CACHE, choice, cacheConfig(choice.config));
    case 'raw':
      return { type: PERF_TYPE_RAW, config: BigInt(choice.config) };
    case 'breakpoint':
      return breakpoint(kernel, choice);
    case 'pmu':
      return unitEvent(kernel, choice);
    default:
      return {
        why: `there is no type of perf event called ${printable(String((choice as { type: unknown }).type))}`,
      };
  }
}

type Named = Extract<PerfEventChoice, { type: 'software' | 'hardware' | 'cache' }>;

function named(type: number, choice: Named, config: number | undefined): ChosenEvent | Reason {
  if (config !== undefined) return { type, config: BigInt(config) };
  const near = nearest(String(choice.config), eventNames[choice.type]);
  const known = near.length > 0 ? near : eventNames[choice.type].slice(0, 6);
  return {
    why: `there is no ${choice.type} event called ${printable(String(choice.config))}`,
    hint: `${near.length > 0 ? 'Similar names' : 'Among others there are'}: ${known.join(', ')}`,
  };
}

function breakpoint(kernel: Kernel, { address, access, length = 4 }: BreakpointChoice): ChosenEvent {
  return {
    type: PERF_TYPE_BREAKPOINT,
    config: 0n,
    breakpointType: accesses[access],
    config1: address,
    // The kernel wants the size of a long for execution, whatever the instruction's.
    config2: BigInt(access === 'execute' ? wordSize(kernel) : length),
  };
}

function wordSize({ arch }: Kernel): number {
  return arch === 'ia32' || arch === 'arm' || arch === 'mips' ? 4 : 8;
}

type UnitChoice = Extract<PerfEventChoice, { type: 'pmu' }>;

function unitEvent(kernel: Kernel, { pmu, config, config1, config2 }: UnitChoice): ChosenEvent | Reason {
  const inside = /^[\w.-]+$/.test(pmu) && !/^\.+$/.test(pmu);
  const type = inside ? readText(kernel, `${devices}/${pmu}/type`)?.trim() : undefined;
  if (type === undefined || !/^\d{1,9}$/.test(type)) {
    const known = list(kernel, devices) ?? [];
    return {
      why: `this kernel has no event source ${printable(pmu)}`,
      ...(known.length > 0 ? { hint: `It has ${known.map((name) => printable(name)).join(', ')}` } : {}),
    };
  }
  return {
    type: Number(type),
    config: BigInt(config),
    ...(config1 === undefined ? {} : { config1: BigInt(config1) }),
    ...(config2 === undefined ? {} : { config2: BigInt(config2) }),
  };
}

/** `cpu-clock`, `breakpoint 0xffffffff81000000`, `msr 0x1`. */
export function describeEvent(choice: PerfEventChoice): string {
  switch (choice.type) {
    case 'breakpoint':
      return `breakpoint 0x${choice.address.toString(16)}`;
    case 'raw':
      return `raw 0x${choice.config.toString(16)}`;
    case 'pmu':
      return `${choice.pmu} 0x${choice.config.toString(16)}`;
    default:
      return String(choice.config);
  }
}

/** True when the processor's own counters are not to be seen. */
export function lacksCounters(kernel: Kernel): boolean {
  const units = list(kernel, devices);
  // `cpu`, on hybrid machines `cpu_core` and `cpu_atom`, on ARM `armv8_pmuv3_0`.
  return units !== undefined && !units.some((name) => /^(cpu|armv\d)/.test(name));
}
