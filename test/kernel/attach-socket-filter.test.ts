import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { SocketFilterProgram } from '../../runtime/src/program/index.js';
import { loadCounter } from './counter.js';
import './facts.js';
import { expectRefusal, linkContract, openFds, runsWithin } from './link-contract.js';

/** One packet on lo. */
const trigger = () => {
  execFileSync('bash', ['-c', 'echo x > /dev/udp/127.0.0.1/9'], { stdio: 'pipe' });
};

linkContract({
  name: 'a socket filter',
  pins: false,
  load: () => loadCounter('socket'),
  attach: ({ handle }) => new SocketFilterProgram(handle).attach('lo'),
  trigger,
  twice: 'runs',
});

describe('a socket filter', () => {
  it("works on the caller's own socket, which stays open", () => {
    const kernel = linuxKernel();
    const socket = kernel.packetSocket(kernel.ifindex('lo'));
    const counter = loadCounter('socket');
    try {
      const link = new SocketFilterProgram(counter.handle).attachTo(socket);
      expect(runsWithin(counter, trigger)).toBe(true);
      const before = openFds();
      link.detach();
      expect(openFds()).toBe(before);
      const after = counter.runs();
      trigger();
      expect(counter.runs()).toBe(after);
    } finally {
      counter.close();
      kernel.close(socket);
    }
  });

  it('is refused by what is not a socket, and by unknown devices', () => {
    const counter = loadCounter('socket');
    const program = new SocketFilterProgram(counter.handle);
    try {
      expectRefusal(() => program.attachTo(counter.handle.fd()), /ENOTSOCK/);
      expectRefusal(() => program.attach('etho'), 'there is no network device called etho');
    } finally {
      counter.close();
    }
  });
});
