import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { LwtProgram, LwtSeg6LocalProgram, LwtXmitProgram } from '../../runtime/src/program/index.js';
import { cable, ip } from './cable.js';
import { type Counter, loadCounter } from './counter.js';
import './facts.js';
import { expectRefusal, linkContract, runsWithin } from './link-contract.js';

const { near, sendTo } = cable();
const BPF_OK = 0;
const BPF_DROP = 2;
const destination = '10.215.0.0/16';
/** Packets go there without a program, too: not every host has a default route. */
beforeAll(() => void ip('route', 'add', destination, 'dev', near, 'metric', '4000'));
const sendThere = () => sendTo('10.215.3.4');

for (const section of ['lwt_out', 'lwt_xmit']) {
  linkContract({
    name: `an ${section} program on a route to a device`,
    pins: false,
    load: () => loadCounter(section, BPF_OK),
    attach: ({ handle }) =>
      section === 'lwt_xmit'
        ? new LwtXmitProgram(handle).attach({ destination, device: near, headroom: 16 })
        : new LwtProgram(handle).attach({ destination, device: near }),
    trigger: sendThere,
    twice: /there is a route to the same destination, with the same metric, in the same table \(EEXIST\)/,
  });
}
describe('a program on a route', () => {
  const counters: Counter[] = [];
  const load = (section: string, answer = BPF_OK): Counter => {
    const counter = loadCounter(section, answer);
    counters.push(counter);
    return counter;
  };
  afterEach(() => {
    for (const counter of counters.splice(0)) counter.close();
  });
  const out = (answer = BPF_OK) => {
    const counter = load('lwt_out', answer);
    return { counter, program: new LwtProgram(counter.handle) };
  };

  it('drops packets', () => {
    const { counter, program } = out(BPF_DROP);
    program.attach({ destination, device: near });
    expect(runsWithin(counter, () => expect(sendThere).toThrow())).toBe(true);
  });

  it('sees those of an IPv6 route over a gateway', () => {
    const { counter, program } = out();
    const gateway = /inet6 (fd00:213:\d+)::1/.exec(ip('-6', 'addr', 'show', near))?.[1];
    program.attach({ destination: 'fd00:215::/64', device: near, gateway: `${gateway}::2`, metric: 7 });
    expect(runsWithin(counter, () => sendTo('fd00:215::1'))).toBe(true);
  });

  it('that brings packets to this host sees them', () => {
    const counter = load('lwt_in');
    const link = new LwtProgram(counter.handle).attach({
      destination: '10.216.0.1',
      device: near,
      table: 777,
    });
    expect(link.target).toBe(`lwt in route 10.216.0.1 dev ${near}`);
    expect(ip('route', 'show', 'table', '777')).toMatch(/^10\.216\.0\.1 +encap bpf in counter:\[\d+\]/);
    link.detach();
    expect(ip('route', 'show', 'table', 'all')).not.toContain('10.216.0.1');
  });

  it('that ends a segment is on an IPv6 route', () => {
    const program = new LwtSeg6LocalProgram(load('lwt_seg6local').handle);
    using link = program.attach({ destination: 'fd00:217::1', device: near });
    expect(link.target).toBe(`lwt seg6local route fd00:217::1 dev ${near}`);
    expect(ip('-6', 'route', 'show', 'fd00:217::1')).toContain('seg6local action End.BPF endpoint counter:[');
    expectRefusal(
      () => program.attach({ destination: '10.217.0.1', device: near }),
      'segment routing is of IPv6',
    );
  });

  it('has another metric, table or destination beside others', () => {
    const { program } = out();
    using _one = program.attach({ destination, device: near });
    using _two = program.attach({ destination, device: near, metric: 9 });
    using _three = program.attach({ destination, device: near, table: 778 });
    using _four = program.attach({ destination: '10.215.3.0/24', device: linuxKernel().ifindex(near) });
    expect(ip('route', 'show', 'root', destination).trim().split('\n')).toHaveLength(4);
  });

  it('detaches in peace when the route or the device is gone, and leaves the routes of others alone', () => {
    const { program } = out();
    const deleted = program.attach({ destination, device: near });
    ip('route', 'del', destination);
    ip('route', 'add', destination, 'dev', near);
    deleted.detach();
    expect(ip('route', 'show', destination)).toMatch(
      new RegExp(`^${destination} dev ${near} scope link *$`, 'm'),
    );
    ip('route', 'del', destination);
    ip('link', 'add', `${near}x`, 'type', 'veth');
    ip('link', 'set', `${near}x`, 'up');
    const orphan = program.attach({ destination, device: `${near}x` });
    ip('link', 'del', `${near}x`);
    orphan.detach();
    expect(orphan.attached).toBe(false);
  });

  it.each<[string, Parameters<LwtXmitProgram['attach']>[0], string]>([
    ['no address', { destination: 'example.org', device: near }, '"example.org" is no IP address or prefix'],
    ['no device', { destination, device: 'nosuchdev0' }, 'there is no network device called nosuchdev0'],
    [
      'a gateway of another family',
      { destination, device: near, gateway: 'fd00::1' },
      'gateway fd00::1 is no address of the family of 10.215.0.0/16',
    ],
    ['too much room', { destination, device: near, headroom: 257 }, 'headroom 257 is not from 0 to 256'],
    ['half a metric', { destination, device: near, metric: 0.5 }, 'metric 0.5 is not from 0 to 4294967295'],
    [
      'a gateway out of reach',
      { destination, device: near, gateway: '10.99.99.99' },
      `the gateway is not reachable through ${near} (ENETUNREACH)`,
    ],
  ])('is refused for %s', (_name, route, text) => {
    const program = new LwtXmitProgram(load('lwt_xmit').handle);
    expectRefusal(() => program.attach(route), text);
  });

  it('is refused on a device that is down', () => {
    const { program } = out();
    ip('link', 'add', `${near}y`, 'type', 'veth');
    try {
      expectRefusal(() => program.attach({ destination, device: `${near}y` }), `${near}y is down (ENETDOWN)`);
    } finally {
      ip('link', 'del', `${near}y`);
    }
  });
});
