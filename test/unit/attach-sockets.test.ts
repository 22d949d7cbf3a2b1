import { readFileSync } from 'node:fs';
import { openObject } from '@bpfskel/runtime';
import { fakeKernel } from '@bpfskel/runtime/testing';
import { describe, expect, it } from 'vitest';
import type { ProgQueryResult } from '../../runtime/src/kernel/kernel.js';
import type { Link } from '../../runtime/src/link/link.js';
import {
  FlowDissectorProgram,
  LircMode2Program,
  SkLookupProgram,
  SkMsgProgram,
  SkReuseportProgram,
  SkSkbProgram,
  SocketFilterProgram,
} from '../../runtime/src/program/index.js';
import { BPF_ATTACH_TYPE } from '../../runtime/src/uapi.js';
import { fakeHost, handleFor } from './fake-host.js';

type Host = ReturnType<typeof fakeHost>;
const { SK_MSG_VERDICT, SK_LOOKUP, FLOW_DISSECTOR } = BPF_ATTACH_TYPE;
const skMsg = (host: Host, fd = 9) =>
  new SkMsgProgram(handleFor(host, { section: 'sk_msg', expectedAttachType: SK_MSG_VERDICT, fd }));
const skLookup = (host: Host) =>
  new SkLookupProgram(handleFor(host, { section: 'sk_lookup', expectedAttachType: SK_LOOKUP }));
const dissector = (host: Host, fd = 9) =>
  new FlowDissectorProgram(
    handleFor(host, { section: 'flow_dissector', expectedAttachType: FLOW_DISSECTOR, fd }),
  );
const lirc = (host: Host) => new LircMode2Program(handleFor(host, { section: 'lirc_mode2' }));
const reuseport = (host: Host) => new SkReuseportProgram(handleFor(host, { section: 'sk_reuseport' }));
const theirs: ProgQueryResult = { flags: 0, revision: 0n, programs: [{ id: 70, linkId: 0, flags: 0 }] };
const lacking = 'CapEff:\t0000008000000000\n';

describe('attaching to a map of sockets', () => {
  it('makes a bpf_link', () => {
    const host = fakeHost();
    const link = skMsg(host).attach({ fd: 33, name: 'socks' });
    expect(link.target).toBe('sk_msg socks');
    link.detach();
    expect(host.calls).toEqual(['linkCreate({"prog":9,"attachType":7,"target":{"fd":33}})', 'close(11)']);
  });

  it('does without one where the kernel has none, and keeps the map until it is detached', () => {
    const host = fakeHost();
    host.refuse('linkCreate', 'EINVAL');
    const link = skMsg(host).attach(33);
    expect(link.target).toBe('sk_msg descriptor 33');
    link.update(skMsg(host, 8));
    link.detach();
    expect(host.calls.slice(1)).toEqual([
      'duplicate(33)',
      'progAttach({"target":11,"prog":9,"attachType":7})',
      'duplicate(8)',
      'progAttach({"target":11,"prog":12,"attachType":7})',
      'progDetach({"target":11,"prog":12,"attachType":7})',
      'close(12)',
      'close(11)',
    ]);
    expect(host.open.size).toBe(0);
  });

  it('detaches in peace when another took the place', () => {
    const host = fakeHost();
    const link = skMsg(host).attach(33, { replace: true });
    host.refuse('progDetach', 'ENOENT');
    link.detach();
    expect(host.open.size).toBe(0);
  });

  it('closes its copy of a map that takes no program', () => {
    const host = fakeHost();
    host.refuse('linkCreate', 'EINVAL');
    host.refuse('progAttach', 'EOPNOTSUPP');
    host.file('/proc/self/fdinfo/33', 'flags:\t02000002\nmap_type:\t27\n');
    expect(() => skMsg(host).attach(33)).toThrow(
      'the map is a RINGBUF: sockets are in a SOCKMAP or a SOCKHASH',
    );
    expect(host.open.size).toBe(0);
  });

  it.each(['linkCreate', 'progAttach'] as const)('names the program in the way of %s', (call) => {
    const host = fakeHost({ progQuery: () => theirs });
    host.refuse(call, 'EBUSY');
    if (call === 'progAttach') host.refuse('linkCreate', 'EINVAL');
    expect(() => skMsg(host).attach(33)).toThrow('the map already has program "other" id 70 in this place');
  });

  it('names the missing capability', () => {
    const host = fakeHost();
    host.refuse('linkCreate', 'EPERM');
    host.file('/proc/self/status', lacking);
    expect(() => skMsg(host).attach(33)).toThrow('this process lacks CAP_NET_ADMIN (EPERM)');
  });

  it.each([
    ['sk_skb/stream_parser', undefined, 4],
    ['sk_skb/stream_verdict', undefined, 5],
    ['sk_skb/verdict', undefined, 38],
    ['sk_skb', 'stream_verdict', 5],
    ['sk_skb/stream_verdict', 'verdict', 38],
  ] as const)('takes the role from SEC("%s"), or the call: %s', (section, role, attachType) => {
    const host = fakeHost();
    const program = new SkSkbProgram(handleFor(host, { section }));
    program.attach(33, role === undefined ? {} : { role });
    expect(host.calls[0]).toBe(`linkCreate({"prog":9,"attachType":${attachType},"target":{"fd":33}})`);
  });
});

describe('attaching to a network namespace', () => {
  it('makes a bpf_link and closes the namespace', () => {
    const host = fakeHost();
    const link = skLookup(host).attach('/run/netns/blue');
    expect(link.target).toBe('sk_lookup in /run/netns/blue');
    expect(host.calls).toEqual(['linkCreate({"prog":9,"attachType":36,"target":{"fd":11}})', 'close(11)']);
    expect(skLookup(host).attach().target).toBe('sk_lookup in this process');
  });

  it('dissects flows without a link where the kernel has none', () => {
    const host = fakeHost();
    host.refuse('linkCreate', 'EINVAL');
    const link = dissector(host).attach();
    link.update(dissector(host, 8));
    host.refuse('progDetach', 'ENOENT');
    link.detach();
    expect(host.calls.filter((call) => call.startsWith('prog'))).toEqual([
      'progAttach({"target":0,"prog":9,"attachType":17})',
      'progAttach({"target":0,"prog":12,"attachType":17})',
      'progDetach({"target":0,"prog":12,"attachType":17})',
    ]);
    expect(host.open.size).toBe(0);
  });

  it.each([
    [undefined, 'there is no /ns (EINVAL). Network namespaces are'],
    [0x6e736673, '/ns is not a network namespace, or this kernel has no links for it'],
    [0xef53, '/ns is not a network namespace (EINVAL). Those are /proc/PID/ns/net'],
  ])('says what is none: file system %s', (magic, text) => {
    const host = fakeHost({ fileSystem: () => magic });
    host.refuse('linkCreate', 'EINVAL');
    expect(() => skLookup(host).attach('/ns')).toThrow(text);
    expect(host.open.size).toBe(0);
  });

  it('names those in the way, at most four', () => {
    const programs = Array.from({ length: 6 }, (_, id) => ({ id, linkId: 0, flags: 0 }));
    const host = fakeHost({ progQuery: () => ({ ...theirs, programs }) });
    host.refuse('linkCreate', 'E2BIG');
    expect(() => skLookup(host).attach()).toThrow(
      /"other" id 0, .*id 3 and 2 more, which is as many as it can/,
    );
    expect(host.open.size).toBe(0);
  });

  it('names the missing capability', () => {
    const host = fakeHost();
    host.refuse('linkCreate', 'EPERM');
    host.file('/proc/self/status', lacking);
    expect(() => skLookup(host).attach()).toThrow('this process lacks CAP_NET_ADMIN (EPERM)');
  });

  it('needs a capability to be asked, and says so', () => {
    const host = fakeHost();
    host.refuse('progQuery', 'EPERM');
    host.file('/proc/self/status', lacking);
    expect(() => skLookup(host).query()).toThrow(
      'query the programs of /proc/self/ns/net: this process lacks CAP_NET_ADMIN (EPERM)',
    );
    expect(host.open.size).toBe(0);
  });

  it.each([
    ['the first namespace has flow dissector "other" id 70, which is for all', true],
    ['another namespace has a flow dissector, and that of the first namespace is for all', false],
  ])('says that %s', (text, first) => {
    let asked = 0;
    const host = fakeHost({
      progQuery: () => {
        asked += 1;
        return asked === 2 && first ? theirs : { flags: 0, revision: 0n, programs: [] };
      },
    });
    host.refuse('linkCreate', 'EEXIST');
    expect(() => dissector(host).attach('/run/netns/blue')).toThrow(text);
    expect(host.open.size).toBe(0);
  });
});

describe('attaching to sockets of the caller', () => {
  it.each(['ENOENT', 'EBADF', 'ENOTSOCK'] as const)(
    'detaches in peace from a group that says %s',
    (errno) => {
      const host = fakeHost();
      const link = reuseport(host).attach({ fd: 44 });
      expect(host.calls).toEqual(['reuseportAttach(44, 9)']);
      host.refuse('reuseportDetach', errno);
      link.detach();
    },
  );

  it.each([
    [
      'EINVAL',
      'the socket shares its port with no other (EINVAL). Set SO_REUSEPORT on it before it is bound',
    ],
    ['EOPNOTSUPP', 'only TCP and UDP sockets over IPv4 and IPv6 share a port'],
    ['ENOTSOCK', 'the descriptor is not of a socket'],
    ['ENOMEM', 'cannot allocate memory'],
  ] as const)('explains %s', (errno, text) => {
    const host = fakeHost();
    host.refuse('reuseportAttach', errno);
    expect(() => reuseport(host).attach(44)).toThrow(text);
  });

  it('filters a socket given by what has a descriptor', () => {
    const host = fakeHost();
    new SocketFilterProgram(handleFor(host, { section: 'socket' })).attachTo({ fd: 44 }).detach();
    expect(host.calls).toEqual(['socketAttach(44, 9)', 'socketDetach(44)']);
  });
});

describe('attaching to an infrared device', () => {
  it('keeps it open until it is detached', () => {
    const host = fakeHost();
    const link = lirc(host).attach('/dev/lirc0');
    expect(link.target).toBe('lirc_mode2 /dev/lirc0');
    link.detach();
    expect(host.calls).toEqual([
      'progAttach({"target":11,"prog":9,"attachType":16})',
      'progDetach({"target":11,"prog":9,"attachType":16})',
      'close(11)',
    ]);
  });

  it('lists the devices instead of one that is not there', () => {
    const host = fakeHost();
    host.refuse('openFile', 'ENOENT');
    expect(() => lirc(host).attach('/dev/lirc9')).toThrow(
      'there is no /dev/lirc9 (ENOENT). This host has no infrared device',
    );
    host.file('/sys/class/lirc/lirc0/uevent', '');
    expect(() => lirc(host).attach('/dev/lirc9')).toThrow('This host has /dev/lirc0');
  });

  it.each([
    ['EINVAL', '/dev/lirc0 is not an infrared device that receives raw signals'],
    ['EEXIST', 'the program is attached there already'],
    ['E2BIG', 'as many programs as it can (64)'],
    ['EPERM', 'this process lacks CAP_NET_ADMIN'],
  ] as const)('explains %s', (errno, text) => {
    const host = fakeHost();
    host.refuse('progAttach', errno);
    host.file('/proc/self/status', lacking);
    expect(() => lirc(host).attach('/dev/lirc0')).toThrow(text);
    expect(host.open.size).toBe(0);
  });

  it('says that a descriptor is for reading only', () => {
    const host = fakeHost();
    host.refuse('progAttach', 'EPERM');
    host.file('/proc/self/fdinfo/44', 'pos:\t0\nflags:\t0100000\n');
    expect(() => lirc(host).attach(44)).toThrow(
      'descriptor 44 was opened for reading only (EPERM). Open it for',
    );
  });

  it.each(['ENOENT', 'ENODEV'] as const)('detaches in peace when it says %s: it is gone', (errno) => {
    const host = fakeHost();
    const link = lirc(host).attach('/dev/lirc0');
    host.refuse('progDetach', errno);
    link.detach();
    expect(host.open.size).toBe(0);
  });
});

describe('a fake kernel', () => {
  const object = readFileSync(new URL('../testdata/sockets.o', import.meta.url));
  const arguments_: Readonly<Record<string, unknown>> = {
    by_letter: 'sockets',
    echo: 'sockets',
    steer: '/run/netns/blue',
    choose: 'socket',
  };

  it('takes programs to cgroups, maps, namespaces and groups, and gives everything back', () => {
    const kernel = fakeKernel();
    const socket = kernel.packetSocket(1);
    const live = openObject(object).load({ kernel });
    const links: Link[] = [];
    for (const [name, program] of live.progs) {
      const target = arguments_[name] ?? '/sys/fs/cgroup/shop';
      const where = target === 'socket' ? socket : (live.maps.get(String(target)) ?? target);
      // Each kind takes its own sort of target, which the table above knows.
      links.push((program as unknown as { attach(target: unknown): Link }).attach(where));
    }
    expect(kernel.links).toHaveLength(live.progs.size);
    expect(kernel.links.map(({ target }) => target)).toContain('/sys/fs/cgroup/shop');
    expect(links.flatMap((link) => (link.target.includes('group of') ? [] : [link.info().type]))).toEqual(
      expect.arrayContaining(['cgroup', 'netns', 'sockmap']),
    );
    live.destroy();
    expect(kernel.links).toEqual([]);
    kernel.close(socket);
    expect(kernel.openFds).toEqual([]);
  });
});
