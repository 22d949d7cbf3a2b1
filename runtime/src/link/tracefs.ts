import { printable } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import type { Reason } from './attach-error.js';
import { nearest } from './nearest.js';
import { list, readText } from './text.js';

const roots = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'] as const;

/** Where tracefs is mounted, undefined when it is nowhere, or closed to this process. */
export function tracefsRoot(kernel: Kernel): string | undefined {
  return roots.find((root) => list(kernel, `${root}/events`) !== undefined);
}

/** Why nothing under tracefs can be found. */
export function whyNoTracefs(kernel: Kernel): Reason {
  const mounts = [...(readText(kernel, '/proc/mounts') ?? '').matchAll(/^\S+ (\S+) tracefs /gm)];
  const mounted = mounts.find(([, path = '']) => roots.some((root) => root === path));
  if (mounted !== undefined) {
    return { why: `tracefs at ${mounted[1]} is closed to this process`, hint: 'Run as root' };
  }
  return {
    why: `tracefs is not mounted at ${roots[0]}`,
    hint: `Mount it: mount -t tracefs tracefs ${roots[0]}`,
  };
}

/** The number perf_event_open(2) knows an event by, wherever tracefs is mounted; undefined when there is no such event. */
export function findEvent(kernel: Kernel, group: string, name: string): bigint | undefined {
  for (const root of roots) {
    const id = eventId(kernel, root, group, name);
    if (id !== undefined) return id;
  }
  return undefined;
}

function eventId(kernel: Kernel, root: string, group: string, name: string): bigint | undefined {
  // A name with a slash or dots could leave the directory.
  if (!isName(group) || !isName(name)) return undefined;
  const text = readText(kernel, `${root}/events/${group}/${name}/id`)?.trim();
  return text !== undefined && /^\d+$/.test(text) ? BigInt(text) : undefined;
}

function isName(text: string): boolean {
  return /^[\w.-]+$/.test(text) && text !== '.' && text !== '..';
}

/** Why there is no tracepoint `category/name`, with what there is instead. */
export function whyNoTracepoint(kernel: Kernel, root: string, category: string, name: string): Reason {
  const full = `${category}/${name}`;
  const all = availableEvents(kernel, root);
  const elsewhere = all.filter((event) => event.endsWith(`/${name}`));
  const near = elsewhere.length > 0 ? elsewhere.slice(0, 4) : nearest(full, all);
  if (near.length > 0) {
    return { why: `this kernel has no tracepoint ${printable(full)}`, hint: `It has ${near.join(', ')}` };
  }
  const categories = list(kernel, `${root}/events`) ?? [];
  if (categories.includes(category)) {
    const names = (list(kernel, `${root}/events/${category}`) ?? []).filter((entry) => /^\w+$/.test(entry));
    return {
      why: `this kernel has no tracepoint ${printable(full)}`,
      hint: `Category ${category} has ${names.slice(0, 8).join(', ')}${names.length > 8 ? ', …' : ''}`,
    };
  }
  return {
    why: `this kernel has no tracepoint category ${printable(category)}`,
    hint: `See ${root}/available_events`,
  };
}

/** Every event as `category/name`. */
export function availableEvents(kernel: Kernel, root: string): string[] {
  const text = readText(kernel, `${root}/available_events`) ?? '';
  return text
    .split('\n')
    .filter((line) => line.includes(':'))
    .map((line) => line.replace(':', '/'));
}

let made = 0;

/** A probe made through `kprobe_events` or `uprobe_events`: perf events can name it by `id` until `remove`. */
export interface LegacyProbe {
  readonly id: bigint;
  remove(): void;
}

/**
 * Defines a kprobe event, as kernels without a kprobe PMU (before 4.17) want it. Writing throws what the kernel says
 * of the symbol; undefined when the event is defined but tracefs does not show its id.
 */
export function defineKprobe(
  kernel: Kernel,
  root: string,
  probe: { readonly symbol: string; readonly offset: number; readonly isReturn: boolean },
): LegacyProbe | undefined {
  const where = `${probe.symbol}+0x${probe.offset.toString(16)}`;
  return defineProbe(kernel, root, 'kprobe_events', probe.isReturn, probe.symbol, where);
}

/** The same for a place in a file. */
export function defineUprobe(
  kernel: Kernel,
  root: string,
  probe: { readonly path: string; readonly offset: number; readonly isReturn: boolean },
): LegacyProbe | undefined {
  const where = `${probe.path}:0x${probe.offset.toString(16)}`;
  const label = probe.path.slice(probe.path.lastIndexOf('/') + 1);
  return defineProbe(kernel, root, 'uprobe_events', probe.isReturn, label, where);
}

function defineProbe(
  kernel: Kernel,
  root: string,
  file: 'kprobe_events' | 'uprobe_events',
  isReturn: boolean,
  label: string,
  where: string,
): LegacyProbe | undefined {
  const control = `${root}/${file}`;
  const group = 'bpfskel';
  const name = uniqueName(label);
  kernel.writeFile(control, `${isReturn ? 'r' : 'p'}:${group}/${name} ${where}`, true);
  const remove = () => kernel.writeFile(control, `-:${group}/${name}`, true);
  const id = eventId(kernel, root, group, name);
  if (id === undefined) {
    remove();
    return undefined;
  }
  return { id, remove };
}

/** Unlike any other: processes and threads define events in one name space, at most 63 characters each. */
function uniqueName(label: string): string {
  made += 1;
  const random = Math.floor(Math.random() * 2 ** 32).toString(16);
  return `p${random}_${made}_${label.replace(/\W/g, '_')}`.slice(0, 63);
}
