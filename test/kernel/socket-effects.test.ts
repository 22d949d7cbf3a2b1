import { openObject } from '@bpfskel/runtime';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Fd } from '../../runtime/src/kernel/kernel.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import type { LiveObject } from '../../runtime/src/loader/live-object.js';
import {
  SkLookupProgram,
  SkMsgProgram,
  SkReuseportProgram,
  SkSkbProgram,
} from '../../runtime/src/program/index.js';
import './facts.js';
import {
  boundSocket,
  closeSocket,
  connectTo,
  portOf,
  receive,
  sendDatagram,
  sendText,
  TcpPair,
} from './sockets.js';

const kernel = linuxKernel();
const object = new URL('../testdata/sockets.o', import.meta.url).pathname;
const asked = 11_113;
let live: LiveObject;
beforeAll(() => {
  const open = openObject(object);
  const rodata = open.data.get('.rodata');
  if (rodata === undefined) throw new Error('no .rodata');
  new DataView(rodata.buffer, rodata.byteOffset).setUint16(0, asked, true);
  live = open.load();
});

const sockets: Fd[] = [];
const own = (fd: Fd): Fd => {
  sockets.push(fd);
  return fd;
};
afterEach(() => {
  live.detach();
  for (const fd of sockets.splice(0)) closeSocket(fd);
});
afterAll(() => live.destroy());

/** The program called `name`, which is of this class. */
function program<P>(name: string, kind: new (...args: never[]) => P): P {
  const found = live.progs.get(name);
  if (!(found instanceof kind)) throw new Error(name);
  return found;
}
/** Puts a socket into a map of sockets. */
function put(name: string, index: number, socket: Fd): void {
  const map = live.maps.get(name);
  if (map === undefined) throw new Error(name);
  const value = new Uint8Array(map.valueSize);
  new DataView(value.buffer).setUint32(0, socket, true);
  kernel.mapUpdate(map.fd, new Uint8Array(new Uint32Array([index]).buffer), value);
}
const map = (name: string) => {
  const found = live.maps.get(name);
  if (found === undefined) throw new Error(name);
  return found;
};
function connection(): TcpPair {
  const pair = new TcpPair();
  sockets.push(pair.client, pair.server);
  return pair;
}

describe('a program that looks sockets up', () => {
  it('steers a port nobody listens on to a socket that listens on another', () => {
    const listener = own(boundSocket('tcp'));
    put('sockets', 0, listener);
    expect(() => connectTo(asked)).toThrow('connect: errno 111');
    using _ = program('steer', SkLookupProgram).attach();
    own(connectTo(asked));
  });

  it('is not asked any more when it is detached', () => {
    put('sockets', 0, own(boundSocket('tcp')));
    const link = program('steer', SkLookupProgram).attach();
    own(connectTo(asked));
    link.detach();
    expect(() => connectTo(asked)).toThrow('connect: errno 111');
  });
});

describe('a program that chooses among sockets of one port', () => {
  it.each([0, 1])('gives every datagram to the one it chooses: %i', (chosen) => {
    const first = own(boundSocket('udp', 0, true));
    const group = [first, own(boundSocket('udp', portOf(first), true))] as const;
    put('group', 0, group[0]);
    put('group', 1, group[1]);
    using _ = program('choose', SkReuseportProgram).attach(first);
    const state = live.data.get('.bss')?.view();
    state?.setUint32(8, chosen, true);
    // From ten sockets: by hash, some would go to the other.
    for (let i = 0; i < 10; i++) sendDatagram(portOf(first), `${i}`);
    const received = Array.from({ length: 10 }, () => receive(group[chosen] ?? -1));
    expect(received).toEqual(Array.from({ length: 10 }, (_, i) => `${i}`));
    expect(receive(group[1 - chosen] ?? -1, 50)).toBeUndefined();
  });
});

describe('a program that sees what is sent', () => {
  it('passes, redirects and drops it', () => {
    using _ = program('by_letter', SkMsgProgram).attach(map('sockets'));
    const [near, far] = [connection(), connection()];
    put('sockets', 0, far.client);
    put('sockets', 1, near.client);
    sendText(near.client, 'plain');
    expect(receive(near.server)).toBe('plain');
    sendText(near.client, 'Redirected');
    expect(receive(far.client)).toBe('Redirected');
    // EACCES
    expect(() => sendText(near.client, 'Drop this')).toThrow('send: errno 13');
    expect(receive(near.server, 50)).toBeUndefined();
  });

  it('sees only sockets that were put into its map while it was attached', () => {
    const link = program('by_letter', SkMsgProgram).attach(map('sockets'));
    link.detach();
    const { client, server } = connection();
    put('sockets', 1, client);
    sendText(client, 'Drop this');
    expect(receive(server)).toBe('Drop this');
  });
});

describe('a program that sees what is received', () => {
  it('sends it on from another socket', () => {
    using _ = program('echo', SkSkbProgram).attach(map('sockets'));
    const { client, server } = connection();
    put('sockets', 0, server);
    sendText(client, 'echo');
    expect(receive(client)).toBe('echo');
  });
});
