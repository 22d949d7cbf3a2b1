import { fileURLToPath } from 'node:url';
import { openObject } from '@bpfskel/runtime';
import { describe, expect, it } from 'vitest';
import { kernelHas } from './facts.js';
import { RunningExample } from './running-example.js';

/** Runs a command on a host of its own, where nobody mounted tracefs. */
const withoutTracefs = [
  'unshare',
  '--mount',
  'sh',
  '-c',
  'for i in /sys/kernel/debug/tracing /sys/kernel/debug /sys/kernel/tracing; do while umount -l $i 2>&-; do :; done; done; exec "$@"',
  'sh',
];
const without = (...capabilities: string[]) => [
  'setpriv',
  `--bounding-set=${capabilities.map((each) => `-${each}`).join(',')}`,
];

// What every kernel does alike: the emulated ones would take long to start so many programs.
describe.runIf(kernelHas.patience)('a program that is refused ends with one sentence', () => {
  it.each([
    [
      'where tracefs is not mounted',
      'execsnoop',
      withoutTracefs,
      /tracefs is not mounted at .*\. Mount it: mount -t tracefs/,
    ],
    [
      'that may not use BPF',
      'execsnoop',
      without('bpf', 'sys_admin'),
      /this process lacks CAP_BPF.*\. Run as root, or give/,
    ],
    [
      'that may not look at the kernel',
      'execsnoop',
      without('perfmon', 'sys_admin'),
      /this process lacks CAP_PERFMON.*\. Run as root, or give/,
    ],
    [
      'that may not change the network',
      'xdp lo',
      without('net_admin', 'sys_admin'),
      /this process lacks CAP_NET_ADMIN.*\. Run as root, or give/,
    ],
  ] as const)('%s', async (_case, command, wrapper, sentence) => {
    const [name = '', ...args] = command.split(' ');
    await using example = new RunningExample(name, args, wrapper);
    expect(await example.ended()).toBe(1);
    expect(example.stdout).toBe('');
    expect(example.stderr.trim().split('\n')).toHaveLength(1);
    expect(example.stderr).toMatch(sentence);
  });
});

describe('attach({ optional })', () => {
  it('goes on past what this kernel does not have, and says why', () => {
    const object = openObject(fileURLToPath(new URL('../../examples/hello/hello_kern.o', import.meta.url)));
    for (const program of object.progs.values()) program.autoload = true;
    using live = object.load();
    const { attached, failed } = live.attach({ optional: ['hello'] });
    if (kernelHas.kprobes) {
      expect([attached, failed]).toEqual([['hello', 'hello_tracepoint'], []]);
    } else {
      expect(attached).toEqual(['hello_tracepoint']);
      expect(failed).toEqual([{ program: 'hello', error: expect.any(Error) }]);
      expect(failed[0]?.error.message).toMatch(/^attach "hello" to kprobe .*: this kernel has no kprobes/);
    }
  });
});
