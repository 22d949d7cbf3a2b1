import { describe, expect, it } from 'vitest';
import { ERRNO, syscallError } from '../../runtime/src/kernel/errno.js';
import type { MapCreate } from '../../runtime/src/kernel/kernel.js';
import { explain, type Request } from '../../runtime/src/loader/diagnose.js';
import { BPF_MAP_TYPE, BPF_PROG_TYPE, kernelVersion } from '../../runtime/src/uapi.js';
import { fakeHost } from './fake-host.js';

const STATUS = '/proc/self/status';
const SYSCTL = '/proc/sys/kernel/unprivileged_bpf_disabled';
const LOCKDOWN = '/sys/kernel/security/lockdown';
const NOBODY = 'CapEff:\t0000000000000000\nSeccomp:\t0\n';
const ROOT = 'CapEff:\t000001ffffffffff\nSeccomp:\t0\n';
const initial = { '/proc/self/uid_map': '         0          0 4294967295\n' };

const program = (type: keyof typeof BPF_PROG_TYPE): Request => ({
  program: { type: BPF_PROG_TYPE[type], name: 'p' },
});
const map = (type: keyof typeof BPF_MAP_TYPE, shape: Partial<MapCreate> = {}): Request => ({
  map: { type: BPF_MAP_TYPE[type], keySize: 4, valueSize: 8, maxEntries: 16, ...shape },
});

interface Host {
  files?: Record<string, string>;
  version?: [number, number];
}

function why(errno: keyof typeof ERRNO, request: Request, { files = {}, version = [6, 12] }: Host = {}) {
  const host = fakeHost({ version: kernelVersion(...version), release: `${version.join('.')}.0-test` });
  for (const [path, text] of Object.entries({ ...initial, ...files })) host.file(path, text);
  const reason = explain(host.kernel, syscallError('bpf(BPF_X)', ERRNO[errno]), request);
  return reason && [reason.why, ...(reason.hint === undefined ? [] : [reason.hint])].join('. ');
}

describe('EPERM', () => {
  const cases: [string, Request, Host, RegExp | undefined][] = [
    [
      'comes of missing capabilities, which differ by program type',
      program('KPROBE'),
      { files: { [STATUS]: NOBODY, [SYSCTL]: '2\n' } },
      /lacks CAP_BPF and CAP_PERFMON, and this kernel keeps BPF from others.*setcap cap_bpf,cap_perfmon\+ep/,
    ],
    [
      'asks CAP_NET_ADMIN of XDP',
      program('XDP'),
      { files: { [STATUS]: NOBODY, [SYSCTL]: '1\n' } },
      /CAP_NET_ADMIN/,
    ],
    ['asks CAP_BPF of a map', map('HASH'), { files: { [STATUS]: NOBODY } }, /lacks CAP_BPF\. Run as root/],
    [
      'asks CAP_SYS_ADMIN before 5.8',
      map('HASH'),
      { files: { [STATUS]: NOBODY }, version: [5, 4] },
      /CAP_SYS_ADMIN/,
    ],
    [
      'has another cause when the sysctl lets everybody load the program',
      program('SOCKET_FILTER'),
      { files: { [STATUS]: NOBODY, [SYSCTL]: '0\n' } },
      undefined,
    ],
    [
      'comes of a user namespace',
      program('XDP'),
      { files: { [STATUS]: ROOT, '/proc/self/uid_map': '0 1000 1\n' } },
      /root in a user namespace only/,
    ],
    [
      'comes of seccomp',
      program('XDP'),
      { files: { [STATUS]: ROOT.replace('Seccomp:\t0', 'Seccomp:\t2') } },
      /seccomp filter is on/,
    ],
    [
      'comes of seccomp in a container',
      program('XDP'),
      { files: { [STATUS]: ROOT.replace('Seccomp:\t0', 'Seccomp:\t2'), '/.dockerenv': '' } },
      /docker run --cap-add BPF/,
    ],
    [
      'comes of lockdown',
      program('KPROBE'),
      { files: { [STATUS]: ROOT, [LOCKDOWN]: 'none integrity [confidentiality]\n' } },
      /lockdown is "confidentiality"/,
    ],
    [
      'does not come of the milder lockdown',
      program('KPROBE'),
      { files: { [STATUS]: ROOT, [LOCKDOWN]: 'none [integrity] confidentiality\n' } },
      undefined,
    ],
    [
      'comes of locked memory before 5.11',
      map('HASH'),
      {
        files: {
          [STATUS]: ROOT,
          '/proc/self/limits': 'Max locked memory         65536                65536  bytes\n',
        },
        version: [5, 4],
      },
      /RLIMIT_MEMLOCK is 64 KiB and kernel 5\.4\.0-test/,
    ],
    [
      'does not come of locked memory since',
      map('HASH'),
      { files: { [STATUS]: ROOT, '/proc/self/limits': 'Max locked memory         65536  65536  bytes\n' } },
      undefined,
    ],
    ['is not explained without /proc', map('HASH'), { files: { '/proc/self/uid_map': '' } }, undefined],
  ];

  it.each(cases)('%s', (_name, request, host, expected) => {
    const hint = why('EPERM', request, host);
    if (expected === undefined) expect(hint).toBeUndefined();
    else expect(hint).toMatch(expected);
  });
});

describe('EINVAL', () => {
  const ring = { keySize: 0, valueSize: 0 };
  const cases: [string, Request, [number, number], RegExp | undefined][] = [
    [
      'comes of a map type the kernel does not have',
      map('RINGBUF', ring),
      [5, 4],
      /^map type RINGBUF needs Linux 5\.8, this is 5\.4\.0-test\. A perf event array works there/,
    ],
    [
      'comes of a program type the kernel does not have',
      program('SYSCALL'),
      [5, 10],
      /SYSCALL needs Linux 5\.14/,
    ],
    ['comes of BTF before there was any', { btf: true }, [4, 14], /^BTF needs Linux 4\.18/],
    [
      'comes of a ring that is no power of two',
      map('RINGBUF', { ...ring, maxEntries: 12288 }),
      [6, 1],
      /power of two/,
    ],
    [
      'comes of a ring smaller than a page',
      map('RINGBUF', { ...ring, maxEntries: 2048 }),
      [6, 1],
      /page size 4096, not 2048/,
    ],
    [
      'comes of a ring with keys',
      map('RINGBUF', { maxEntries: 4096 }),
      [6, 1],
      /neither key nor value size, this one 4 and 8/,
    ],
    ['comes of an array with long keys', map('ARRAY', { keySize: 8 }), [6, 1], /have 4 bytes, these 8/],
    ['comes of no entries', map('HASH', { maxEntries: 0 }), [6, 1], /max_entries is 0/],
    ['is not explained when nothing is wrong', map('HASH'), [6, 1], undefined],
    [
      'is not explained for a type nobody knows',
      { map: { type: 200, keySize: 0, valueSize: 0, maxEntries: 0 } },
      [6, 1],
      undefined,
    ],
  ];

  it.each(cases)('%s', (_name, request, version, expected) => {
    const hint = why('EINVAL', request, { version });
    if (expected === undefined) expect(hint).toBeUndefined();
    else expect(hint).toMatch(expected);
  });
});

describe('other refusals', () => {
  it.each([
    ['E2BIG', map('HASH'), {}, /16 entries of 4 \+ 8 bytes/],
    ['ENOMEM', map('HASH'), {}, /no memory/],
    ['ENOSYS', map('HASH'), {}, /CONFIG_BPF_SYSCALL/],
    [
      'EMFILE',
      map('HASH'),
      { '/proc/self/limits': 'Max open files            1024  4096 files\n' },
      /1024 open files/,
    ],
    ['EACCES', map('HASH'), { '/sys/kernel/security/lsm': 'capability,selinux,bpf' }, /selinux may forbid/],
  ] as const)('%s of a map is explained', (errno, request, files, expected) => {
    expect(why(errno, request, { files })).toMatch(expected);
  });

  it.each(['EACCES', 'EBUSY', 'ENOENT'] as const)('%s of a program is not', (errno) => {
    expect(why(errno, program('XDP'))).toBeUndefined();
  });
});
