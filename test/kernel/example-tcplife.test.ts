import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Agent } from './agent.js';
import { RunningExample } from './running-example.js';

let agent: Agent;
beforeAll(() => {
  agent = new Agent();
});
afterAll(() => agent.close());

/** One connection of the agent with itself: 5 bytes there, 3 back. The client closes first. Gives both ports. */
function converse(family: '4' | '6'): readonly [client: string, server: string] {
  const [client = '', server = ''] = agent
    .do(
      `my $l = heard(bound(tcp${family}(), in${family}(0))); my $c = joined(tcp${family}(), getsockname $l);
       accept(my $a, $l); my ($got, $back);
       syswrite($c, 'hello'); sysread($a, $got, 9); syswrite($a, 'bye'); sysread($c, $back, 9);
       my @ports = map { unpack('xxn', getsockname $_) } ($c, $l);
       close $c; sysread($a, $got, 9); close $a; @ports`,
    )
    .split(' ');
  return [client, server];
}

describe('examples/tcplife', () => {
  it.each([
    ['4', '127\\.0\\.0\\.1'],
    ['6', '::1'],
  ] as const)('prints both ends of a connection over IPv%s, with what went over it', async (family, host) => {
    await using life = new RunningExample('tcplife', ['--pid', `${agent.pid}`]);
    await life.until(/^PID +COMM +LADDR +LPORT +RADDR +RPORT +SENT +RECEIVED +MS$/m);
    const [client, server] = converse(family);
    const line = (near: string, far: string, sent: number, received: number) =>
      new RegExp(
        `^${agent.pid} +perl +${host} +${near} +${host} +${far} +${sent} +${received} +(\\d+\\.\\d\\d)$`,
        'm',
      );
    const [, milliseconds] = await life.until(line(client, server, 5, 3));
    expect(Number(milliseconds)).toBeGreaterThan(0);
    await life.until(line(server, client, 3, 5));
    expect(await life.interrupt()).toBe(0);
    expect(life.stderr).toBe('');
  });

  it('prints nothing of other processes', async () => {
    await using life = new RunningExample('tcplife', ['--pid', '1', '--seconds', '1']);
    await life.until(/^PID/m);
    converse('4');
    expect(await life.ended()).toBe(0);
    expect(life.stdout.trim().split('\n')).toHaveLength(1);
  });
});
