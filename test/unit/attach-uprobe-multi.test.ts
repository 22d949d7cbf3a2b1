import { describe, expect, it } from 'vitest';
import { BpfError, NotSupportedError } from '../../runtime/src/errors.js';
import { ERRNO, syscallError } from '../../runtime/src/kernel/errno.js';
import type { LinkCreate } from '../../runtime/src/kernel/kernel.js';
import {
  type UprobeMultiOptions,
  UprobeMultiProgram,
  UprobeSessionProgram,
  UretprobeMultiProgram,
} from '../../runtime/src/program/index.js';
import { fakeBinary, fakeLayout } from '../../runtime/src/testing/index.js';
import { BPF_ATTACH_TYPE, kernelVersion } from '../../runtime/src/uapi.js';
import { type BinaryHost, binaryHost } from './binary-host.js';
import { handleFor } from './fake-host.js';

const app = '/usr/bin/app';
const { TRACE_UPROBE_MULTI, TRACE_UPROBE_SESSION } = BPF_ATTACH_TYPE;
const place = (index: number) => fakeLayout.code.offset + 16 * (index + 1);

/** A program whose symbols are complete; `read_alias` is another name of `read_a`, and `read_c` lies in a library. */
function host(): BinaryHost {
  const on = binaryHost();
  const symbols = [
    'read_a',
    'read_b',
    { name: 'read_alias', offset: 16 },
    { name: 'read_c', imported: true },
    'write_a',
  ];
  on.binary(app, fakeBinary({ exports: ['exported', { name: 'read_c', imported: true }], symbols }));
  on.binary('/usr/bin/stripped', fakeBinary({ exports: ['exported', 'export_two'] }));
  return on;
}

/** A kernel before 6.6. */
function old(): BinaryHost {
  const on = host();
  on.refuseLink = (link: LinkCreate) => {
    if (link.options?.kind === 'uprobe_multi') throw syscallError('bpf(BPF_LINK_CREATE)', ERRNO.EINVAL);
  };
  return on;
}

const handle = (on: BinaryHost, section: string, expectedAttachType: number = TRACE_UPROBE_MULTI) =>
  handleFor(on, { name: 'trace', section, expectedAttachType });
const multi = (on: BinaryHost, section = 'uprobe.multi/app:read_*') =>
  new UprobeMultiProgram(handle(on, section));

describe('attaching to many functions', () => {
  it('makes one link of every place that a glob matches, each once, none of other files', () => {
    const on = host();
    const link = multi(on).attach();
    expect(on.calls).toEqual([
      `linkCreate({"prog":9,"attachType":48,"options":{"kind":"uprobe_multi","path":"${app}","offsets":["${place(0)}n","${place(1)}n"],"flags":0}})`,
    ]);
    expect(link.target).toBe('uprobe.multi /usr/bin/app:read_* (2 functions)');
    link.detach();
    link.detach();
    expect(on.open.size).toBe(0);
  });

  it('matches exported names where there are no others', () => {
    const on = host();
    expect(multi(on, 'uprobe.multi/stripped:export*').attach().target).toContain('(2 functions)');
  });

  const calls: [options: UprobeMultiOptions, parts: string[], target: string][] = [
    [
      { functions: ['write_a', 'read_a'], cookies: [7n, 8n], pid: 0 },
      [`"offsets":["${place(4)}n","${place(0)}n"],"cookies":["7n","8n"]`, '"pid":4242'],
      'uprobe.multi /usr/bin/app:write_a, read_a (pid 4242)',
    ],
    [
      { offsets: [1, 2], refCtrOffsets: [0, 0x2000] },
      ['"offsets":["1n","2n"],"refCtrOffsets":["0n","8192n"]'],
      'uprobe.multi /usr/bin/app:0x1, 0x2',
    ],
    [{ offsets: [1, 2, 3, 4] }, ['"4n"'], 'uprobe.multi /usr/bin/app:4 places'],
    [{ functions: 'write_a' }, [`["${place(4)}n"]`], 'uprobe.multi /usr/bin/app:write_a (1 function)'],
  ];
  it.each(calls)('takes %o of the call before SEC()', (options, parts, target) => {
    const on = host();
    expect(multi(on).attach(options).target).toBe(target);
    for (const part of parts) expect(on.calls[0]).toContain(part);
  });

  it('is of returns when asked to, or by its kind', () => {
    const on = host();
    multi(on).attach({ retprobe: true });
    new UretprobeMultiProgram(handle(on, 'uretprobe.multi/app:read_*')).attach();
    for (const call of on.calls) expect(call).toContain('"flags":1');
  });

  it('is of both as a session', () => {
    const on = host();
    const session = new UprobeSessionProgram(handle(on, 'uprobe.session/app:read_*', TRACE_UPROBE_SESSION));
    expect(session.attach().target).toContain('uprobe.session');
    expect(on.calls[0]).toContain('"attachType":57');
    expect(on.calls[0]).toContain('"flags":0');
  });

  it('makes a link for each place, under one, where the kernel has no such links', () => {
    const on = old();
    const program = multi(on);
    const link = program.attach({
      functions: ['read_a', 'read_b'],
      cookies: [1n, 2n],
      refCtrOffsets: [0, 4],
    });
    expect(on.calls.filter((call) => call.startsWith('perfEventOpen'))).toEqual([
      expect.stringContaining(`"config":"0n","target":"${app}","config2":"${place(0)}n"`),
      expect.stringContaining(`"config":"${4n << 32n}n","target":"${app}","config2":"${place(1)}n"`),
    ]);
    expect(on.calls.join()).toContain('"cookie":"2n"');
    expect(on.open.size).toBe(4);
    expect(() => link.pin('/sys/fs/bpf/x')).toThrow(NotSupportedError);
    link.detach();
    expect(on.open.size).toBe(0);
  });

  it('gives back every one when one of them fails', () => {
    const on = old();
    let left = 2;
    on.refuse('perfEventOpen', 'EMFILE', () => left-- <= 0);
    expect(() => multi(on).attach({ offsets: [1, 2, 3] })).toThrow(
      /takes two descriptors for each of the 3 places, .* \(EMFILE\)\. Raise its limit/,
    );
    expect(on.open.size).toBe(0);
  });

  it('says that sessions are not there, as they cannot be made of others', () => {
    const session = new UprobeSessionProgram(
      handle(old(), 'uprobe.session/app:read_*', TRACE_UPROBE_SESSION),
    );
    expect(() => session.attach()).toThrow(NotSupportedError);
    expect(() => session.attach()).toThrow(/this kernel has no uprobe\.session; kernels have since 6\.13/);
  });

  it('refuses one process on a kernel that takes it for a thread, and asks others first', () => {
    const on = host();
    Object.assign(on.overrides, { version: kernelVersion(6, 6) });
    on.refuseLink = ({ options }) => {
      if (options?.kind === 'uprobe_multi' && options.path === '/') throw syscallError('bpf', ERRNO.EBADF);
    };
    expect(() => multi(on).attach({ pid: 0 })).toThrow(/would watch one thread of process 4242 only/);
    multi(on).attach();
    on.refuseLink = ({ options }) => {
      if (options?.kind === 'uprobe_multi' && options.path === '/') throw syscallError('bpf', ERRNO.EINVAL);
    };
    multi(on).attach({ pid: 0 });
    expect(on.open.size).toBe(2);
  });

  const refusals: [options: UprobeMultiOptions, text: string][] = [
    [{ functions: 'none_*' }, 'no function of /usr/bin/app matches none_*'],
    [{ functions: 'read_d' }, 'has no function read_d. Similar names: read_a, read_b'],
    [{ functions: ['read_a', 'read_c'] }, 'read_c is imported by /usr/bin/app'],
    [{ functions: [] }, 'no place is named'],
    [{ functions: '' }, 'no place is named'],
    [{ functions: 'read_*', cookies: [1n] }, 'cookies go with a list of functions or offsets, one for each'],
    [{ offsets: [1], cookies: [1n, 2n] }, '1 places need as many cookies, not 2'],
    [{ offsets: [1], refCtrOffsets: [] }, '1 places need as many refCtrOffsets, not 0'],
    [{ offsets: [-1] }, 'offset -1 is no whole number'],
    [{ offsets: [1], functions: 'read_*' }, 'functions and offsets cannot be given together'],
    [{ binary: 'nothing', functions: 'a' }, 'there is no nothing in'],
    [{ binary: 'x.apk!/a.so', functions: 'a' }, 'x.apk!/a.so is a file in an archive, where only uprobe and'],
    [{ offsets: [1], pid: 1.5 }, 'pid 1.5 is no whole number'],
  ];
  it.each(refusals)('explains %o', (options, text) => {
    const on = host();
    expect(() => multi(on).attach(options)).toThrow(BpfError);
    expect(() => multi(on).attach(options)).toThrow(text);
    expect(on.open.size).toBe(0);
  });

  it.each([
    ['uprobe.multi', 'nothing says where'],
    ['uprobe.multi/app', 'SEC() must name a binary and functions, PATH:glob'],
    ['uprobe.multi/:read', 'SEC() must name a binary and functions'],
  ])('asks for what SEC("%s") lacks', (section, text) => {
    expect(() => multi(host(), section).attach()).toThrow(text);
  });

  it.each([
    ['EINVAL', { offsets: [1, 1 << 20] }, 'offset 0x100000 lies beyond'],
    ['EOPNOTSUPP', { offsets: [1, 2] }, 'one of the 2 places in /usr/bin/app has no instruction'],
    ['EOPNOTSUPP', { offsets: [2] }, 'what stands at 0x2 of /usr/bin/app is no instruction'],
    ['E2BIG', { offsets: [1] }, 'one link takes at most 1,048,576 places'],
  ] as const)('explains what the kernel means by %s for %o', (errno, options, text) => {
    const on = host();
    // Not that there is "/".
    on.refuseLink = ({ options: given }) => {
      const real = given?.kind === 'uprobe_multi' && given.path !== '/';
      throw syscallError('bpf(BPF_LINK_CREATE)', real ? ERRNO[errno] : ERRNO.EBADF);
    };
    expect(() => multi(on).attach(options)).toThrow(text);
    expect(on.open.size).toBe(0);
  });
});
