import { alignUp, hostLittleEndian, Reader } from '../bytes.js';
import { MalformedError } from '../errors.js';
import { cString, type Fields } from './fields.js';

// include/uapi/linux/netlink.h
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLMSGERR_ATTR_MSG = 1;
const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;
const NLA_ALIGNTO = 4;

/** Flags of a message. */
export const NLM_F = {
  REQUEST: 0x1,
  ACK: 0x4,
  ECHO: 0x8,
  /** Of an answer that others changed while it was written. */
  DUMP_INTR: 0x10,
  /** Of requests to make something: in the place of what is there; only when nothing is; at all. */
  REPLACE: 0x100,
  EXCL: 0x200,
  CREATE: 0x400,
  /** Of requests for everything. */
  DUMP: 0x300,
  /** Of refusals: without the request; with attributes behind it. */
  CAPPED: 0x100,
  ACK_TLVS: 0x200,
} as const;

/** `struct nlmsghdr`. */
const HEADER = { length: 0, type: 4, flags: 6, seq: 8, size: 16 } as const;
const ATTRIBUTE_HEADER = 4;

/** Where the structure behind the header begins. */
export const BODY = HEADER.size;

/** Attributes of a message in the order they are added. */
export class Attributes {
  readonly #list: { readonly type: number; readonly payload: Uint8Array }[] = [];

  u32(type: number, value: number | undefined): this {
    if (value === undefined) return this;
    const payload = new Uint8Array(4);
    new DataView(payload.buffer).setUint32(0, value, hostLittleEndian);
    return this.bytes(type, payload);
  }

  text(type: number, value: string): this {
    return this.bytes(type, cString(value));
  }

  bytes(type: number, payload: Uint8Array): this {
    this.#list.push({ type, payload });
    return this;
  }

  nest(type: number, fill: (inner: Attributes) => unknown): this {
    const inner = new Attributes();
    fill(inner);
    return this.bytes(type | NLA_F_NESTED, inner.encode());
  }

  encode(): Uint8Array {
    const sizes = this.#list.map(({ payload }) => alignUp(ATTRIBUTE_HEADER + payload.length, NLA_ALIGNTO));
    const bytes = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0));
    const view = new DataView(bytes.buffer);
    let at = 0;
    for (const [index, { type, payload }] of this.#list.entries()) {
      view.setUint16(at, ATTRIBUTE_HEADER + payload.length, hostLittleEndian);
      view.setUint16(at + 2, type, hostLittleEndian);
      bytes.set(payload, at + ATTRIBUTE_HEADER);
      at += sizes[index] ?? 0;
    }
    return bytes;
  }
}

/** A message to the kernel: what is asked (`RTM_NEWTFILTER`), how, of what, with what. */
export interface NetlinkRequest {
  readonly type: number;
  /** Beside NLM_F.REQUEST. */
  readonly flags: number;
  /** The structure behind the header. */
  readonly body: Fields;
  readonly attributes?: Attributes;
}

export function encodeRequest({ type, flags, body, attributes }: NetlinkRequest, seq: number): Uint8Array {
  const tail = attributes?.encode() ?? new Uint8Array(0);
  const bytes = new Uint8Array(HEADER.size + body.bytes.length + tail.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(HEADER.length, bytes.length, hostLittleEndian);
  view.setUint16(HEADER.type, type, hostLittleEndian);
  view.setUint16(HEADER.flags, flags | NLM_F.REQUEST, hostLittleEndian);
  view.setUint32(HEADER.seq, seq, hostLittleEndian);
  bytes.set(body.bytes, HEADER.size);
  bytes.set(tail, HEADER.size + body.bytes.length);
  return bytes;
}

/** One message of an answer: the end of it (`errno` 0) or a refusal, or something that was asked for. */
export type Answer =
  | { readonly kind: 'end'; readonly errno: number; readonly text: string | undefined }
  | { readonly kind: 'message'; readonly message: NetlinkMessage };

/** A message from the kernel. Offsets count from the header. */
export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly reader: Reader;
}

/** The messages in one datagram that answer request `seq`. */
export function parseAnswer(datagram: Uint8Array, seq: number): Answer[] {
  const reader = new Reader(datagram, hostLittleEndian, 'netlink answer');
  const answers: Answer[] = [];
  for (let at = 0; at < datagram.length; ) {
    const length = reader.u32(at + HEADER.length);
    if (length < HEADER.size) throw new MalformedError('netlink answer', at, `message of ${length} bytes`);
    const message = new Reader(reader.slice(at, length), hostLittleEndian, 'netlink answer');
    if (message.u32(HEADER.seq) === seq) answers.push(parseMessage(message));
    at += alignUp(length, NLA_ALIGNTO);
  }
  return answers;
}

function parseMessage(reader: Reader): Answer {
  const type = reader.u16(HEADER.type);
  const flags = reader.u16(HEADER.flags);
  if (type === NLMSG_ERROR) return parseEnd(reader, flags);
  // The end of many; its number is a length, negative when it went wrong.
  if (type === NLMSG_DONE) {
    const errno = reader.size >= HEADER.size + 4 ? Math.max(0, -reader.i32(HEADER.size)) : 0;
    return { kind: 'end', errno, text: undefined };
  }
  return { kind: 'message', message: { type, flags, reader } };
}

/** `struct nlmsgerr`: an errno, the request (its header only when capped), then what the kernel has to say. */
function parseEnd(reader: Reader, flags: number): Answer {
  const errno = Math.abs(reader.i32(HEADER.size));
  if ((flags & NLM_F.ACK_TLVS) === 0) return { kind: 'end', errno, text: undefined };
  const request = HEADER.size + 4;
  const capped = (flags & NLM_F.CAPPED) !== 0;
  const echoed = capped ? HEADER.size : alignUp(reader.u32(request + HEADER.length), NLA_ALIGNTO);
  const text = parseAttributes(reader, request + echoed).get(NLMSGERR_ATTR_MSG);
  return { kind: 'end', errno, text: text?.cstring(0) };
}

/** The attributes from an offset to the end by type; the last of a type wins, as in the kernel. */
export function parseAttributes(reader: Reader, start = 0): Map<number, Reader> {
  const found = new Map<number, Reader>();
  for (let at = start; at + ATTRIBUTE_HEADER <= reader.size; ) {
    const length = reader.u16(at);
    if (length < ATTRIBUTE_HEADER) throw new MalformedError(reader.label, at, `attribute of ${length} bytes`);
    const payload = reader.slice(at + ATTRIBUTE_HEADER, length - ATTRIBUTE_HEADER);
    found.set(reader.u16(at + 2) & NLA_TYPE_MASK, new Reader(payload, hostLittleEndian, reader.label));
    at += alignUp(length, NLA_ALIGNTO);
  }
  return found;
}

/** The attributes inside one; none when it is absent. */
export function parseNested(attribute: Reader | undefined): Map<number, Reader> {
  return attribute === undefined ? new Map() : parseAttributes(attribute);
}
