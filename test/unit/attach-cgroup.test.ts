import { describe, expect, it } from 'vitest';
import { NotSupportedError } from '../../runtime/src/errors.js';
import { syscallError } from '../../runtime/src/kernel/errno.js';
import type { ProgQueryResult } from '../../runtime/src/kernel/kernel.js';
import {
  CgroupSkbProgram,
  CgroupSockAddrProgram,
  LsmCgroupProgram,
} from '../../runtime/src/program/index.js';
import { BPF_ATTACH_TYPE, BPF_F_QUERY_EFFECTIVE, kernelVersion } from '../../runtime/src/uapi.js';
import { fakeHost, handleFor } from './fake-host.js';

const path = '/sys/fs/cgroup/shop';
const CGROUP2 = 0x63677270;
const CGROUP1 = 0x27e0eb;

type Host = ReturnType<typeof fakeHost>;
const connect4 = (host: Host, fd = 9) =>
  new CgroupSockAddrProgram(
    handleFor(host, {
      name: 'deny',
      section: 'cgroup/connect4',
      expectedAttachType: BPF_ATTACH_TYPE.CGROUP_INET4_CONNECT,
      fd,
    }),
  );
const programs = (flags: number, ...ids: readonly number[]): ProgQueryResult => ({
  flags,
  revision: 3n,
  programs: ids.map((id) => ({ id, linkId: 0, flags })),
});
/** A cgroup where these programs are. */
const occupied = (there: ProgQueryResult, more: Parameters<typeof fakeHost>[0] = {}) =>
  fakeHost({ progQuery: () => there, fileSystem: () => CGROUP2, ...more });

describe('attaching to a cgroup', () => {
  it('makes a bpf_link and keeps nothing else open', () => {
    const host = fakeHost();
    const link = connect4(host).attach(path);
    expect(host.calls).toEqual([
      'linkCreate({"prog":9,"attachType":10,"target":{"fd":11},"flags":0,"options":{"kind":"ordered"}})',
      'close(11)',
    ]);
    expect(link.target).toBe(`cgroup/connect4 ${path}`);
    expect(host.open.size).toBe(1);
    link.detach();
    expect(host.open.size).toBe(0);
  });

  it('takes a descriptor over in a copy', () => {
    const host = fakeHost();
    connect4(host).attach({ fd: 55 }).detach();
    expect(host.calls[0]).toBe('duplicate(55)');
    expect(host.open.size).toBe(0);
  });

  it.each([
    [{ before: 'all' }, '"flags":8,"options":{"kind":"ordered"}'],
    [{ after: { fd: 7 } }, '"flags":16,"options":{"kind":"ordered","relative":7}'],
    [{ before: { id: 70 } }, '"flags":40,"options":{"kind":"ordered","relative":70}'],
    [{ before: { id: 70, linkId: undefined } }, '"flags":40,"options":{"kind":"ordered","relative":70}'],
    [{ before: { id: 70, linkId: 72 } }, '"flags":8232,"options":{"kind":"ordered","relative":72}'],
    [{ after: { link: 71 } }, '"flags":8240,"options":{"kind":"ordered","relative":71}'],
    [{ expectedRevision: 5n }, '"flags":0,"options":{"kind":"ordered","expectedRevision":"5n"}'],
    [{ preorder: true, after: 'all' }, '"flags":80,'],
  ] as const)('says in which order: %o', (options, text) => {
    const host = fakeHost();
    connect4(host).attach(path, options);
    expect(host.calls[0]).toContain(text);
  });

  it('goes next to a link by the id of that', () => {
    const host = fakeHost();
    const link = connect4(host).attach(path);
    connect4(host).attach(path, { before: link });
    expect(host.calls).toContainEqual(
      expect.stringContaining('"flags":8232,"options":{"kind":"ordered","relative":3}'),
    );
  });

  it('does without a link where the kernel has none', () => {
    const host = fakeHost();
    host.refuse('linkCreate', 'EINVAL');
    const link = connect4(host).attach(path);
    expect(host.calls[1]).toBe('progAttach({"target":11,"prog":9,"attachType":10,"flags":2})');
    expect(() => link.pin('/x')).toThrow(/without a bpf_link/);
    link.detach();
    link.detach();
    expect(host.calls.slice(2)).toEqual(['progDetach({"target":11,"prog":9,"attachType":10})', 'close(11)']);
    expect(host.open.size).toBe(0);
  });

  it.each([
    ['override', 1],
    ['single', 0],
  ] as const)('in mode %s looks first, and replaces when that is asked for', (mode, flags) => {
    const host = occupied(programs(flags, 70), { progInfo: () => ({ id: 70, name: 'theirs' }) as never });
    expect(() => connect4(host).attach(path, { mode })).toThrow(
      `attach "deny" to cgroup/connect4 ${path}: the cgroup already has program "theirs" id 70, in mode ${mode}. Detach it`,
    );
    expect(host.open.size).toBe(0);
    const link = connect4(host).attach(path, { mode, replace: true });
    link.detach();
    expect(host.calls.filter((call) => call.startsWith('prog'))).toEqual([
      'progById(70)',
      `progAttach({"target":13,"prog":9,"attachType":10,"flags":${flags}})`,
      'progDetach({"target":13,"prog":9,"attachType":10})',
    ]);
  });

  it('closes the cgroup though detaching fails, and says why it fails', () => {
    const host = fakeHost();
    host.refuse('linkCreate', 'EINVAL');
    const link = connect4(host).attach(path);
    host.refuse('progDetach', 'EPERM');
    expect(() => link.detach()).toThrow('EPERM');
    expect(host.open.size).toBe(0);
  });

  it('exchanges without a link only what is expected', () => {
    const host = fakeHost({ progInfo: (fd) => ({ id: fd, name: `prog${fd}` }) as never });
    host.refuse('linkCreate', 'EINVAL');
    const link = connect4(host).attach(path);
    expect(() => link.update(connect4(host, 8), { expected: { fd: 77 } })).toThrow(
      /^exchange the program: "prog\d+" id 9 runs there, and not "prog77" id 77 as expected$/,
    );
    link.update(connect4(host, 8), { expected: { fd: 9 } });
    link.detach();
    expect(host.open.size).toBe(0);
  });

  it('keeps the program of before when another is refused', () => {
    const host = fakeHost();
    host.refuse('linkCreate', 'EINVAL');
    const link = connect4(host).attach(path);
    host.refuse('progAttach', 'EINVAL');
    expect(() => link.update(connect4(host, 8))).toThrow('EINVAL');
    const expected = { fd: 77 };
    expect(() => link.update(connect4(host, 8), { expected })).toThrow('EINVAL');
    link.detach();
    expect(host.calls).toContain('progDetach({"target":11,"prog":9,"attachType":10})');
    expect(host.open.size).toBe(0);
  });

  it('asks for the other direction of packets', () => {
    const host = fakeHost();
    const program = new CgroupSkbProgram(handleFor(host, { section: 'cgroup_skb/ingress' }));
    expect(program.attach(path, { direction: 'egress' }).target).toBe(`cgroup_skb/ingress (egress) ${path}`);
    expect(program.attach(path, { direction: 'ingress' }).target).toBe(`cgroup_skb/ingress ${path}`);
    expect(host.calls[0]).toContain('"attachType":1,');
  });
});

describe('a cgroup that takes no program', () => {
  const refused = (host: Host, options: Parameters<CgroupSockAddrProgram['attach']>[1] = {}): unknown => {
    try {
      connect4(host).attach(path, options);
    } catch (error) {
      expect(host.open.size).toBe(0);
      return error;
    }
    throw new Error('it was taken');
  };
  const withLink = (errno: Parameters<Host['refuse']>[1], host: Host) => {
    host.refuse('linkCreate', errno);
    host.refuse('progAttach', errno);
    return host;
  };

  it.each([
    [undefined, `there is no ${path}`],
    [CGROUP1, `${path} is a cgroup of version 1, which takes no programs`],
    [0xef53, `${path} is not a cgroup of version 2`],
  ])('because it is none: file system %s', (magic, text) => {
    const host = withLink('EBADF', fakeHost({ fileSystem: () => magic }));
    host.file('/proc/mounts', 'cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n');
    expect(refused(host)).toMatchObject({
      code: 'EBADF',
      message: expect.stringContaining(
        `${text} (EBADF). The cgroups of version 2 are below /sys/fs/cgroup/unified`,
      ),
    });
  });

  it('says that there is no cgroup2 file system', () => {
    const host = withLink('EBADF', fakeHost({ fileSystem: () => 0xef53 }));
    expect(refused(host)).toMatchObject({
      hint: expect.stringContaining('mount -t cgroup2 cgroup2 DIRECTORY'),
    });
  });

  it('says what the kernel said when nothing more can be found out', () => {
    const denied = () => {
      throw syscallError('statfs', 13);
    };
    const host = fakeHost({ fileSystem: denied });
    host.refuse('openFile', 'EACCES');
    expect(String(refused(host))).toMatch(/connect4 .*shop: openFile: permission denied \(EACCES\)$/);
  });

  it('because another shares it in another way', () => {
    const host = withLink('EPERM', occupied(programs(1, 70, 71)));
    expect(String(refused(host))).toContain(
      'has program "other" id 70, "other" id 71, in mode override, which goes',
    );
  });

  it('because this process lacks a capability', () => {
    const host = withLink('EPERM', fakeHost());
    host.refuse('progQuery', 'EPERM');
    host.file('/proc/self/status', 'CapEff:\t0000008000000000\n');
    expect(String(refused(host))).toContain('this process lacks CAP_NET_ADMIN (EPERM)');
  });

  it('because a kernel has no order, or no order of ancestors', () => {
    const host = withLink('EINVAL', fakeHost());
    const error = refused(host, { before: 'all' });
    expect(error).toBeInstanceOf(NotSupportedError);
    expect(error).toMatchObject({ since: '6.17' });
    expect(refused(host, { preorder: true })).toMatchObject({ since: '6.15' });
    const newer = withLink('EINVAL', fakeHost({ version: kernelVersion(6, 18, 0) }));
    expect(String(refused(newer, { before: 'all' }))).toContain('progAttach: invalid argument (EINVAL)');
  });

  it('because it is there already, without a link', () => {
    const host = withLink('EINVAL', occupied(programs(2, 7)));
    expect(String(refused(host))).toContain('the program is attached there already');
  });

  it.each([
    ['E2BIG', {}, 'already has as many of these programs as it can (64) (E2BIG)'],
    ['ENOENT', { replace: { fd: 3 } }, 'the program to replace is not attached to this cgroup (ENOENT)'],
    ['ENOENT', { before: { id: 4 } }, 'the program to go next to is not attached to this cgroup (ENOENT)'],
    ['ENOENT', {}, 'the cgroup is being removed (ENOENT)'],
    ['ESTALE', { expectedRevision: 2n }, 'are of revision 3, not 2 (ESTALE). Query them again'],
    ['EOPNOTSUPP', {}, 'built without ftrace direct calls (EOPNOTSUPP)'],
    ['ENOMEM', {}, 'cannot allocate memory (ENOMEM)'],
  ] as const)('with %s and %o', (errno, options, text) => {
    expect(String(refused(withLink(errno, occupied(programs(2, 70))), options))).toContain(text);
  });

  it('does not run LSM programs that nobody would ask', () => {
    const host = fakeHost();
    host.file('/sys/kernel/security/lsm', 'capability,apparmor');
    const program = new LsmCgroupProgram(handleFor(host, { section: 'lsm_cgroup/socket_bind' }));
    expect(() => program.attach(path)).toThrow(/bpf is not among them.*Boot with lsm=apparmor,bpf/);
    expect(host.calls).toEqual([]);
  });
});

describe('asking a cgroup', () => {
  it('tells what is attached and what runs', () => {
    const host = fakeHost({
      progQuery: ({ flags = 0 }) => (flags & BPF_F_QUERY_EFFECTIVE ? programs(0, 70, 71) : programs(2, 70)),
    });
    host.refuse('progById', 'EPERM');
    expect(connect4(host).query(path)).toEqual({
      mode: 'multi',
      attached: [{ id: 70, name: '' }],
      effective: [
        { id: 70, name: '' },
        { id: 71, name: '' },
      ],
      revision: 3n,
    });
    expect(host.open.size).toBe(0);
  });

  it('needs a capability, and says so', () => {
    const host = fakeHost();
    host.refuse('progQuery', 'EPERM');
    host.file('/proc/self/status', 'CapEff:\t0\n');
    expect(() => connect4(host).query(path)).toThrow(
      `query the programs of ${path}: this process lacks CAP_NET_ADMIN (EPERM)`,
    );
    expect(host.open.size).toBe(0);
  });
});
