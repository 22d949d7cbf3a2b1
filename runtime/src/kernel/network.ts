import { BpfError } from '../errors.js';
import { goodFd } from './descriptors.js';
import { ERRNO, syscallError } from './errno.js';
import { Fields } from './fields.js';
import type { Fd, Kernel } from './kernel.js';
import type { Libc } from './libc.js';
import { transact } from './rtnetlink.js';
import { linkQuery, parseXdp, xdpRequest } from './xdp-request.js';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
/** Options of SOL_SOCKET that attach and detach programs (asm-generic/socket.h). */
const OPTIONS = {
  SO_DETACH_BPF: 27,
  SO_ATTACH_BPF: 50,
  SO_ATTACH_REUSEPORT_EBPF: 52,
  SO_DETACH_REUSEPORT_BPF: 68,
} as const;
const ETH_P_ALL = 3;
const IF_NAMESIZE = 16;

type NetworkCalls = Pick<
  Kernel,
  | 'ifindex'
  | 'ifname'
  | 'xdpSet'
  | 'xdpQuery'
  | 'packetSocket'
  | 'socketAttach'
  | 'socketDetach'
  | 'reuseportAttach'
  | 'reuseportDetach'
>;

export function networkCalls(libc: Libc): NetworkCalls {
  return {
    ifindex(name) {
      const index = libc.ifNameToIndex(name);
      if (index === 0) throw syscallError('if_nametoindex', libc.errno(), name);
      return index;
    },

    ifname(index) {
      const name = new Fields(IF_NAMESIZE);
      if (libc.ifIndexToName(index, name.bytes)) return name.readName(0, IF_NAMESIZE);
      const errno = libc.errno();
      if (errno === ERRNO.ENXIO || errno === ERRNO.ENODEV) return undefined;
      throw syscallError('if_indextoname', errno, String(index));
    },

    xdpSet(ifindex, prog, flags, expected) {
      transact(libc, xdpRequest(ifindex, prog, flags, expected));
    },

    xdpQuery(ifindex) {
      const [xdp] = transact(libc, linkQuery(ifindex)).flatMap((message) => parseXdp(message) ?? []);
      if (xdp === undefined) {
        throw new BpfError('ERR_BPF_HOST', `query XDP of device ${ifindex}: rtnetlink sent no device`);
      }
      return xdp;
    },

    packetSocket: (ifindex) => packetSocket(libc, ifindex),

    socketAttach: (socket, prog) => setOption(libc, socket, 'SO_ATTACH_BPF', prog),
    socketDetach: (socket) => setOption(libc, socket, 'SO_DETACH_BPF', 0),
    reuseportAttach: (socket, prog) => setOption(libc, socket, 'SO_ATTACH_REUSEPORT_EBPF', prog),
    reuseportDetach: (socket) => setOption(libc, socket, 'SO_DETACH_REUSEPORT_BPF', 0),
  };
}

function setOption(libc: Libc, socket: Fd, option: keyof typeof OPTIONS, value: number): void {
  const bytes = new Fields(4).u32(0, value).bytes;
  if (libc.setsockopt(socket, SOL_SOCKET, OPTIONS[option], bytes, bytes.length) < 0) {
    throw syscallError(`setsockopt(${option})`, libc.errno());
  }
}

function packetSocket(libc: Libc, ifindex: number): Fd {
  // Protocol 0 until it is bound: else packets of every other device get in before.
  const type = SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = goodFd(libc, 'socket(AF_PACKET)', libc.socket(AF_PACKET, type, 0));
  // struct sockaddr_ll: family, protocol in network order, device.
  const address = new Fields(20).u16(0, AF_PACKET).u8(3, ETH_P_ALL).u32(4, ifindex).bytes;
  if (libc.bind(fd, address, address.length) < 0) {
    const error = syscallError('bind(AF_PACKET)', libc.errno(), `device ${ifindex}`);
    libc.close(fd);
    throw error;
  }
  return fd;
}
