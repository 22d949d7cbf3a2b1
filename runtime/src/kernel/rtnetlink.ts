import { printable, SyscallError } from '../errors.js';
import { goodFd } from './descriptors.js';
import { ERRNO, errnoName, errnoText, syscallError } from './errno.js';
import { Fields } from './fields.js';
import type { Fd } from './kernel.js';
import type { Libc } from './libc.js';
import { encodeRequest, type NetlinkMessage, type NetlinkRequest, NLM_F, parseAnswer } from './netlink.js';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_ROUTE = 0;
const SOL_NETLINK = 270;
const NETLINK_EXT_ACK = 11;
const MSG_TRUNC = 0x20;

/** The largest message rtnetlink sends for one device without extended statistics is a few KiB. */
const ANSWER_SIZE = 64 * 1024;
/** A list is asked for again when it changed while it was written, but not for ever. */
const ATTEMPTS = 8;

/** Message types of rtnetlink (include/uapi/linux/rtnetlink.h). */
export const RTM = {
  NEWLINK: 16,
  GETLINK: 18,
  SETLINK: 19,
  NEWROUTE: 24,
  DELROUTE: 25,
  NEWQDISC: 36,
  DELQDISC: 37,
  GETQDISC: 38,
  NEWTFILTER: 44,
  DELTFILTER: 45,
  GETTFILTER: 46,
} as const;

const names = new Map<number, string>(
  Object.entries(RTM).map(([name, type]) => [type, `netlink(RTM_${name})`]),
);

/**
 * Sends one request over a socket of its own and gives the messages of the answer. A refusal is a SyscallError in the
 * kernel's own words where it has any (extended acknowledgement, Linux 4.12).
 */
export function transact(libc: Libc, request: NetlinkRequest): NetlinkMessage[] {
  const fd = goodFd(
    libc,
    'socket(AF_NETLINK)',
    libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE),
  );
  try {
    // Since 4.12; older kernels refuse in numbers only.
    libc.setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, new Fields(4).u32(0, 1).bytes, 4);
    const isList = (request.flags & NLM_F.DUMP) === NLM_F.DUMP;
    for (let seq = 1; ; seq++) {
      const messages = ask(libc, fd, request, seq);
      const interrupted = isList && messages.some(({ flags }) => (flags & NLM_F.DUMP_INTR) !== 0);
      if (!interrupted || seq === ATTEMPTS) return messages;
    }
  } finally {
    libc.close(fd);
  }
}

function ask(libc: Libc, fd: Fd, request: NetlinkRequest, seq: number): NetlinkMessage[] {
  const name = names.get(request.type) ?? `netlink(${request.type})`;
  const bytes = encodeRequest(request, seq);
  if (libc.send(fd, bytes, bytes.length, 0) < 0) throw syscallError(name, libc.errno());
  const buffer = new Uint8Array(ANSWER_SIZE);
  const messages: NetlinkMessage[] = [];
  for (;;) {
    const length = libc.recv(fd, buffer, buffer.length, MSG_TRUNC);
    if (length < 0) {
      const errno = libc.errno();
      if (errno === ERRNO.EINTR) continue;
      throw syscallError(name, errno);
    }
    if (length > buffer.length) throw syscallError(name, ERRNO.EMSGSIZE);
    // A copy: what comes next goes into the same buffer.
    for (const answer of parseAnswer(buffer.slice(0, length), seq)) {
      if (answer.kind === 'message') messages.push(answer.message);
      else if (answer.errno === 0) return messages;
      else throw refusal(name, answer.errno, answer.text);
    }
  }
}

function refusal(name: string, errno: number, said: string | undefined): SyscallError {
  const text = said === undefined ? errnoText(errno) : `${printable(said)}: ${errnoText(errno)}`;
  return new SyscallError(name, errno, errnoName(errno), text);
}
