import { fileURLToPath } from 'node:url';
import { type LiveObject, openObject } from '@bpfskel/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  FlowDissectorProgram,
  NetfilterProgram,
  Program,
  SkLookupContext,
  SkLookupProgram,
  SockMap,
} from '../../runtime/src/index.js';
import { kernelHas } from './facts.js';
import { openFds } from './link-contract.js';
import { boundSocket, closeSocket } from './sockets.js';

const path = fileURLToPath(new URL('../testdata/runs.o', import.meta.url));

let live: LiveObject;
let before: number;
beforeAll(() => {
  // The first use opens what the process keeps.
  openObject(path).load().destroy();
  before = openFds();
  const object = openObject(path);
  for (const program of object.progs.values()) {
    program.autoload =
      ['steer', 'dissect'].includes(program.name) || (program.name === 'check' && kernelHas.netfilter);
  }
  live = object.load();
});
afterAll(() => {
  live.destroy();
  expect(openFds()).toBe(before);
});
/** Objects that were opened without a skeleton have programs of no particular kind, as far as types go. */
const program = <P extends Program>(name: string) => live.progs.get(name) as unknown as P;

const ethernet = (protocol: number) => [...new Array(12).fill(0), protocol >> 8, protocol & 255];
const ports = [0x9c, 0x40, 0x01, 0xbb]; // 40000 to 443
const ipv4 = [0x45, 0, 0, 24, 0, 0, 0x20, 0, 64, 6, 0, 0, 192, 0, 2, 7, 198, 51, 100, 1, ...ports];
const ipv6 = [
  0x60, 0x01, 0x23, 0x45, 0, 4, 17, 64, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0x20,
  0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
].concat(ports);

describe('an sk_lookup program is run on a packet that looks for its socket', () => {
  const steer = () => program<SkLookupProgram>('steer');
  const v4 = {
    remote_ip4: '192.0.2.7',
    remote_port: 40000,
    local_ip4: '7.7.7.7',
    local_port: 443,
    protocol: 6,
  };
  const v6 = {
    remote_ip6: '2001:db8::7',
    remote_port: 40000,
    local_ip6: '7::7',
    local_port: 443,
    protocol: 6,
  };
  const put = (fd: number) => {
    const servers = live.maps.get('servers') as unknown as SockMap;
    servers.set(0, { fd });
  };

  it.each<[string, SkLookupContext]>([
    ['IPv4', v4],
    ['IPv6', v6],
  ])('of %s, and gets the socket that it chose', (_name, context) => {
    expect(steer().run(context)).toMatchObject({ action: 'SK_PASS', returnValue: 1, cookie: 0n });
    const server = boundSocket('tcp');
    put(server);
    try {
      const { action, cookie } = steer().run(context, { repeat: 3 });
      expect(action).toBe(context.remote_ip6 === undefined ? 'SK_PASS' : 'SK_DROP');
      expect(cookie > 0n).toBe(action === 'SK_PASS');
    } finally {
      closeSocket(server);
    }
  });

  it.each([
    ['SK_PASS', { protocol: 17, remote_port: 54 }],
    ['SK_PASS', { protocol: 6, remote_port: 53 }],
    ['SK_DROP', { protocol: 17, remote_port: 53 }],
  ])('and answers by name: %s', (action, over) => {
    const { returnValue, action: got } = steer().run({ ...v4, local_ip4: '127.0.0.1', ...over });
    expect([got, returnValue]).toEqual([action, action === 'SK_PASS' ? 1 : 0]);
  });

  it.each<[string, object, string]>([
    ['an address that is none', { remote_ip4: '1.2.3' }, 'run "steer": 1.2.3 is no address of IPv4'],
    ['an address of the other family', { local_ip4: '::1' }, '::1 is no address of IPv4'],
    ['a port that is none', { local_port: 70_000 }, '70000 is no port'],
  ])('and refused with %s', (_name, over, message) => {
    expect(() => steer().run({ ...v4, ...over })).toThrow(message);
  });

  it('and refused when it chose among sockets of one port', () => {
    const shared = boundSocket('tcp', 0, true);
    put(shared);
    try {
      expect(() => steer().run(v4)).toThrow('chose a socket of a group that shares its port');
    } finally {
      closeSocket(shared);
    }
  });
});

describe('a flow dissector is run on a packet', () => {
  const dissect = (bytes: number[], flags?: number) =>
    program<FlowDissectorProgram>('dissect').run(new Uint8Array(bytes), flags === undefined ? {} : { flags });

  it('of IPv4', () => {
    const { action, returnValue, keys } = dissect([...ethernet(0x0800), ...ipv4]);
    expect([action, returnValue]).toEqual(['BPF_OK', 0]);
    expect(keys).toEqual({
      nhoff: 14,
      thoff: 34,
      addr_proto: 0x0800,
      is_frag: true,
      is_first_frag: false,
      is_encap: false,
      ip_proto: 6,
      n_proto: 0x0800,
      sport: 40000,
      dport: 443,
      ipv4_src: '192.0.2.7',
      ipv4_dst: '198.51.100.1',
      ipv6_src: undefined,
      ipv6_dst: undefined,
      flags: 0,
      flow_label: 0,
    });
  });

  it('of IPv6, with flags', () => {
    const { keys } = dissect([...ethernet(0x86dd), ...ipv6], 2);
    expect(keys).toMatchObject({
      addr_proto: 0x86dd,
      ip_proto: 17,
      sport: 40000,
      ipv4_src: undefined,
      ipv6_src: '2001:db8::7',
      ipv6_dst: '2001:db8::1',
      flags: 2,
      flow_label: 0x12345,
    });
  });

  it('that it drops', () => {
    expect(dissect([...ethernet(0x0800), ...ipv4.slice(0, 21)]).action).toBe('BPF_DROP');
  });

  it('and refused without an Ethernet header', () => {
    expect(() => dissect([1, 2, 3])).toThrow('an Ethernet header of 14 bytes, and this one has 3');
  });
});

describe.runIf(kernelHas.netfilter)('a netfilter program is run on a packet', () => {
  const check = (bytes: number[], hook?: 'input' | 'forward') =>
    program<NetfilterProgram>('check').run(new Uint8Array(bytes), hook === undefined ? {} : { hook });

  it.each([
    ['that this host sends', ipv4, undefined, 'NF_ACCEPT'],
    ['that it gets', ipv4, 'input', 'NF_DROP'],
    ['that it gets, and is longer', [...ipv4, ...ipv4], 'input', 'NF_ACCEPT'],
    ['that it passes on', ipv4, 'forward', 'NF_ACCEPT'],
    ['of IPv6', ipv6, undefined, 'NF_DROP'],
    ['of IPv6 that it gets', ipv6, 'input', 'NF_DROP'],
  ] as const)('%s', (_name, bytes, hook, verdict) => {
    const result = check([...bytes], hook);
    expect([result.verdict, result.returnValue]).toEqual([verdict, verdict === 'NF_DROP' ? 0 : 1]);
  });

  it('and refused without a whole header', () => {
    expect(() => check(ipv4.slice(0, 12))).toThrow('an IP header of 20 bytes, and this one has 12');
    expect(() => check(ipv6.slice(0, 39), 'input')).toThrow('an IP header of 40 bytes, and this one has 39');
  });
});
