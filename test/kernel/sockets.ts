import koffi from 'koffi';
import type { Fd } from '../../runtime/src/kernel/kernel.js';

// Sockets with numbers: what Node keeps to itself, by the calls of libc.
const libc = koffi.load(null);
const call = (name: string, ...types: string[]) => {
  const run: (...args: unknown[]) => number = libc.func(name, 'int', types);
  return (...args: unknown[]): number => {
    const result = run(...args);
    if (result < 0) throw new Error(`${name}: errno ${koffi.errno()}`);
    return result;
  };
};
const socket = call('socket', 'int', 'int', 'int');
const bind = call('bind', 'int', 'void *', 'uint');
const connect = call('connect', 'int', 'void *', 'uint');
const listen = call('listen', 'int', 'int');
const accept = call('accept4', 'int', 'void *', 'void *', 'int');
const getsockname = call('getsockname', 'int', 'void *', 'void *');
const setsockopt = call('setsockopt', 'int', 'int', 'int', 'void *', 'uint');
const send = call('send', 'int', 'void *', 'size_t', 'int');
const recv: (fd: Fd, buffer: Uint8Array, length: number, flags: number) => number = libc.func('recv', 'int', [
  'int',
  'void *',
  'size_t',
  'int',
]);
export const closeSocket = call('close', 'int');

const AF_INET = 2;
const SOCK_CLOEXEC = 0o2000000;
const types = { tcp: 1 | SOCK_CLOEXEC, udp: 2 | SOCK_CLOEXEC } as const;
const SOL_SOCKET = 1;
const SO_REUSEPORT = 15;
const SO_RCVTIMEO = 20;

/** `struct sockaddr_in` of 127.0.0.1. */
function address(port: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_INET, true);
  view.setUint16(2, port);
  view.setUint32(4, 0x7f000001);
  return bytes;
}

/** A socket bound to 127.0.0.1; port 0 is any. With `shared` others may have the port too. */
export function boundSocket(type: keyof typeof types, port = 0, shared = false): Fd {
  const fd = socket(AF_INET, types[type], 0);
  if (shared) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, new Uint8Array([1, 0, 0, 0]), 4);
  bind(fd, address(port), 16);
  if (type === 'tcp') listen(fd, 8);
  return fd;
}

export function portOf(fd: Fd): number {
  const bytes = address(0);
  getsockname(fd, bytes, new Uint8Array([16, 0, 0, 0]));
  return new DataView(bytes.buffer).getUint16(2);
}

/** What arrives within `milliseconds`; undefined when nothing does. */
export function receive(fd: Fd, milliseconds = 5000): string | undefined {
  const time = new Uint8Array(16);
  new DataView(time.buffer).setBigInt64(0, BigInt(Math.floor(milliseconds / 1000)), true);
  new DataView(time.buffer).setBigInt64(8, BigInt((milliseconds % 1000) * 1000), true);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, time, 16);
  const buffer = new Uint8Array(64);
  const count = recv(fd, buffer, buffer.length, 0);
  return count <= 0 ? undefined : Buffer.from(buffer.subarray(0, count)).toString();
}

/** `send` for a connected socket; throws the errno when it is refused. */
export function sendText(fd: Fd, text: string): void {
  const bytes = Buffer.from(text);
  send(fd, bytes, bytes.length, 0);
}

/** Sends one datagram to a port here. */
export function sendDatagram(port: number, text: string): void {
  const fd = socket(AF_INET, types.udp, 0);
  try {
    connect(fd, address(port), 16);
    sendText(fd, text);
  } finally {
    closeSocket(fd);
  }
}

/** A connection and its two ends. */
export class TcpPair {
  readonly client: Fd;
  readonly server: Fd;

  constructor() {
    const listener = boundSocket('tcp');
    this.client = socket(AF_INET, types.tcp, 0);
    connect(this.client, address(portOf(listener)), 16);
    this.server = accept(listener, null, null, SOCK_CLOEXEC);
    closeSocket(listener);
  }

  close(): void {
    closeSocket(this.client);
    closeSocket(this.server);
  }
}

/** Connects to a port here; the descriptor is the caller's to close. */
export function connectTo(port: number): Fd {
  const fd = socket(AF_INET, types.tcp, 0);
  connect(fd, address(port), 16);
  return fd;
}
