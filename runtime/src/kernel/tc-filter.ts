import { hostLittleEndian, type Reader } from '../bytes.js';
import { Fields } from './fields.js';
import type { TcDirection, TcFilter, TcFilterKey, TcFilterSet } from './kernel.js';
import {
  Attributes,
  BODY,
  type NetlinkMessage,
  type NetlinkRequest,
  NLM_F,
  parseAttributes,
  parseNested,
} from './netlink.js';
import { RTM } from './rtnetlink.js';

// include/uapi/linux/{rtnetlink,pkt_sched,pkt_cls}.h and tc_act/tc_bpf.h
const TCA = { KIND: 1, OPTIONS: 2 } as const;
const TCA_BPF = { FD: 6, NAME: 7, FLAGS: 8, ID: 11 } as const;
const TCA_BPF_FLAG_ACT_DIRECT = 1;
const TCA_MATCHALL_ACT = 2;
const TCA_ACT = { KIND: 1, OPTIONS: 2 } as const;
const TCA_ACT_BPF = { PARMS: 2, FD: 5, NAME: 6, ID: 9 } as const;
/** `struct tc_act_bpf`: index, capabilities, action, two counts. */
const TC_ACT_BPF_SIZE = 20;
/** The first action of a filter. */
const FIRST = 1;

const TC_H_CLSACT = 0xfffffff1;
const TC_H_CLSACT_HANDLE = 0xffff0000;
const parents: Readonly<Record<TcDirection, number>> = { ingress: 0xfffffff2, egress: 0xfffffff3 };

/** `struct tcmsg`. */
const TCM = { family: 0, ifindex: 4, handle: 8, parent: 12, info: 16, size: 20 } as const;

/** ETH_P_ALL in network order. */
const EVERY_PROTOCOL = hostLittleEndian ? 0x0300 : 0x0003;

/** RTM_NEWQDISC: the clsact qdisc, which holds filters of both directions. EEXIST when there is one. */
export function clsactRequest(ifindex: number): NetlinkRequest {
  return {
    type: RTM.NEWQDISC,
    flags: NLM_F.ACK | NLM_F.CREATE | NLM_F.EXCL,
    body: tcmsg(ifindex, TC_H_CLSACT).u32(TCM.handle, TC_H_CLSACT_HANDLE),
    attributes: new Attributes().text(TCA.KIND, 'clsact'),
  };
}

export function clsactDeletion(ifindex: number): NetlinkRequest {
  return {
    type: RTM.DELQDISC,
    flags: NLM_F.ACK,
    body: tcmsg(ifindex, TC_H_CLSACT).u32(TCM.handle, TC_H_CLSACT_HANDLE),
    attributes: new Attributes().text(TCA.KIND, 'clsact'),
  };
}

/** RTM_GETQDISC of what holds the filters of received packets. ENOENT when nothing does. */
export function qdiscQuery(ifindex: number): NetlinkRequest {
  // Without ECHO the answer goes to those who listen for changes.
  return { type: RTM.GETQDISC, flags: NLM_F.ACK | NLM_F.ECHO, body: tcmsg(ifindex, TC_H_CLSACT) };
}

/** The kind of a qdisc; undefined for other messages. */
export function parseQdisc({ type, reader }: NetlinkMessage): string | undefined {
  if (type !== RTM.NEWQDISC) return undefined;
  return parseAttributes(reader, BODY + TCM.size)
    .get(TCA.KIND)
    ?.cstring(0);
}

/** RTM_NEWTFILTER as bpf_tc_attach of libbpf makes it; the answer tells handle and priority that the kernel chose. */
export function filterRequest(filter: TcFilterSet): NetlinkRequest {
  const { ifindex, direction, priority = 0, handle = 0, replace = false } = filter;
  return {
    type: RTM.NEWTFILTER,
    flags: NLM_F.ACK | NLM_F.ECHO | NLM_F.CREATE | (replace ? NLM_F.REPLACE : NLM_F.EXCL),
    body: filterBody({ ifindex, direction, priority, handle }),
    attributes: filter.as === 'classifier' ? classifier(filter) : action(filter),
  };
}

function classifier({ prog, name }: TcFilterSet): Attributes {
  return new Attributes()
    .text(TCA.KIND, 'bpf')
    .nest(TCA.OPTIONS, (options) =>
      options.u32(TCA_BPF.FD, prog).text(TCA_BPF.NAME, name).u32(TCA_BPF.FLAGS, TCA_BPF_FLAG_ACT_DIRECT),
    );
}

/** A filter that every packet matches, with the program as its action. */
function action({ prog, name }: TcFilterSet): Attributes {
  return new Attributes()
    .text(TCA.KIND, 'matchall')
    .nest(TCA.OPTIONS, (options) =>
      options.nest(TCA_MATCHALL_ACT, (actions) =>
        actions.nest(FIRST, (first) =>
          first
            .text(TCA_ACT.KIND, 'bpf')
            .nest(TCA_ACT.OPTIONS, (bpf) =>
              bpf
                .bytes(TCA_ACT_BPF.PARMS, new Uint8Array(TC_ACT_BPF_SIZE))
                .u32(TCA_ACT_BPF.FD, prog)
                .text(TCA_ACT_BPF.NAME, name),
            ),
        ),
      ),
    );
}

export function filterDeletion(key: TcFilterKey): NetlinkRequest {
  return { type: RTM.DELTFILTER, flags: NLM_F.ACK, body: filterBody(key) };
}

/** RTM_GETTFILTER of every filter of one direction. */
export function filterQuery(ifindex: number, direction: TcDirection): NetlinkRequest {
  return { type: RTM.GETTFILTER, flags: NLM_F.DUMP, body: tcmsg(ifindex, parents[direction]) };
}

/** One filter; undefined for other messages, and for the heading of a priority's filters. */
export function parseFilter({ type, reader }: NetlinkMessage): TcFilter | undefined {
  if (type !== RTM.NEWTFILTER) return undefined;
  const handle = reader.u32(BODY + TCM.handle);
  const priority = reader.u32(BODY + TCM.info) >>> 16;
  const attributes = parseAttributes(reader, BODY + TCM.size);
  const options = attributes.get(TCA.OPTIONS);
  if (handle === 0 || options === undefined) return undefined;
  const kind = attributes.get(TCA.KIND)?.cstring(0) ?? '';
  return { kind, handle, priority, ...programOf(kind, options) };
}

/** The priority a filter, or the heading of filters, is of; undefined for other messages. */
export function parsePriority({ type, reader }: NetlinkMessage): number | undefined {
  return type === RTM.NEWTFILTER ? reader.u32(BODY + TCM.info) >>> 16 : undefined;
}

/** The program a filter runs: its own, or that of its first action. */
function programOf(kind: string, options: Reader): Pick<TcFilter, 'progId' | 'name'> {
  const values = parseNested(options);
  if (kind === 'bpf') {
    return { progId: values.get(TCA_BPF.ID)?.u32(0) ?? 0, name: values.get(TCA_BPF.NAME)?.cstring(0) };
  }
  if (kind !== 'matchall') return { progId: 0, name: undefined };
  const first = parseNested(parseNested(values.get(TCA_MATCHALL_ACT)).get(FIRST));
  const isBpf = first.get(TCA_ACT.KIND)?.cstring(0) === 'bpf';
  const bpf = isBpf ? parseNested(first.get(TCA_ACT.OPTIONS)) : undefined;
  return { progId: bpf?.get(TCA_ACT_BPF.ID)?.u32(0) ?? 0, name: bpf?.get(TCA_ACT_BPF.NAME)?.cstring(0) };
}

function filterBody({ ifindex, direction, priority, handle }: TcFilterKey): Fields {
  // As an unsigned number: a priority above 32767 sets the top bit.
  const info = ((priority << 16) | EVERY_PROTOCOL) >>> 0;
  return tcmsg(ifindex, parents[direction]).u32(TCM.handle, handle).u32(TCM.info, info);
}

function tcmsg(ifindex: number, parent: number): Fields {
  return new Fields(TCM.size).u32(TCM.ifindex, ifindex).u32(TCM.parent, parent);
}
