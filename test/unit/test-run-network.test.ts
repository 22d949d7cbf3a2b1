import { describe, expect, it } from 'vitest';
import { NotSupportedError } from '../../runtime/src/errors.js';
import type { ProgInfo, TestRun, TestRunResult } from '../../runtime/src/kernel/kernel.js';
import { FlowDissectorProgram, NetfilterProgram, SkLookupProgram } from '../../runtime/src/program/index.js';
import { BPF_PROG_TYPE, kernelVersion } from '../../runtime/src/uapi.js';
import { fakeHost, handleFor } from './fake-host.js';

/** A host whose kernel gives this answer to every run, and what it was asked. */
function host(answer: Partial<TestRunResult> = {}) {
  const asked: TestRun[] = [];
  const fake = fakeHost({
    progTestRun: (_, run) => {
      asked.push(run);
      return { returnValue: 1, duration: 5, data: new Uint8Array(0), context: new Uint8Array(0), ...answer };
    },
  });
  return { fake, asked };
}
const hex = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('hex');
const v4 = {
  protocol: 17,
  remote_ip4: '10.1.2.3',
  remote_port: 0x1234,
  local_ip4: '10.4.5.6',
  local_port: 80,
};

describe('a run of an sk_lookup program', () => {
  it('gives struct bpf_sk_lookup, the remote port in network order, and no data', () => {
    const { fake, asked } = host();
    new SkLookupProgram(handleFor(fake)).run(v4, { repeat: 2 });
    const words = [
      '0000000000000000', // cookie
      '02000000',
      '11000000',
      '0a010203',
      '0'.repeat(32),
      '12340000',
      '0a040506',
      '0'.repeat(32),
      '50000000',
      '0'.repeat(16), // ingress_ifindex and what fills the struct
    ];
    expect(hex(asked[0]?.context)).toBe(words.join(''));
    expect(asked[0]).toMatchObject({ repeat: 2, contextOutSize: 72 });
    expect(asked[0]).not.toHaveProperty('data');
  });

  it('gives the cookie of what was chosen, also when an older kernel answers less', () => {
    const context = new Uint8Array(64);
    context[0] = 7;
    const { fake } = host({ context });
    expect(new SkLookupProgram(handleFor(fake)).run(v4)).toEqual({
      returnValue: 1,
      action: 'SK_PASS',
      duration: 5,
      cookie: 7n,
    });
  });

  const refused = (errno: 'EOPNOTSUPP' | 'ENOTSUPP' | 'EAFNOSUPPORT', version: number) => {
    const info = { type: BPF_PROG_TYPE.SK_LOOKUP } satisfies Partial<ProgInfo>;
    const fake = fakeHost({ version, progInfo: () => info as ProgInfo });
    fake.refuse('progTestRun', errno);
    return () => new SkLookupProgram(handleFor(fake, { section: 'sk_lookup' })).run(v4);
  };
  it.each([
    ['EOPNOTSUPP', 5, 13, 'the program chose a socket of a group that shares its port'],
    ['EAFNOSUPPORT', 6, 1, 'this kernel was built without IPv6'],
    ['ENOTSUPP', 5, 10, 'the kernel runs programs of SEC("sk_lookup") on given data since Linux 5.13'],
  ] as const)('says what %s of Linux %d.%d means', (errno, major, minor, message) => {
    expect(refused(errno, kernelVersion(major, minor))).toThrow(message);
  });

  it('is not supported by a kernel that does not know it', () => {
    expect(refused('ENOTSUPP', kernelVersion(5, 10))).toThrow(NotSupportedError);
  });
});

describe('a run of a flow dissector', () => {
  const packet = new Uint8Array(60);

  it('gives flags only when there are some, which kernels before 5.4 do not know', () => {
    const { fake, asked } = host();
    const program = new FlowDissectorProgram(handleFor(fake));
    program.run(packet);
    program.run(packet, { flags: 5 });
    expect(asked[0]).toEqual({ data: packet, dataOutSize: 56, repeat: 1 });
    expect(hex(asked[1]?.context)).toBe(`${'0'.repeat(96)}0500000000000000`);
  });

  it('reads what an older kernel has of struct bpf_flow_keys', () => {
    const data = new Uint8Array(48);
    new DataView(data.buffer).setUint16(4, 0x0800, true);
    data.set([0, 80], 14);
    const { fake } = host({ data, returnValue: 129 });
    expect(new FlowDissectorProgram(handleFor(fake)).run(packet)).toMatchObject({
      action: 'BPF_FLOW_DISSECTOR_CONTINUE',
      keys: { dport: 80, ipv4_src: '0.0.0.0', ipv6_src: undefined, flags: 0, flow_label: 0 },
    });
  });
});

describe('a run of a netfilter program', () => {
  it.each([
    ['input', 0x45, '0102', '0'.repeat(24), '0800'],
    ['postrouting', 0x60, '040a', '0'.repeat(24), '86dd'],
  ] as const)(
    'at %s puts an Ethernet header before the packet',
    (hook, first, state, addresses, protocol) => {
      const { fake, asked } = host();
      const packet = new Uint8Array(40).fill(first, 0, 1);
      expect(new NetfilterProgram(handleFor(fake)).run(packet, { hook }).verdict).toBe('NF_ACCEPT');
      expect(hex(asked[0]?.context)).toBe(state);
      expect(hex(asked[0]?.data)).toBe(addresses + protocol + hex(packet));
    },
  );

  it('at output gives the packet as it is', () => {
    const { fake, asked } = host({ returnValue: 0 });
    const packet = new Uint8Array(20).fill(0x45, 0, 1);
    expect(new NetfilterProgram(handleFor(fake)).run(packet)).toMatchObject({ verdict: 'NF_DROP' });
    expect(asked).toEqual([{ data: packet, dataOutSize: 0, context: new Uint8Array([3, 2]), repeat: 1 }]);
  });
});
