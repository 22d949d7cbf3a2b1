import { describe, expect, it } from 'vitest';
import { NotSupportedError } from '../../runtime/src/errors.js';
import { ERRNO, syscallError } from '../../runtime/src/kernel/errno.js';
import type { LinkCreate } from '../../runtime/src/kernel/kernel.js';
import {
  KprobeMultiProgram,
  KprobeSessionProgram,
  KretprobeMultiProgram,
} from '../../runtime/src/program/index.js';
import { BPF_ATTACH_TYPE, kernelVersion } from '../../runtime/src/uapi.js';
import { type FakeHost, fakeHost, handleFor } from './fake-host.js';

const tracing = '/sys/kernel/tracing';
const symbols = [
  'ffffffff81000000 T vfs_read',
  'ffffffff81000100 T vfs_write',
  'ffffffff81000200 t vfs_same',
  'ffffffff81000300 t vfs_same',
  'ffffffff81000400 T vfs_notrace',
  'ffffffff81000500 t vfs_clang.llvm.1234',
  'ffffffffc0000000 t xfs_open\t[xfs]',
];

interface Asked extends FakeHost {
  readonly links: LinkCreate[];
}

/** A kernel that lists its functions, with their addresses or, before Linux 6.5, without. */
function hostWithFunctions({ addresses = true, release = '6.12.0', hidden = false } = {}): Asked {
  const links: LinkCreate[] = [];
  let next = 20;
  const [major = 0, minor = 0] = release.split('.').map(Number);
  const host = fakeHost({
    release,
    version: kernelVersion(major, minor),
    linkCreate: (link: LinkCreate) => {
      const functions = link.options?.kind === 'kprobe_multi' ? link.options.functions : { symbols: [] };
      const count = 'symbols' in functions ? functions.symbols.length : functions.addresses.length;
      if (count === 0) throw syscallError('linkCreate', ERRNO.EINVAL);
      links.push(link);
      next += 1;
      return next;
    },
  });
  host.file(`${tracing}/events/enable`, '0');
  const shown = (line: string) => (hidden ? line.replace(/^\w+/, '0000000000000000') : line);
  host.file('/proc/kallsyms', `${symbols.map(shown).join('\n')}\n`);
  const listed = symbols.filter((line) => !line.includes('notrace'));
  const name = (line: string) => (line.split(' ')[2] ?? '').replace('\t', ' ').replace(/\.llvm.*/, '');
  host.file(`${tracing}/available_filter_functions`, `${listed.map(name).join('\n')}\n`);
  if (addresses) {
    const lines = listed.map((line) => `${shown(line).split(' ')[0]} ${name(line)}`);
    host.file(`${tracing}/available_filter_functions_addrs`, `${lines.join('\n')}\n`);
  }
  return { ...host, links };
}

const { TRACE_KPROBE_MULTI, TRACE_KPROBE_SESSION } = BPF_ATTACH_TYPE;
const at = (host: FakeHost, section = 'kprobe.multi') =>
  new KprobeMultiProgram(handleFor(host, { name: 'trace', section, expectedAttachType: TRACE_KPROBE_MULTI }));
const hex = (link: LinkCreate | undefined) =>
  link?.options?.kind === 'kprobe_multi' && 'addresses' in link.options.functions
    ? Array.from(link.options.functions.addresses, (address) => address.toString(16))
    : undefined;
const names = (link: LinkCreate | undefined) =>
  link?.options?.kind === 'kprobe_multi' && 'symbols' in link.options.functions
    ? link.options.functions.symbols
    : undefined;

describe('attaching to many functions', () => {
  it.each([true, false])('finds what a glob matches (addresses listed: %s)', (addresses) => {
    const host = hostWithFunctions({ addresses });
    const link = at(host, 'kprobe.multi/vfs_*e*').attach();
    expect(hex(host.links[0])).toEqual([
      'ffffffff81000000',
      'ffffffff81000100',
      'ffffffff81000200',
      'ffffffff81000300',
    ]);
    expect(link.target).toBe('kprobe.multi vfs_*e* (4 functions)');
    expect(host.links[0]).toMatchObject({ prog: 9, attachType: 42, options: { flags: 0 } });
  });

  it('takes functions of modules, and those whose symbol ends in a hash', () => {
    const host = hostWithFunctions({ addresses: false });
    at(host).attach('*s_*l*');
    expect(hex(host.links[0])).toEqual(['ffffffff81000500']);
    at(host).attach('xfs_*');
    expect(hex(host.links[1])).toEqual(['ffffffffc0000000']);
  });

  it('gives the kernel a plain name as it is, without reading any list', () => {
    const host = hostWithFunctions();
    const link = at(host, 'kprobe.multi/vfs_unlisted').attach();
    expect(names(host.links[0])).toEqual(['vfs_unlisted']);
    expect(link.target).toBe('kprobe.multi vfs_unlisted');
  });

  it('gives names where the kernel hides addresses', () => {
    const host = hostWithFunctions({ hidden: true });
    at(host).attach('vfs_s*');
    expect(names(host.links[0])).toEqual(['vfs_same']);
  });

  it('takes lists of names and of addresses, each with its cookie', () => {
    const host = hostWithFunctions();
    const named = at(host).attach(['vfs_read', 'vfs_write'], { cookies: [1n, 2n] });
    expect(host.links[0]?.options).toEqual({
      kind: 'kprobe_multi',
      functions: { symbols: ['vfs_read', 'vfs_write'] },
      cookies: BigUint64Array.of(1n, 2n),
      flags: 0,
    });
    expect(named.target).toBe('kprobe.multi vfs_read, vfs_write');
    const placed = at(host).attach([0xffffffff81000000n]);
    expect(hex(host.links[1])).toEqual(['ffffffff81000000']);
    expect(placed.target).toBe('kprobe.multi 0xffffffff81000000');
  });

  it('marks return probes, by section or by option', () => {
    const host = hostWithFunctions();
    const handle = handleFor(host, { section: 'kretprobe.multi/vfs_read', expectedAttachType: 42 });
    expect(new KretprobeMultiProgram(handle).attach().target).toBe('kretprobe.multi vfs_read');
    expect(at(host).attach('vfs_read', { retprobe: true }).target).toBe('kretprobe.multi vfs_read');
    expect(host.links.map(({ options }) => options)).toMatchObject([{ flags: 1 }, { flags: 1 }]);
  });

  it('makes sessions by their own attach type', () => {
    const host = hostWithFunctions();
    const section = 'kprobe.session/vfs_read';
    const handle = handleFor(host, { section, expectedAttachType: TRACE_KPROBE_SESSION });
    expect(new KprobeSessionProgram(handle).attach().target).toBe('kprobe.session vfs_read');
    expect(host.links[0]).toMatchObject({ attachType: 56, options: { flags: 0 } });
  });

  it('refuses a second match when there must be one', () => {
    const host = hostWithFunctions();
    at(host).attach('vfs_read', { uniqueMatch: true });
    expect(hex(host.links[0])).toEqual(['ffffffff81000000']);
    expect(() => at(host).attach('vfs_same', { uniqueMatch: true })).toThrow(
      'attach "trace" to kprobe.multi vfs_same: 2 functions match, and only one may: vfs_same, vfs_same',
    );
  });

  it('closes its descriptor once', () => {
    const host = hostWithFunctions();
    const link = at(host).attach('vfs_read');
    link.detach();
    link.detach();
    expect(host.calls.filter((call) => call.startsWith('close'))).toEqual(['close(21)']);
  });

  const misuse: [string, Parameters<KprobeMultiProgram['attach']>, string][] = [
    ['an empty list', [[]], 'no function is named'],
    ['an empty name', [''], 'no function is named'],
    ['cookies for a pattern', ['vfs_*', { cookies: [1n] }], 'cookies go with a list of functions'],
    ['too few cookies', [['a', 'b'], { cookies: [1n] }], '2 functions need as many cookies, not 1'],
    ['a list that shall be unique', [['a'], { uniqueMatch: true }], 'uniqueMatch is about a name'],
  ];
  it.each(misuse)('refuses %s', (_name, args, text) => {
    const host = hostWithFunctions();
    expect(() => at(host).attach(...args)).toThrow(text);
    expect(host.links).toEqual([]);
  });

  it.each(['kprobe.multi', 'kprobe.multi/', 'kprobe.multi/vfs_read,vfs_write', 'kprobe.multi/a b'])(
    'asks for functions when the section is %s',
    (section) => {
      expect(() => at(hostWithFunctions(), section).attach()).toThrow(
        /SEC\(\) (names no functions|must name)/,
      );
    },
  );
});

describe('many functions that cannot be attached to', () => {
  const cases: [
    string,
    Parameters<FakeHost['refuse']>[1],
    Parameters<KprobeMultiProgram['attach']>[0],
    string,
  ][] = [
    [
      'no fprobe',
      'EOPNOTSUPP',
      'vfs_read',
      'built without fprobe, which kprobe.multi needs (CONFIG_FPROBE) (EOPNOTSUPP). Use SEC("kprobe")',
    ],
    ['one absent', 'ESRCH', ['vfs_read', 'vfs_raed'], 'this kernel has no function vfs_raed'],
    [
      'one not traceable',
      'EINVAL',
      ['vfs_read', 'vfs_notrace'],
      'vfs_notrace is in the kernel, but not traceable',
    ],
    ['too many', 'E2BIG', 'vfs_read', 'one link takes at most 1,048,576 functions'],
  ];
  it.each(cases)('say why: %s', (_name, errno, functions, text) => {
    const host = hostWithFunctions();
    host.refuse('linkCreate', errno);
    expect(() => at(host).attach(functions)).toThrow(text);
  });

  it('say which Linux has them', () => {
    const host = hostWithFunctions({ release: '5.10.0' });
    host.refuse('linkCreate', 'EINVAL');
    expect(() => at(host).attach('vfs_read')).toThrow(NotSupportedError);
    expect(() => at(host).attach('vfs_read')).toThrow('kprobe.multi needs Linux 5.18, this is 5.10.0');
    const section = 'kprobe.session/vfs_read';
    const handle = handleFor(host, { section, expectedAttachType: TRACE_KPROBE_SESSION });
    expect(() => new KprobeSessionProgram(handle).attach()).toThrow('kprobe.session needs Linux 6.10');
  });

  it('say that nothing matches', () => {
    expect(() => at(hostWithFunctions()).attach('zfs_*')).toThrow(
      'attach "trace" to kprobe.multi zfs_*: no function that this kernel can trace matches zfs_*',
    );
    expect(() => at(hostWithFunctions()).attach('vfs_notrace', { uniqueMatch: true })).toThrow(
      'vfs_notrace is in the kernel, but not traceable',
    );
  });

  it('say how to mount tracefs, or that functions are not listed', () => {
    const host = fakeHost();
    host.refuse('linkCreate', 'EINVAL');
    expect(() => at(host).attach('vfs_*')).toThrow(/Mount it: mount -t tracefs/);
    host.file(`${tracing}/events/enable`, '0');
    expect(() => at(host).attach('vfs_*')).toThrow('this kernel lists no functions to match');
  });

  it('say that there is no fprobe before any list is read', () => {
    const host = fakeHost();
    host.refuse('linkCreate', 'EOPNOTSUPP');
    expect(() => at(host).attach('vfs_*')).toThrow('built without fprobe');
  });

  it('name the missing capability', () => {
    const host = hostWithFunctions();
    host.refuse('linkCreate', 'EPERM');
    host.file('/proc/self/status', 'CapEff:\t0000000000000000\nSeccomp:\t0\n');
    expect(() => at(host).attach('vfs_read')).toThrow('this process lacks CAP_BPF and CAP_PERFMON');
  });
});
