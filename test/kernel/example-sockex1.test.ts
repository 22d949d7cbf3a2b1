import { createSocket } from 'node:dgram';
import { describe, expect, it } from 'vitest';
import { RunningExample } from './running-example.js';

/** Sends one datagram of `size` bytes to a port of this machine where nobody listens. */
function send(size: number): Promise<void> {
  const socket = createSocket('udp4');
  return new Promise((resolve, reject) => {
    socket.send(new Uint8Array(size), 9, '127.0.0.1', (error) => {
      socket.close();
      if (error) reject(error);
      else resolve();
    });
  });
}

describe('examples/sockex1', () => {
  it('sums the bytes that leave through lo by protocol', async () => {
    await using sockex1 = new RunningExample('sockex1', ['lo', '--seconds', '600']);
    let sent = 0;
    const [, udp] = await sockex1.until(/^TCP \d+ UDP ([1-9]\d+) ICMP \d+ bytes$/m, async () => {
      await send(1000);
      sent += 1;
    });
    // Each with 8 bytes of UDP, 20 of IP and 14 of Ethernet; others may use lo as well.
    expect(Number(udp)).toBeGreaterThanOrEqual(1042);
    expect(sent).toBeGreaterThan(0);
  });

  it('names a device that is not there', async () => {
    await using sockex1 = new RunningExample('sockex1', ['nosuchdev0']);
    expect(await sockex1.ended()).toBe(1);
    expect(sockex1.stderr).toMatch(/^.*nosuchdev0.*\n$/);
  });
});
