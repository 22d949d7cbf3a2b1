import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Fd } from '../../runtime/src/kernel/kernel.js';
import { SkReuseportProgram } from '../../runtime/src/program/index.js';
import { type Counter, loadCounter } from './counter.js';
import './facts.js';
import { expectRefusal, linkContract } from './link-contract.js';
import { boundSocket, closeSocket, portOf, receive, sendDatagram } from './sockets.js';

const SK_PASS = 1;

let socket: Fd;
beforeAll(() => {
  socket = boundSocket('udp', 0, true);
});
afterAll(() => void closeSocket(socket));

const trigger = () => {
  sendDatagram(portOf(socket), 'x');
  receive(socket);
};

for (const section of ['sk_reuseport', 'sk_reuseport/migrate']) {
  linkContract({
    name: `SEC("${section}")`,
    pins: false,
    load: () => loadCounter(section, SK_PASS),
    attach: ({ handle }) => new SkReuseportProgram(handle).attach(socket),
    trigger,
    twice: 'replaces',
  });
}

describe('a program for sockets that share a port', () => {
  const using = (test: (program: SkReuseportProgram, counter: Counter) => void) => () => {
    const counter = loadCounter('sk_reuseport', SK_PASS);
    try {
      test(new SkReuseportProgram(counter.handle), counter);
    } finally {
      counter.close();
    }
  };

  it(
    'is refused by a socket that shares its port with no other',
    using((program) => {
      const alone = boundSocket('udp');
      expectRefusal(
        () => program.attach(alone),
        'the socket shares its port with no other (EINVAL). Set SO_REUSEPORT on it before it is bound',
      );
      closeSocket(alone);
    }),
  );

  it(
    'is refused by what is no socket',
    using((program) => {
      expectRefusal(() => program.attach(program), 'the descriptor is not of a socket (ENOTSOCK)');
      expectRefusal(() => program.attach(9999), 'the descriptor is not of a socket (EBADF)');
    }),
  );

  it(
    'detaches in peace when the socket is closed',
    using((program) => {
      const mine = boundSocket('udp', 0, true);
      const link = program.attach({ fd: mine });
      expect(link.target).toBe(`the group of socket ${mine}`);
      closeSocket(mine);
      link.detach();
    }),
  );
});
