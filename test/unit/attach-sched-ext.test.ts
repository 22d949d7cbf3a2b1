import { describe, expect, it } from 'vitest';
import { attachStructOps } from '../../runtime/src/link/struct-ops.js';
import { BPF_F_LINK } from '../../runtime/src/uapi.js';
import { type FakeHost, fakeHost } from './fake-host.js';

const folder = '/sys/kernel/sched_ext';
const host = (files: Readonly<Record<string, string>> = {}): FakeHost => {
  const made = fakeHost({ mapUpdate: () => undefined, mapDelete: () => true });
  for (const [path, text] of Object.entries(files)) made.file(path, text);
  return made;
};
const attach = ({ kernel }: FakeHost, flags: number = BPF_F_LINK) =>
  attachStructOps({
    ...{ kernel, name: 'fifo', type: 'sched_ext_ops', map: 9, flags },
    value: new Uint8Array(8),
  });

describe('attaching a scheduler', () => {
  it('is a link when the kernel goes on with it, also where it does not tell', () => {
    for (const files of [{}, { [`${folder}/state`]: 'enabled\n' }]) {
      const one = host(files);
      attach(one).detach();
      expect(one.open.size).toBe(0);
    }
  });

  it.each([
    ['a link', BPF_F_LINK],
    ['its value', 0],
  ])('by %s is refused when the kernel ended it at once, and nothing stays', (_name, flags) => {
    const one = host({ [`${folder}/state`]: 'disabled\n' });
    expect(() => attach(one, flags)).toThrow(
      expect.objectContaining({
        code: 'ERR_BPF_STATE',
        message: expect.stringMatching(
          /^attach "fifo" to struct_ops: the kernel took the scheduler and ended it at once \(\/sys\/kernel\/sched_ext\/state: disabled\)\. Its exit\(\), and the kernel's log/,
        ),
      }),
    );
    expect(one.open.size).toBe(0);
    expect(one.calls.at(-1)).toMatch(flags === 0 ? /^mapDelete\(9/ : /^close/);
  });

  it.each([
    [
      'the one that runs',
      { [`${folder}/state`]: 'enabled\n', [`${folder}/root/ops`]: 'their\u001bs\n' },
      'the scheduler "their\\u{1b}s" is enabled, and there is one at a time (EBUSY). End that one first',
    ],
    [
      'one without a name yet',
      { [`${folder}/state`]: 'disabling\n' },
      'another scheduler is disabling, and there is one at a time (EBUSY). End that one first',
    ],
    ['nothing it did not see', { [`${folder}/state`]: 'disabled\n' }, 'linkCreate: '],
  ])('names %s', (_name, files, text) => {
    const one = host(files);
    one.refuse('linkCreate', 'EBUSY');
    expect(() => attach(one)).toThrow(`attach "fifo" to struct_ops: ${text}`);
    expect(one.open.size).toBe(0);
  });

  it('names processors that are isolated', () => {
    const one = host({ '/sys/devices/system/cpu/isolated': '2-3\n' });
    one.refuse('linkCreate', 'EINVAL');
    expect(() => attach(one)).toThrow(
      'processors 2-3 are isolated (isolcpus=), and then there are no schedulers (EINVAL)',
    );
  });

  it.each([
    ['EINVAL', 'a scheduler has a name of letters, digits, "_" and "."'],
    ['E2BIG', 'timeout_ms of a scheduler is at most 30000'],
    ['EACCES', 'mapUpdate: '],
  ] as const)('says what the kernel takes when it refuses the members with %s', (errno, text) => {
    const one = host();
    one.refuse('mapUpdate', errno);
    expect(() => attach(one)).toThrow(`attach "fifo" to struct_ops: ${text}`);
  });

  it('leaves other struct_ops their own reasons', () => {
    const one = host({ [`${folder}/state`]: 'disabled\n' });
    const other = { kernel: one.kernel, name: 'reno', type: 'tcp_congestion_ops', map: 9 };
    const value = new Uint8Array(8);
    attachStructOps({ ...other, flags: BPF_F_LINK, value }).detach();
    one.refuse('mapUpdate', 'EBUSY');
    expect(() => attachStructOps({ ...other, flags: 0, value })).toThrow('it is registered, or was');
  });
});
