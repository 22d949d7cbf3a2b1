import { hostLittleEndian, Reader } from '../bytes.js';
import { MalformedError } from '../errors.js';
import { Fields } from './fields.js';
import type { XdpQuery } from './kernel.js';

/** Message types of rtnetlink. */
export const RTM = { NEWLINK: 16, GETLINK: 18, SETLINK: 19 } as const;

const NLMSG_ERROR = 2;
const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;

const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;

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

/** `struct nlmsghdr`, `struct ifinfomsg`, `struct nlattr`. */
const HEADER = { length: 0, type: 4, flags: 6, seq: 8, size: 16 } as const;
const IFINFO = { family: 16, index: 20, size: 16 } as const;
const ATTR_HEADER = 4;
const BODY = HEADER.size + IFINFO.size;

/** RTM_SETLINK that sets (fd) or clears (-1) the XDP program of a device. */
export function xdpRequest(
  seq: number,
  ifindex: number,
  fd: number,
  flags: number,
  expected?: number,
): Uint8Array {
  const values: [type: number, value: number][] = [[XDP.FD, fd]];
  if (flags !== 0) values.push([XDP.FLAGS, flags]);
  if (expected !== undefined) values.push([XDP.EXPECTED_FD, expected]);
  const nested = ATTR_HEADER + values.length * (ATTR_HEADER + 4);
  const message = linkRequest(RTM.SETLINK, seq, ifindex, nested);
  message.u16(BODY, nested).u16(BODY + 2, NLA_F_NESTED | IFLA_XDP);
  let at = BODY + ATTR_HEADER;
  for (const [type, value] of values) {
    message
      .u16(at, ATTR_HEADER + 4)
      .u16(at + 2, type)
      .u32(at + ATTR_HEADER, value);
    at += ATTR_HEADER + 4;
  }
  return message.bytes;
}

/** RTM_GETLINK of one device. */
export function linkQuery(seq: number, ifindex: number): Uint8Array {
  return linkRequest(RTM.GETLINK, seq, ifindex, 0).bytes;
}

function linkRequest(type: number, seq: number, ifindex: number, payload: number): Fields {
  return new Fields(BODY + payload)
    .u32(HEADER.length, BODY + payload)
    .u16(HEADER.type, type)
    .u16(HEADER.flags, NLM_F_REQUEST | NLM_F_ACK)
    .u32(HEADER.seq, seq)
    .u8(IFINFO.family, 0)
    .u32(IFINFO.index, ifindex);
}

/** One message of an answer: the acknowledgement (`errno` 0) or refusal, or a device. */
export type Answer =
  | { readonly kind: 'ack'; readonly errno: number; readonly text: string | undefined }
  | { readonly kind: 'link'; readonly xdp: XdpQuery }
  | { readonly kind: 'other' };

/** The messages in one datagram that answer request `seq`. */
export function parseAnswer(datagram: Uint8Array, seq: number): Answer[] {
  const reader = new Reader(datagram, hostLittleEndian, 'netlink answer');
  const answers: Answer[] = [];
  for (let at = 0; at < datagram.length; ) {
    const length = reader.u32(at + HEADER.length);
    if (length < HEADER.size) throw new MalformedError('netlink answer', at, `message of ${length} bytes`);
    const message = new Reader(reader.slice(at, length), hostLittleEndian, 'netlink answer');
    if (message.u32(HEADER.seq) === seq) answers.push(parseMessage(message));
    at += align(length);
  }
  return answers;
}

function parseMessage(message: Reader): Answer {
  switch (message.u16(HEADER.type)) {
    case NLMSG_ERROR:
      return parseAck(message);
    case RTM.NEWLINK:
      return { kind: 'link', xdp: parseXdp(message) };
    default:
      return { kind: 'other' };
  }
}

/** `struct nlmsgerr`: an errno, the request (its header only when capped), then what the kernel has to say. */
function parseAck(message: Reader): Answer {
  const errno = Math.abs(message.i32(HEADER.size));
  const flags = message.u16(HEADER.flags);
  if ((flags & NLM_F_ACK_TLVS) === 0) return { kind: 'ack', errno, text: undefined };
  const request = HEADER.size + 4;
  const echoed = (flags & NLM_F_CAPPED) === 0 ? align(message.u32(request + HEADER.length)) : HEADER.size;
  const text = attributes(message, request + echoed, message.size).get(NLMSGERR_ATTR_MSG);
  return { kind: 'ack', errno, text: text?.cstring(0) };
}

function parseXdp(message: Reader): XdpQuery {
  const nested = attributes(message, BODY, message.size).get(IFLA_XDP);
  if (nested === undefined) return { mode: 'none', native: 0, generic: 0, offload: 0 };
  const values = attributes(nested, 0, nested.size);
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

/** The attributes between two offsets by type; the last of a type wins, as in the kernel. */
function attributes(message: Reader, start: number, end: number): Map<number, Reader> {
  const found = new Map<number, Reader>();
  for (let at = start; at + ATTR_HEADER <= end; ) {
    const length = message.u16(at);
    if (length < ATTR_HEADER) throw new MalformedError(message.label, at, `attribute of ${length} bytes`);
    const payload = message.slice(at + ATTR_HEADER, length - ATTR_HEADER);
    found.set(message.u16(at + 2) & NLA_TYPE_MASK, new Reader(payload, hostLittleEndian, message.label));
    at += align(length);
  }
  return found;
}

function align(length: number): number {
  return (length + 3) & ~3;
}
