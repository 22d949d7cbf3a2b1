import { Fields } from './fields.js';
import type { BpfRoute } from './kernel.js';
import { Attributes, type NetlinkRequest, NLM_F } from './netlink.js';
import { RTM } from './rtnetlink.js';

// include/uapi/linux/{rtnetlink,lwtunnel,seg6_local}.h
const RTA = { DST: 1, OIF: 4, GATEWAY: 5, PRIORITY: 6, TABLE: 15, ENCAP_TYPE: 21, ENCAP: 22 } as const;
const LWTUNNEL_ENCAP_BPF = 6;
const LWTUNNEL_ENCAP_SEG6_LOCAL = 7;
const LWT_BPF = { in: 1, out: 2, xmit: 3 } as const;
const LWT_BPF_XMIT_HEADROOM = 4;
const LWT_BPF_PROG = { FD: 1, NAME: 2 } as const;
const SEG6_LOCAL = { ACTION: 1, BPF: 8 } as const;
const SEG6_LOCAL_ACTION_END_BPF = 15;

const AF_INET = 2;
const AF_INET6 = 10;
const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RTN_UNICAST = 1;

/** `struct rtmsg`. */
const RTMSG = { family: 0, dst_len: 1, table: 4, protocol: 5, scope: 6, type: 7, size: 12 } as const;

/** RTM_NEWROUTE of a route whose packets run a program. EEXIST when there is a route to the same place. */
export function routeRequest(route: BpfRoute): NetlinkRequest {
  return request(RTM.NEWROUTE, NLM_F.CREATE | NLM_F.EXCL, route);
}

/** RTM_DELROUTE of that route; the kernel compares the name, so that it is no other. */
export function routeDeletion(route: BpfRoute): NetlinkRequest {
  return request(RTM.DELROUTE, 0, route);
}

function request(type: number, flags: number, route: BpfRoute): NetlinkRequest {
  const { destination, prefixLength, ifindex, gateway, metric, table = RT_TABLE_MAIN } = route;
  const isV6 = destination.length === 16;
  const body = new Fields(RTMSG.size)
    .u8(RTMSG.family, isV6 ? AF_INET6 : AF_INET)
    .u8(RTMSG.dst_len, prefixLength)
    // Larger numbers stand in the attribute alone.
    .u8(RTMSG.table, table < 256 ? table : 0)
    .u8(RTMSG.protocol, RTPROT_STATIC)
    .u8(RTMSG.scope, gateway === undefined && !isV6 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE)
    .u8(RTMSG.type, RTN_UNICAST);
  const attributes = new Attributes().bytes(RTA.DST, destination).u32(RTA.OIF, ifindex);
  if (gateway !== undefined) attributes.bytes(RTA.GATEWAY, gateway);
  attributes.u32(RTA.PRIORITY, metric).u32(RTA.TABLE, table);
  return { type, flags: flags | NLM_F.ACK, body, attributes: encapsulation(attributes, route) };
}

function encapsulation(attributes: Attributes, { prog, name, hook, headroom }: BpfRoute): Attributes {
  const program = (inner: Attributes) => inner.u32(LWT_BPF_PROG.FD, prog).text(LWT_BPF_PROG.NAME, name);
  if (hook === 'seg6local') {
    return attributes
      .nest(RTA.ENCAP, (encap) =>
        encap.u32(SEG6_LOCAL.ACTION, SEG6_LOCAL_ACTION_END_BPF).nest(SEG6_LOCAL.BPF, program),
      )
      .bytes(RTA.ENCAP_TYPE, u16(LWTUNNEL_ENCAP_SEG6_LOCAL));
  }
  return attributes
    .nest(RTA.ENCAP, (encap) => encap.nest(LWT_BPF[hook], program).u32(LWT_BPF_XMIT_HEADROOM, headroom))
    .bytes(RTA.ENCAP_TYPE, u16(LWTUNNEL_ENCAP_BPF));
}

function u16(value: number): Uint8Array {
  return new Fields(2).u16(0, value).bytes;
}
