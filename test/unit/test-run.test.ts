import { describe, expect, it } from 'vitest';
import { NotSupportedError } from '../../runtime/src/errors.js';
import type { TestRun } from '../../runtime/src/kernel/kernel.js';
import {
  KprobeProgram,
  RawTracepointProgram,
  SocketFilterProgram,
  SyscallProgram,
  XdpProgram,
} from '../../runtime/src/program/index.js';
import { fakeKernel } from '../../runtime/src/testing/index.js';
import { BPF_PROG_TYPE, kernelVersion } from '../../runtime/src/uapi.js';
import { contexts } from '../golden/contexts/expected.skel.ts';
import { fakeHost, handleFor } from './fake-host.js';

/** A host whose kernel answers every run with `context` and 0xffffffff, and what it was asked. */
function host(version = kernelVersion(6, 12), context = new Uint8Array(0)) {
  const asked: TestRun[] = [];
  const fake = fakeHost({
    version,
    progTestRun: (_, run) => {
      asked.push(run);
      const data = run.data ?? new Uint8Array(0);
      return {
        returnValue: 0xffffffff,
        duration: 5,
        data,
        context: context.length > 0 ? context : (run.context ?? context),
      };
    },
  });
  return { fake, asked };
}
const words = (bytes: Uint8Array | undefined) => [
  ...new Uint32Array(bytes?.slice().buffer ?? new ArrayBuffer(0)),
];
const packet = new Uint8Array(20).fill(7);

describe('running a packet through', () => {
  it('a socket filter gives and takes struct __sk_buff', () => {
    const seen = new Uint8Array(192);
    new Uint32Array(seen.buffer).set([20, 0, 9], 0);
    const { fake, asked } = host(undefined, seen);
    const program = new SocketFilterProgram(handleFor(fake, { section: 'socket' }));
    const cb = [1, 2, 3, 4, 5];
    const given = {
      mark: 8,
      priority: 9,
      cb,
      tstamp: 10n,
      wire_len: 11,
      gso_segs: 12,
      gso_size: 13,
      hwtstamp: 14n,
    };
    const result = program.run(packet, { context: given, repeat: 3, dataOutSize: 40, flags: 4 });
    const words32 = words(asked[0]?.context);
    expect([
      words32[2],
      words32[8],
      words32.slice(12, 17),
      words32[38],
      words32.slice(40, 42),
      words32[44],
      words32[46],
    ]).toEqual([8, 9, cb, 10, [11, 12], 13, 14]);
    expect(asked[0]).toMatchObject({
      data: packet,
      repeat: 3,
      contextOutSize: 192,
      dataOutSize: 40,
      flags: 4,
    });
    expect(result).toMatchObject({
      returnValue: -1,
      duration: 5,
      packet,
      context: { len: 20, mark: 9, cb: [0, 0, 0, 0, 0] },
    });
  });

  it('one of an old kernel, which tells nothing of the buffer', () => {
    const { fake } = host(kernelVersion(4, 19));
    const program = new SocketFilterProgram(handleFor(fake, { section: 'socket' }));
    expect(program.run(packet).context).toMatchObject({ len: 0, tstamp: 0n });
  });

  it('XDP gives struct xdp_md with the metadata in front', () => {
    const { fake, asked } = host();
    const program = new XdpProgram(handleFor(fake, { section: 'xdp' }));
    const metadata = new Uint8Array([1, 2, 3, 4]);
    const result = program.run(packet, { metadata, context: { ingress_ifindex: 2, rx_queue_index: 3 } });
    expect(words(asked[0]?.context)).toEqual([4, 24, 0, 2, 3, 0]);
    expect(result).toMatchObject({ action: undefined, returnValue: -1, metadata, packet });
  });

  it('XDP on a kernel that takes no context leaves it out', () => {
    const { fake, asked } = host(kernelVersion(5, 10));
    new XdpProgram(handleFor(fake, { section: 'xdp' })).run(packet);
    expect(asked).toEqual([{ data: packet, repeat: 1 }]);
  });

  it('live XDP takes nothing back', () => {
    const { fake, asked } = host();
    new XdpProgram(handleFor(fake, { section: 'xdp' })).inject(packet, { repeat: 9, batchSize: 4 });
    expect(asked[0]).toMatchObject({ dataOutSize: 0, repeat: 9, batchSize: 4, flags: 2 });
    expect(asked[0]).not.toHaveProperty('contextOutSize');
  });
});

describe('running', () => {
  it('a raw tracepoint program gives 64-bit arguments', () => {
    const { fake, asked } = host();
    const program = new RawTracepointProgram(handleFor(fake, { section: 'raw_tp/x' }));
    expect(program.run([1, -1n, 2n ** 63n], { cpu: 3 })).toEqual({ returnValue: -1, duration: 5 });
    expect(words(asked[0]?.context)).toEqual([1, 0, 0xffffffff, 0xffffffff, 0, 0x80000000]);
    expect(asked[0]).toMatchObject({ cpu: 3, flags: 1 });
    program.run([]);
    expect(asked[1]).not.toHaveProperty('flags');
  });

  it('a syscall program of a skeleton gives and takes its struct', () => {
    const kernel = fakeKernel();
    using skel = contexts.openAndLoad({ kernel });
    kernel.onTestRun('add', ({ context = new Uint8Array(0) }) => {
      const left = context.slice();
      new DataView(left.buffer).setBigInt64(16, 42n, true);
      return { returnValue: 0, context: left };
    });
    expect(skel.progs.add.run({ a: 1n, b: 2, result: 0n })).toEqual({
      returnValue: 0,
      context: { a: 1n, b: 2, result: 42n },
    });
  });

  it('a syscall program without a type takes bytes only', () => {
    const { fake } = host();
    const program = new SyscallProgram<unknown>(handleFor(fake, { section: 'syscall' }));
    expect(() => program.run({ a: 1 })).toThrow('its context has no type here; give its bytes');
    expect(program.run(packet).context).toEqual(packet);
  });
});

describe('a refusal to run', () => {
  const refused = (version: number, errno: 'ENOTSUPP' | 'EINVAL' | 'EPERM', type: number) => {
    const fake = fakeHost({ version, progInfo: () => ({ type, id: 7, name: 'x' }) as never });
    fake.refuse('progTestRun', errno);
    return fake;
  };

  it('of a kind says which kinds this kernel runs', () => {
    const fake = refused(kernelVersion(5, 12), 'ENOTSUPP', BPF_PROG_TYPE.KPROBE);
    const run = () => new KprobeProgram(handleFor(fake)).testRun();
    expect(run).toThrow(NotSupportedError);
    expect(run).toThrow(
      /^run "prog": the kernel runs no programs of SEC\("kprobe\/x"\) .* RAW_TRACEPOINT, and fentry/,
    );
  });

  it('of a kind that later kernels run says since when', () => {
    const fake = refused(kernelVersion(5, 12), 'ENOTSUPP', BPF_PROG_TYPE.SYSCALL);
    const run = () => new SyscallProgram(handleFor(fake, { section: 'syscall' })).run();
    expect(run).toThrow(/since Linux 5\.14, this is 6\.12\.0-test/);
    expect(run).toThrow(expect.objectContaining({ since: '5.14' }));
  });

  it.each([
    [
      'a packet longer than a page',
      5,
      15,
      (program: XdpProgram) => program.run(new Uint8Array(5000)),
      'longer than the page',
    ],
    ['live packets', 5, 15, (program: XdpProgram) => program.inject(packet), 'since Linux 5.18'],
    [
      'metadata',
      5,
      10,
      (program: XdpProgram) => program.run(packet, { metadata: packet }),
      'since Linux 5.15',
    ],
  ] as const)('of %s says since when the kernel takes them', (_, major, minor, run, why) => {
    const fake = refused(kernelVersion(major, minor), 'EINVAL', BPF_PROG_TYPE.XDP);
    expect(() => run(new XdpProgram(handleFor(fake, { section: 'xdp' })))).toThrow(why);
  });

  it('that nothing explains says what the kernel said', () => {
    const fake = refused(kernelVersion(6, 12), 'EINVAL', BPF_PROG_TYPE.XDP);
    const run = () => new XdpProgram(handleFor(fake, { section: 'xdp' })).run(packet);
    expect(run).toThrow('run "prog": progTestRun: invalid argument (EINVAL)');
  });
});
