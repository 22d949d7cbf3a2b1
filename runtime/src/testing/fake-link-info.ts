import type { AttachType, LinkCreate, LinkInfo, PerfEvent, PerfEventInfo } from '../kernel/kernel.js';
import {
  BPF_ATTACH_TYPE,
  BPF_LINK_TYPE,
  CGROUP_ITER_ORDER,
  NETFILTER_FAMILY,
  NETFILTER_HOOK,
  PERF_TYPE_TRACEPOINT,
} from '../uapi.js';
import type { FakeLink } from './descriptors.js';
import { linkTypes } from './link-types.js';

/** How a link was made, beyond what a {@link FakeLink} shows. */
export interface Making {
  readonly options?: LinkCreate['options'];
  readonly ifindex?: number | undefined;
  /** Of the map it is attached to. */
  readonly mapId?: number | undefined;
  readonly event?: PerfEvent | undefined;
}

// As host-files.ts has the types of these.
const KPROBE_PMU = 8;
const UPROBE_PMU = 9;

const kprobeMultiTypes: readonly number[] = [
  BPF_ATTACH_TYPE.TRACE_KPROBE_MULTI,
  BPF_ATTACH_TYPE.TRACE_KPROBE_SESSION,
];
const uprobeMultiTypes: readonly number[] = [
  BPF_ATTACH_TYPE.TRACE_UPROBE_MULTI,
  BPF_ATTACH_TYPE.TRACE_UPROBE_SESSION,
];

/** `enum bpf_link_type`. */
export function linkType({ via, attachType }: FakeLink): number {
  if (via === 'raw_tracepoint') return BPF_LINK_TYPE.RAW_TRACEPOINT;
  if (attachType === BPF_ATTACH_TYPE.STRUCT_OPS) return BPF_LINK_TYPE.STRUCT_OPS;
  if (attachType === BPF_ATTACH_TYPE.XDP) return BPF_LINK_TYPE.XDP;
  if (attachType === BPF_ATTACH_TYPE.TRACE_ITER) return BPF_LINK_TYPE.ITER;
  if (uprobeMultiTypes.includes(attachType)) return BPF_LINK_TYPE.UPROBE_MULTI;
  if (kprobeMultiTypes.includes(attachType)) return BPF_LINK_TYPE.KPROBE_MULTI;
  const known = linkTypes.get(attachType);
  if (known !== undefined) return known;
  return attachType === BPF_ATTACH_TYPE.PERF_EVENT ? BPF_LINK_TYPE.PERF_EVENT : BPF_LINK_TYPE.TRACING;
}

/** What the newest kernels tell of such a link. */
export function linkInfo(fake: FakeLink, making: Making): LinkInfo {
  const type = linkType(fake);
  const link = { id: fake.id, progId: fake.program.id };
  const attachType = nameOf(BPF_ATTACH_TYPE, fake.attachType) as AttachType; // of that table
  const { ifindex = 0, mapId = 0, options } = making;
  const { cookie } = fake;
  switch (type) {
    case BPF_LINK_TYPE.RAW_TRACEPOINT:
      return { type: 'raw_tracepoint', ...link, tracepoint: fake.target, cookie };
    case BPF_LINK_TYPE.CGROUP:
      return { type: 'cgroup', ...link, cgroupId: BigInt(numberOf(fake.target)), attachType };
    case BPF_LINK_TYPE.NETNS:
      return { type: 'netns', ...link, netnsInode: numberOf(fake.target), attachType };
    case BPF_LINK_TYPE.XDP:
      return { type: 'xdp', ...link, ifindex };
    case BPF_LINK_TYPE.TCX:
      return { type: 'tcx', ...link, ifindex, attachType };
    case BPF_LINK_TYPE.NETKIT:
      return { type: 'netkit', ...link, ifindex, attachType };
    case BPF_LINK_TYPE.SOCKMAP:
      return { type: 'sockmap', ...link, mapId, attachType };
    case BPF_LINK_TYPE.STRUCT_OPS:
      return { type: 'struct_ops', ...link, mapId: fake.program.maps[0]?.id ?? 0 };
    case BPF_LINK_TYPE.PERF_EVENT:
      return making.event === undefined
        ? { type: 'perf_event', ...link }
        : { type: 'perf_event', ...link, event: eventInfo(making.event, cookie) };
    case BPF_LINK_TYPE.ITER:
      return { type: 'iter', ...link, ...iterInfo(options, mapId) };
    default:
      return ofOptions(options, link) ?? { type: 'tracing', ...link, attachType, cookie };
  }
}

/** Links that are known by what they were made with. */
function ofOptions(
  options: LinkCreate['options'],
  link: { readonly id: number; readonly progId: number },
): LinkInfo | undefined {
  switch (options?.kind) {
    case 'netfilter': {
      const { family, hook, priority, flags } = options;
      const names = { family: nameOf(NETFILTER_FAMILY, family), hook: nameOf(NETFILTER_HOOK, hook) };
      return { type: 'netfilter', ...link, ...names, priority, flags };
    }
    case 'kprobe_multi': {
      const { functions, flags, cookies } = options;
      const addresses = 'addresses' in functions ? Array.from(functions.addresses) : undefined;
      const count = 'symbols' in functions ? functions.symbols.length : functions.addresses.length;
      return {
        type: 'kprobe_multi',
        ...link,
        count,
        flags,
        missed: 0n,
        ...(addresses === undefined ? {} : { addresses }),
        cookies: Array.from({ length: count }, (_, index) => cookies?.[index] ?? 0n),
      };
    }
    case 'uprobe_multi': {
      const { path, offsets, flags = 0, pid = 0, cookies, refCtrOffsets } = options;
      const each = (given: readonly bigint[] | undefined) => offsets.map((_, i) => given?.[i] ?? 0n);
      return {
        type: 'uprobe_multi',
        ...link,
        path,
        count: offsets.length,
        flags,
        pid,
        offsets,
        refCtrOffsets: each(refCtrOffsets),
        cookies: each(cookies),
      };
    }
    default:
      return undefined;
  }
}

function iterInfo(options: LinkCreate['options'], mapId: number): object {
  const of = options?.kind === 'iter' ? options.of : undefined;
  if (of === undefined) return {};
  if ('map' in of) return { mapId };
  if ('order' in of)
    return { cgroupId: of.cgroupId ?? 0n, order: nameOf(CGROUP_ITER_ORDER, of.order), target: 'cgroup' };
  return {
    ...(of.tid === undefined ? {} : { tid: of.tid }),
    ...(of.pid === undefined ? {} : { pid: of.pid }),
  };
}

function eventInfo(event: PerfEvent, cookie: bigint): PerfEventInfo {
  const isReturn = (event.config & 1n) !== 0n;
  const name = event.target ?? '';
  const offset = Number(event.config2 ?? 0n);
  switch (event.type) {
    case KPROBE_PMU:
      return {
        kind: isReturn ? 'kretprobe' : 'kprobe',
        functionName: name,
        offset: name === '' ? 0 : offset,
        ...(name === '' ? { address: event.config2 ?? 0n } : {}),
        missed: 0n,
        cookie,
      };
    case UPROBE_PMU:
      return {
        kind: isReturn ? 'uretprobe' : 'uprobe',
        path: name,
        offset,
        cookie,
        refCtrOffset: event.config >> 32n,
      };
    case PERF_TYPE_TRACEPOINT:
      return { kind: 'tracepoint', name: `${event.config}`, cookie };
    default:
      return { kind: 'event', eventType: event.type, config: event.config, cookie };
  }
}

function nameOf<Name extends string>(names: Readonly<Record<Name, number>>, value: number): Name | number {
  return (Object.keys(names) as Name[]).find((name) => names[name] === value) ?? value; // its own keys
}

/** An inode for a path, always the same for the same path. */
function numberOf(path: string): number {
  let hash = 0;
  for (const char of path) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) % 4_000_000_000;
  return hash + 1;
}
