import {
  BPF_ATTACH_TYPE,
  BPF_LINK_TYPE,
  BPF_PERF_EVENT_TYPE,
  CGROUP_ITER_ORDER,
  NETFILTER_FAMILY,
  NETFILTER_HOOK,
} from '../uapi.js';
import { Fields } from './fields.js';
import type { AttachType, LinkInfo, PerfEventInfo } from './kernel.js';
import { LINK_INFO, LinkAnswer, type LinkAsk, type LinkQuestion, NO_QUESTION } from './link-answer.js';

const at = LINK_INFO;

/** What to ask of each type of link; the first answer tells how many places a link has. */
const questions: Readonly<Record<number, (first: Fields) => LinkQuestion>> = {
  [BPF_LINK_TYPE.RAW_TRACEPOINT]: () => ({
    text: [at.raw_tracepoint.tp_name, at.raw_tracepoint.tp_name_len],
    marks: [at.raw_tracepoint.cookie],
  }),
  [BPF_LINK_TYPE.TRACING]: () => ({
    marks: [at.tracing.target_obj_id, at.tracing.target_btf_id, at.tracing.cookie],
  }),
  [BPF_LINK_TYPE.ITER]: () => ({
    text: [at.iter.target_name, at.iter.target_name_len],
    marks: [at.iter.map_id, at.iter.cgroup_id, at.iter.pid, at.iter.order],
  }),
  [BPF_LINK_TYPE.PERF_EVENT]: () => ({
    text: [at.perf_event.name, at.perf_event.name_len],
    marks: [at.perf_event.type, at.perf_event.word_40, at.perf_event.word_48, at.perf_event.word_56],
  }),
  [BPF_LINK_TYPE.KPROBE_MULTI]: (first) => ({
    count: [at.kprobe_multi.count, first.readU32(at.kprobe_multi.count)],
    arrays: [at.kprobe_multi.addrs, at.kprobe_multi.cookies],
    marks: [at.kprobe_multi.flags, at.kprobe_multi.missed],
  }),
  [BPF_LINK_TYPE.UPROBE_MULTI]: (first) => ({
    text: [at.uprobe_multi.path, at.uprobe_multi.path_size],
    count: [at.uprobe_multi.count, first.readU32(at.uprobe_multi.count)],
    arrays: [at.uprobe_multi.offsets, at.uprobe_multi.ref_ctr_offsets, at.uprobe_multi.cookies],
    marks: [at.uprobe_multi.flags, at.uprobe_multi.pid],
  }),
};

/**
 * Everything the kernel tells of a link. `ask` is BPF_OBJ_GET_INFO_BY_FD: it fills the structure, which is asked for twice
 * where older kernels leave parts of it alone.
 */
export function readLink(ask: LinkAsk, addressOf: (bytes: Uint8Array) => bigint): LinkInfo {
  const first = new Fields(LINK_INFO.size);
  const known = ask(first);
  const question = questions[first.readU32(at.type)]?.(first) ?? NO_QUESTION;
  return decode(new LinkAnswer(ask, addressOf, first, known, question));
}

function decode(answer: LinkAnswer): LinkInfo {
  const type = answer.u32(at.type);
  const link = { id: answer.u32(at.id), progId: answer.u32(at.prog_id) };
  const attachType = (offset: number): AttachType => nameOf(BPF_ATTACH_TYPE, answer.u32(offset));
  switch (type) {
    case BPF_LINK_TYPE.RAW_TRACEPOINT:
      return {
        type: 'raw_tracepoint',
        ...link,
        tracepoint: answer.text ?? '',
        ...answer.told64({ cookie: at.raw_tracepoint.cookie }),
      };
    case BPF_LINK_TYPE.TRACING:
      return {
        type: 'tracing',
        ...link,
        attachType: attachType(at.tracing.attach_type),
        ...answer.told32({ targetObjId: at.tracing.target_obj_id, targetBtfId: at.tracing.target_btf_id }),
        ...answer.told64({ cookie: at.tracing.cookie }),
      };
    case BPF_LINK_TYPE.CGROUP:
      return {
        type: 'cgroup',
        ...link,
        cgroupId: answer.u64(at.cgroup.cgroup_id),
        attachType: attachType(at.cgroup.attach_type),
      };
    case BPF_LINK_TYPE.ITER:
      return iterator(answer, link);
    case BPF_LINK_TYPE.NETNS:
      return {
        type: 'netns',
        ...link,
        netnsInode: answer.u32(at.netns.netns_ino),
        attachType: attachType(at.netns.attach_type),
      };
    case BPF_LINK_TYPE.XDP:
      return { type: 'xdp', ...link, ifindex: answer.u32(at.xdp.ifindex) };
    case BPF_LINK_TYPE.PERF_EVENT: {
      const event = perfEvent(answer);
      return { type: 'perf_event', ...link, ...(event === undefined ? {} : { event }) };
    }
    case BPF_LINK_TYPE.KPROBE_MULTI:
      return kprobes(answer, link);
    case BPF_LINK_TYPE.UPROBE_MULTI:
      return uprobes(answer, link);
    case BPF_LINK_TYPE.STRUCT_OPS:
      return { type: 'struct_ops', ...link, mapId: answer.u32(at.struct_ops.map_id) };
    case BPF_LINK_TYPE.NETFILTER:
      return {
        type: 'netfilter',
        ...link,
        family: nameOf(NETFILTER_FAMILY, answer.u32(at.netfilter.pf)),
        hook: nameOf(NETFILTER_HOOK, answer.u32(at.netfilter.hooknum)),
        priority: answer.u32(at.netfilter.priority) | 0,
        flags: answer.u32(at.netfilter.flags),
      };
    case BPF_LINK_TYPE.TCX:
    case BPF_LINK_TYPE.NETKIT:
      return {
        type: type === BPF_LINK_TYPE.TCX ? 'tcx' : 'netkit',
        ...link,
        ifindex: answer.u32(at.tcx.ifindex),
        attachType: attachType(at.tcx.attach_type),
      };
    case BPF_LINK_TYPE.SOCKMAP:
      return {
        type: 'sockmap',
        ...link,
        mapId: answer.u32(at.sockmap.map_id),
        attachType: attachType(at.sockmap.attach_type),
      };
    default:
      return { type: 'other', ...link, linkType: type };
  }
}

interface Identity {
  readonly id: number;
  readonly progId: number;
}

/** Cgroups and tasks share their words. */
function iterator(answer: LinkAnswer, link: Identity): LinkInfo {
  const target = answer.text;
  const order = answer.told32({ order: at.iter.order }).order;
  return {
    type: 'iter',
    ...link,
    ...(target === undefined ? {} : { target }),
    ...answer.told32({ mapId: at.iter.map_id }),
    ...(target === 'cgroup'
      ? {
          ...answer.told64({ cgroupId: at.iter.cgroup_id }),
          ...(order === undefined ? {} : { order: nameOf(CGROUP_ITER_ORDER, order) }),
        }
      : answer.told32({ tid: at.iter.tid, pid: at.iter.pid })),
  };
}

function kprobes(answer: LinkAnswer, link: Identity): LinkInfo {
  const addresses = answer.array(at.kprobe_multi.addrs);
  // Hidden ones are all zero.
  const shown = addresses?.some((address) => address !== 0n) ?? false;
  const cookies = answer.array(at.kprobe_multi.cookies);
  const flags = answer.told32({ flags: at.kprobe_multi.flags });
  return {
    type: 'kprobe_multi',
    ...link,
    ...(flags.flags === undefined ? {} : { count: answer.u32(at.kprobe_multi.count) }),
    ...flags,
    ...answer.told64({ missed: at.kprobe_multi.missed }),
    ...(addresses === undefined || !shown ? {} : { addresses }),
    ...(cookies === undefined ? {} : { cookies }),
  };
}

function uprobes(answer: LinkAnswer, link: Identity): LinkInfo {
  const told = answer.told32({ flags: at.uprobe_multi.flags, pid: at.uprobe_multi.pid });
  // Kernels that tell nothing of these links tell no path.
  const path = answer.text;
  if (path === undefined) return { type: 'uprobe_multi', ...link };
  const offsets = answer.array(at.uprobe_multi.offsets);
  const refCtrOffsets = answer.array(at.uprobe_multi.ref_ctr_offsets);
  const cookies = answer.array(at.uprobe_multi.cookies);
  return {
    type: 'uprobe_multi',
    ...link,
    path,
    count: answer.u32(at.uprobe_multi.count),
    ...told,
    ...(offsets === undefined ? {} : { offsets }),
    ...(refCtrOffsets === undefined ? {} : { refCtrOffsets }),
    ...(cookies === undefined ? {} : { cookies }),
  };
}

function perfEvent(answer: LinkAnswer): PerfEventInfo | undefined {
  const { perf_event: event } = at;
  const { type } = answer.told32({ type: event.type });
  const name = answer.text ?? '';
  const offset = answer.u32(event.offset);
  switch (type) {
    case BPF_PERF_EVENT_TYPE.KPROBE:
    case BPF_PERF_EVENT_TYPE.KRETPROBE: {
      const address = answer.u64(event.word_40);
      return {
        kind: type === BPF_PERF_EVENT_TYPE.KPROBE ? 'kprobe' : 'kretprobe',
        functionName: name,
        offset,
        ...(address === 0n ? {} : { address }),
        ...answer.told64({ missed: event.word_48, cookie: event.word_56 }),
      };
    }
    case BPF_PERF_EVENT_TYPE.UPROBE:
    case BPF_PERF_EVENT_TYPE.URETPROBE:
      return {
        kind: type === BPF_PERF_EVENT_TYPE.UPROBE ? 'uprobe' : 'uretprobe',
        path: name,
        offset,
        ...answer.told64({ cookie: event.word_40, refCtrOffset: event.word_48 }),
      };
    case BPF_PERF_EVENT_TYPE.TRACEPOINT:
      return { kind: 'tracepoint', name, ...answer.told64({ cookie: event.word_40 }) };
    case BPF_PERF_EVENT_TYPE.EVENT:
      return {
        kind: 'event',
        eventType: answer.u32(event.event_type),
        config: answer.u64(event.config),
        ...answer.told64({ cookie: event.word_40 }),
      };
    default:
      return undefined;
  }
}

/** The name of a number of the kernel; the number itself when it is none of these. */
function nameOf<Name extends string>(names: Readonly<Record<Name, number>>, value: number): Name | number {
  return (Object.keys(names) as Name[]).find((name) => names[name] === value) ?? value; // its own keys
}
