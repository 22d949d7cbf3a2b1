import { loadLibc } from '../../runtime/src/kernel/libc.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';

const AF_INET = 2;
const AF_XDP = 44;
const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEPORT = 15;
const SOL_XDP = 283;
const XDP_RX_RING = 2;

/** A socket of a test, closed at the end of its `using` block. */
export interface TestSocket extends Disposable {
  readonly fd: number;
}

function opened(domain: number, type: number): TestSocket {
  const kernel = linuxKernel();
  const fd = loadLibc().socket(domain, type | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new Error(`socket(${domain}) is refused`);
  return { fd, [Symbol.dispose]: () => kernel.close(fd) };
}

function set(socket: TestSocket, level: number, option: number, value: number): void {
  const bytes = new Uint8Array(new Uint32Array([value]).buffer);
  if (loadLibc().setsockopt(socket.fd, level, option, bytes, 4) < 0) throw new Error('setsockopt is refused');
}

/** A UDP socket of SO_REUSEPORT on a port of 127.0.0.1 that the kernel chooses. */
export function udpSocket(): TestSocket {
  const socket = opened(AF_INET, SOCK_DGRAM);
  set(socket, SOL_SOCKET, SO_REUSEPORT, 1);
  // struct sockaddr_in: family, port, address.
  const address = new Uint8Array([AF_INET, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  if (loadLibc().bind(socket.fd, address, address.length) < 0) throw new Error('bind is refused');
  return socket;
}

/** An AF_XDP socket with a ring to receive. */
export function xdpSocket(): TestSocket {
  const socket = opened(AF_XDP, SOCK_RAW);
  set(socket, SOL_XDP, XDP_RX_RING, 64);
  return socket;
}
