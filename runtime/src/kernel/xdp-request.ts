import type { Reader } from '../bytes.js';
import { Fields } from './fields.js';
import type { XdpQuery } from './kernel.js';
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

const IFLA_XDP = 43;
const XDP = {
  FD: 1,
  ATTACHED: 2,
  FLAGS: 3,
  PROG_ID: 4,
  DRV_PROG_ID: 5,
  SKB_PROG_ID: 6,
  HW_PROG_ID: 7,
  EXPECTED_FD: 8,
} as const;
const XDP_ATTACHED = ['none', 'native', 'generic', 'offload', 'multi'] as const;

/** `struct ifinfomsg`. */
const IFINFO = { family: 0, index: 4, size: 16 } as const;

/** RTM_SETLINK that sets (fd) or clears (-1) the XDP program of a device. */
export function xdpRequest(ifindex: number, fd: number, flags: number, expected?: number): NetlinkRequest {
  const attributes = new Attributes().nest(IFLA_XDP, (xdp) =>
    xdp
      .u32(XDP.FD, fd)
      .u32(XDP.FLAGS, flags === 0 ? undefined : flags)
      .u32(XDP.EXPECTED_FD, expected),
  );
  return { type: RTM.SETLINK, flags: NLM_F.ACK, body: ifinfo(ifindex), attributes };
}

/** RTM_GETLINK of one device. */
export function linkQuery(ifindex: number): NetlinkRequest {
  return { type: RTM.GETLINK, flags: NLM_F.ACK, body: ifinfo(ifindex) };
}

function ifinfo(ifindex: number): Fields {
  return new Fields(IFINFO.size).u32(IFINFO.index, ifindex);
}

/** The XDP programs of a device; undefined for messages that are not of a device. */
export function parseXdp({ type, reader }: NetlinkMessage): XdpQuery | undefined {
  if (type !== RTM.NEWLINK) return undefined;
  return xdpOf(parseAttributes(reader, BODY + IFINFO.size).get(IFLA_XDP));
}

function xdpOf(attribute: Reader | undefined): XdpQuery {
  const values = parseNested(attribute);
  const id = (type: number): number => values.get(type)?.u32(0) ?? 0;
  const mode = XDP_ATTACHED[values.get(XDP.ATTACHED)?.u8(0) ?? 0] ?? 'none';
  // Before 4.19 there is one id, of the one mode.
  const only = (is: XdpQuery['mode']): number => (mode === is ? id(XDP.PROG_ID) : 0);
  return {
    mode,
    native: id(XDP.DRV_PROG_ID) || only('native'),
    generic: id(XDP.SKB_PROG_ID) || only('generic'),
    offload: id(XDP.HW_PROG_ID) || only('offload'),
  };
}
